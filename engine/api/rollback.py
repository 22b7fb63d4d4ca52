"""Going back to a configuration that ended well: what would change, and doing it. No engine is needed."""

from __future__ import annotations

import difflib
from pathlib import Path

from engine.config.history import FILES, KeptConfig, go_back, kept, last_good, texts
from seams.clock import SystemClock
from seams.disk import RealDisk
from venues.types import Record


class KeptRow(Record):
    """One configuration that ended well, as a list shows it."""

    number: int
    at: str
    epoch: int
    sha256: str
    is_present: bool


class RollbackPlan(Record):
    """What a rollback would do (`is_done`: did): the difference of the files, line by line."""

    to_number: int
    ended_well_at: str
    sha256: str
    difference: tuple[str, ...]
    is_done: bool = False


def list_kept(home: Path) -> tuple[KeptRow, ...]:
    """Return every configuration that ended well, oldest first."""
    disk = RealDisk()
    now = texts(disk, home)
    return tuple(
        KeptRow(number=row.number, at=row.at, epoch=row.epoch, sha256=row.sha256, is_present=row.files == now)
        for row in kept(disk, home)
    )


def rollback_plan(home: Path, number: int) -> RollbackPlan:
    """Return what would change (0: the last good one). Raises `Refusal("not_found")`."""
    return _plan(home, last_good(RealDisk(), home, number))


def rollback(home: Path, environ: dict[str, str], number: int, operator: str, reason: str) -> RollbackPlan:
    """Go back. Raises `Refusal`: not_found, operator_required, reason_required, invalid_config."""
    to = last_good(RealDisk(), home, number)
    plan = _plan(home, to)
    go_back(RealDisk(), home, environ, SystemClock(), to, operator, reason)
    return RollbackPlan(
        to_number=plan.to_number,
        ended_well_at=plan.ended_well_at,
        sha256=plan.sha256,
        difference=plan.difference,
        is_done=True,
    )


def _plan(home: Path, to: KeptConfig) -> RollbackPlan:
    now, lines = texts(RealDisk(), home), []
    for name in FILES:
        before, after = (now.get(name) or "").splitlines(), (to.files.get(name) or "").splitlines()
        lines += list(difflib.unified_diff(before, after, f"{name} now", f"{name} then", lineterm="", n=1))
    return RollbackPlan(to_number=to.number, ended_well_at=to.at, sha256=to.sha256, difference=tuple(lines))
