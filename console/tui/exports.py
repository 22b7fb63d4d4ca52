"""What a screen writes as a file: cleaned line by line, under the home's outputs/exports."""

from __future__ import annotations

from console.tui import text
from engine.api.home import HomePaths, home_folder
from seams.disk import RealDisk


def write_export(name: str, body: str) -> tuple[str, str]:
    """Write a file, in place of an older one of its name; return what to say about it, and in what style."""
    folder, disk = HomePaths(home_folder()).exports, RealDisk()
    lines = ["\t".join(map(text.clean, line.split("\t"))) for line in body.splitlines()]
    try:
        disk.make_folder(folder)
        disk.write_atomic(folder / name, "\n".join([*lines, ""]).encode())
    except OSError as error:
        return f"not written: {error}", "p2-calm"
    return f"written: {folder / name}", "bright"
