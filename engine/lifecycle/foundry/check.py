"""Verification of what is kept: the very bytes of a component's folder against its Python twin, once more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.lifecycle.forge.load import ArtifactChanged
from engine.lifecycle.foundry.make import ComponentRecord, FoundryFailed, folders_of, prove, read_record
from engine.lifecycle.foundry.names import check_name
from engine.lifecycle.foundry.targets import MAKERS, TWIN
from engine.lifecycle.verify.report import VerifyReport
from engine.lifecycle.verify.verify import verify
from engine.strategies.registry import BUNDLED
from seams.disk import Disk

Progress = Callable[[int, int], None]


def verify_named(
    name: str, home: Path, disk: Disk, on_progress: Progress | None = None
) -> list[tuple[str, VerifyReport]]:
    """Verify every build of a component, or a bundled strategy of this name; reports stand beside the builds.

    Raises `FoundryFailed` (not_found), `ArtifactChanged`, `ToolMissing`, `BuildFailed`.
    """
    check_name("strategy_name", name)
    folders = folders_of(home, name, disk)
    if folders:
        return [(str(folder), _verify(folder, home, disk, on_progress)) for folder in folders]
    if name in BUNDLED:
        report = verify(name, home, disk, params={}, on_progress=on_progress)
        return [(str(Path(report.path).parent), report)]
    raise FoundryFailed("not_found", f"no component and no bundled strategy is called {name}")


def _verify(folder: Path, home: Path, disk: Disk, on_progress: Progress | None) -> VerifyReport:
    record = _record(folder, disk)
    source = disk.read(folder / TWIN).decode()
    product = MAKERS[record.target_lang](source, record.class_name)
    kept = disk.read(folder / record.artifact)
    _demand(record, "its twin", record.text_sha256, source.encode())
    _demand(record, record.artifact, record.artifact_sha256, kept)
    if product.artifact_sha256 != record.artifact_sha256:
        # Another compiler, or other house code: what is kept cannot be what would be made now.
        raise ArtifactChanged(
            f"{record.name}: built anew it has other bytes; forge it again in {record.target_lang}"
        )
    return prove(folder, record, product, home, disk, on_progress)


def _record(folder: Path, disk: Disk) -> ComponentRecord:
    try:
        return read_record(folder, disk)
    except msgspec.MsgspecError as error:
        raise ArtifactChanged(f"{folder.name}: its record cannot be read: {error}") from error


def _demand(record: ComponentRecord, what: str, wanted: str, data: bytes) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise ArtifactChanged(f"{record.name}: {what} is {found[:12]}, its record says {wanted[:12]}")
