"""Crucible runs: back-tests of one version of a strategy, found again by its name."""

from __future__ import annotations

import json
import re
from pathlib import Path

from engine.api.home import HomePaths
from seams.disk import Disk, RealDisk

VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}")


class NoReport(LookupError):
    """No crucible run of the strategy has been published; `code` is not_found."""

    code = "not_found"


def run_name(strategy: str, version: str) -> str:
    """Return the name that a crucible run is published under. Raises `ValueError` for an odd version."""
    if not VERSION.fullmatch(version):
        raise ValueError(f"{version[:40]!r} is not a version: letters, digits, dots, dashes and plus")
    return f"crucible {strategy} {version}"


def report(home: Path, strategy: str, version: str = "", disk: Disk | None = None) -> tuple[str, str, str]:
    """Return the newest crucible run of a strategy: its id, its version and its metrics.json, as written.

    Raises `NoReport`, or `OSError`.
    """
    from engine.api.research import list_runs

    disk = disk or RealDisk()
    prefix = f"crucible {strategy} "
    for row in list_runs(home, disk).runs:
        folder = HomePaths(home).runs / row.run_id
        name = json.loads(disk.read(folder / "metadata.json"))["name"]
        if name.startswith(prefix) and version in ("", name.removeprefix(prefix)):
            return row.run_id, name.removeprefix(prefix), disk.read(folder / "metrics.json").decode()
    raise NoReport(f"no crucible run of {strategy} {version}".rstrip())
