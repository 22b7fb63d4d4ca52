"""What commands and consoles may ask of the forge: build, list, verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seams.disk import Disk, RealDisk

if TYPE_CHECKING:
    from engine.lifecycle.forge.store import Builds, Stored
    from engine.lifecycle.verify.report import VerifyReport


def build(spec: str, home: Path, out: Path | None = None, disk: Disk | None = None) -> Stored:
    """Compile a strategy file, or find its build; with `out`, copy its files there.

    Raises `Refused` (forge_refused), `BuildFailed` (forge_build_failed) or `OSError`.
    """
    from engine.lifecycle.forge.store import export, forge

    disk = disk or RealDisk()
    stored = forge(spec, home, disk)
    if out is not None:
        export(stored, out, disk)
    return stored


def list_builds(home: Path, disk: Disk | None = None) -> Builds:
    """Return every build that this home keeps, and the damaged folders."""
    from engine.lifecycle.forge.store import list_builds as read

    return read(home, disk or RealDisk())


def verify(
    spec: str,
    home: Path,
    data: Sequence[str] = (),
    params: Mapping[str, float | str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
) -> VerifyReport:
    """Run a strategy every way there is over the corpus; the report says equivalent or where not.

    Raises what `build` raises, `StrategyError`, or what the catalogue raises for `data`.
    """
    from engine.lifecycle.verify.verify import verify as run

    return run(spec, home, disk or RealDisk(), data=data, params=params or {}, on_progress=on_progress)
