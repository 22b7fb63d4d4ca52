"""Builds kept by their hash under `HOME/forge/`: each is made once, and checked every time it is used.

A folder holds `strategy.py` (the source as it was), `ir.json`, `strategy.c`, `strategy.so` and, written
last, `record.json`; without the record the folder counts as nothing.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.lifecycle.forge.build import RECORD_VERSION, BuildRecord, Built, build, plan_source
from engine.lifecycle.forge.load import ArtifactChanged, Library, load
from seams.disk import Disk
from venues.types import Record

FOLDER = "forge"
LIBRARY, RECORD = "strategy.so", "record.json"


class Stored(Record):
    """One kept build and its folder. `is_new`: it was compiled just now."""

    record: BuildRecord
    folder: str
    is_new: bool = False


class Builds(Record):
    """What a home keeps, by name and hash, and the folders whose record cannot be read."""

    builds: tuple[Stored, ...]
    damaged: tuple[str, ...]


def split_spec(spec: str) -> tuple[Path, str]:
    """Return the path and the class name of `FILE.py[:Class]`."""
    path, _, class_name = spec.partition(":")
    return Path(path), class_name


def forge(spec: str, home: Path, disk: Disk) -> Stored:
    """Build a strategy file, or find the build that its source already has.

    Raises `Refused`, `BuildFailed`, or `OSError` where the file cannot be read.
    """
    path, class_name = split_spec(spec)
    source = disk.read(path)
    plan = plan_source(source, str(path), class_name)
    folder = home / FOLDER / plan.build_sha256
    record = _read_record(folder, disk)
    if record is not None and record.record_version == RECORD_VERSION:
        # The same source under another name: its messages name the file that was asked for.
        return Stored(record=msgspec.structs.replace(record, source_file=path.name), folder=str(folder))  # type: ignore[type-var]
    built = build(plan)
    _keep(folder, source, built, disk)
    return Stored(record=built.record, folder=str(folder), is_new=True)


def open_library(stored: Stored, disk: Disk) -> Library:
    """Load a kept build. Raises `ArtifactChanged` when its library is missing or has other bytes."""
    try:
        artifact = disk.read(Path(stored.folder) / LIBRARY)
    except FileNotFoundError as error:
        raise ArtifactChanged(f"{stored.record.name}: {stored.folder} has no {LIBRARY}") from error
    return load(stored.record, artifact)


def list_builds(home: Path, disk: Disk) -> Builds:
    """Return every kept build, by name."""
    folder = home / FOLDER
    found, damaged = [], []
    for name in disk.list(folder):
        record = _read_record(folder / name, disk)
        if record is None or record.build_sha256 != name:
            damaged.append(name)
        else:
            found.append(Stored(record=record, folder=str(folder / name)))
    found.sort(key=lambda stored: (stored.record.name, stored.record.build_sha256))
    return Builds(builds=tuple(found), damaged=tuple(damaged))


def export(stored: Stored, target: Path, disk: Disk) -> None:
    """Copy a kept build into a folder of the operator's."""
    disk.make_folder(target)
    for name in disk.list(Path(stored.folder)):
        disk.write_atomic(target / name, disk.read(Path(stored.folder) / name), mode=0o644)


def _keep(folder: Path, source: bytes, built: Built, disk: Disk) -> None:
    disk.make_folder(folder)
    files = {
        "strategy.py": source,
        "ir.json": built.ir_json,
        "strategy.c": built.c_text.encode(),
        LIBRARY: built.artifact,
        RECORD: msgspec.json.format(msgspec.json.encode(built.record), indent=1) + b"\n",
    }
    for name, data in files.items():
        disk.write_atomic(folder / name, data)


def _read_record(folder: Path, disk: Disk) -> BuildRecord | None:
    try:
        return msgspec.json.decode(disk.read(folder / RECORD), type=BuildRecord)
    except (OSError, msgspec.DecodeError):
        return None
