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
