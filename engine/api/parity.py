"""What commands may ask of replay parity.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import Clock, SystemClock
from seams.disk import Disk, RealDisk

if TYPE_CHECKING:
    from engine.lifecycle.parity.drift import DriftReport
    from engine.lifecycle.parity.ledger import LedgerRow, LedgerVerdict
    from engine.lifecycle.parity.report import ReplayReport

TOP = 20
"""How many of a sweep's candidates are replayed where nobody says."""


def replay(
    home: Path,
    subject: str,
    *,
    data: str = "",
    strategy: str = "",
    allows_other_kernel: bool = False,
    top: int = TOP,
    report_path: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
    clock: Clock | None = None,
) -> ReplayReport:
    """Replay a run, a sweep with its `top` candidates, or a paper session; see `engine.lifecycle.parity`.

    `data` and `strategy` name files that a record knows by their last name only. Raises `RunFailed` with
    kernel_hash_mismatch, not_reproducible or config_mutated, `UnknownRun`, `UnknownSession`,
    `JournalDamaged`, `OSError`.
    """
    from engine.lifecycle.parity.replay import replay_recorded
    from engine.lifecycle.parity.runs import Where

    return replay_recorded(
        subject,
        home,
        disk or RealDisk(),
        clock or SystemClock(),
        where=Where(data=data, strategy=strategy),
        allows_other_kernel=allows_other_kernel,
        top=top,
        report_path=report_path,
        on_progress=on_progress,
    )


def read_ledger(path: Path, disk: Disk | None = None) -> tuple[LedgerRow, ...]:
    """Return a parity ledger's rows. Raises `OSError`, or `ValueError` where it does not read."""
    from engine.lifecycle.parity.ledger import read_lines

    return tuple(read_lines((disk or RealDisk()).read(path)))


def judge_ledgers(paths: Sequence[Path], disk: Disk | None = None) -> LedgerVerdict:
    """Judge parity ledgers together: rows of several contracts make mixed_contract.

    Raises as `read_ledger`.
    """
    from engine.lifecycle.parity.ledger import judge_ledger

    return judge_ledger([row for path in paths for row in read_ledger(path, disk)])


def trust_order() -> str:
    """Return whom to believe where two sources disagree, the most trusted first (OC-48)."""
    from engine.lifecycle.parity.sources import order_in_words

    return order_in_words()


def drift(
    home: Path,
    session_id: str,
    *,
    strategy: str = "",
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
    clock: Clock | None = None,
) -> DriftReport:
    """Compare an ended paper session with its replay, day by day; see `engine.lifecycle.parity.drift`.

    Raises `UnknownSession`, `JournalDamaged`, `RunFailed` with journal_missing or not_reproducible, or
    `OSError`.
    """
    from engine.lifecycle.parity.drift import drift_of
    from engine.lifecycle.parity.runs import Where

    return drift_of(
        session_id,
        home,
        disk or RealDisk(),
        clock or SystemClock(),
        where=Where(strategy=strategy),
        on_progress=on_progress,
    )


def sessions_of_day(
    home: Path,
    day: str,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
) -> tuple[str, ...]:
    """Return the ended sessions whose market had this UTC day (YYYY-MM-DD), the oldest first.

    What has no journal, or none that reads, is left out.
    """
    from engine.api.research import UnknownSession, list_sessions
    from engine.journal import JournalDamaged
    from engine.lifecycle.parity.drift import market_days
    from engine.research.choice import RunFailed

    disk, found = disk or RealDisk(), []
    names = sorted(row.session_id for row in list_sessions(home, disk) if row.status != "running")
    for done, name in enumerate(names, 1):
        try:
            if day in market_days(name, home, disk):
                found.append(name)
        except (UnknownSession, JournalDamaged, RunFailed):
            continue
        finally:
            if on_progress is not None:
                on_progress(done, len(names))
    return tuple(found)
