"""What workers and commands may ask of the foundry: forge a component, verify one by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.api.commands import FoundryForge
from seams.disk import Disk, RealDisk

if TYPE_CHECKING:
    from engine.lifecycle.verify.report import VerifyReport

Progress = Callable[[int, int], None]


def read_body(text: bytes) -> FoundryForge:
    """Read a forge body as the bus takes it. Raises `ValueError` for what it is not."""
    try:
        return msgspec.json.decode(text, type=FoundryForge)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"not a forge body: {error}") from error


def read_report(folder: str, disk: Disk | None = None) -> VerifyReport | None:
    """Return the verify report of a foundry job's folder, None where it has none. Raises `ValueError`."""
    from engine.lifecycle.verify.report import REPORT, VerifyReport

    try:
        return msgspec.json.decode((disk or RealDisk()).read(Path(folder) / REPORT), type=VerifyReport)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ValueError(f"{folder}: {REPORT} cannot be read: {error}") from error


def forge_component(
    body: FoundryForge, home: Path, on_progress: Progress | None = None, disk: Disk | None = None
) -> list[tuple[str, VerifyReport]]:
    """Make and verify a component; return its folder and report. Raises errors that carry a `code`."""
    from engine.lifecycle.foundry.make import forge_component as make

    made = make(body, home, disk or RealDisk(), on_progress)
    return [(made.folder, made.report)]


def verify_named(
    name: str, home: Path, on_progress: Progress | None = None, disk: Disk | None = None
) -> list[tuple[str, VerifyReport]]:
    """Verify every build of a component, or a bundled strategy; return folders and reports.

    Raises errors that carry a `code`: not_found, forge_artifact_changed, toolchain_missing.
    """
    from engine.lifecycle.foundry.check import verify_named as run

    return run(name, home, disk or RealDisk(), on_progress)
