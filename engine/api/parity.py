"""What commands may ask of replay parity.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import Clock, SystemClock
from seams.disk import Disk, RealDisk

if TYPE_CHECKING:
    from engine.lifecycle.parity.report import ReplayReport


def replay(
    home: Path,
    subject: str,
    *,
    data: str = "",
    strategy: str = "",
    allows_other_kernel: bool = False,
    report_path: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    disk: Disk | None = None,
    clock: Clock | None = None,
) -> ReplayReport:
    """Replay a run or a paper session; see `engine.lifecycle.parity.replay`.

    `data` and `strategy` name files that a record knows by their last name only. Raises `RunFailed` with
    kernel_hash_mismatch or not_reproducible, `UnknownRun`, `UnknownSession`, `JournalDamaged`, `OSError`.
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
        report_path=report_path,
        on_progress=on_progress,
    )
