"""Dry runs for the console: one order judged, and the registry of all, from the files alone."""

from __future__ import annotations

from pathlib import Path

from engine.api.home import HomePaths
from engine.trading import dry_index
from engine.trading.dry_index import DryRunIndex, DryRunRow
from engine.trading.dry_run import DryRun
from seams.clock import SystemClock
from seams.disk import RealDisk


def list_dry_runs(home: Path) -> tuple[DryRunRow, ...]:
    """Return every dry run, newest first."""
    return dry_index.list_dry_runs(HomePaths(home).dry_runs, RealDisk())


def show_dry_run(home: Path, dry_run_id: str) -> DryRun:
    """Return one dry run. Raises `Refusal`: not_found, artifact_altered."""
    return dry_index.show_dry_run(HomePaths(home).dry_runs, dry_run_id, RealDisk())


def index_dry_runs(home: Path) -> DryRunIndex:
    """Write the registry's index files and return it. Raises `OSError`."""
    return dry_index.index_dry_runs(HomePaths(home).dry_runs, RealDisk(), SystemClock())
