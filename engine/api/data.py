"""What commands and consoles may ask of the data desk: imports, checks, resampling, what is stored.

Every function imports what it needs when called, so that `interlock --help` stays fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import SystemClock

if TYPE_CHECKING:
    from engine.market.catalogue import SetInfo
    from engine.market.resample import ResampleReport


def resample_data(
    home: Path,
    venue: str,
    symbol: str,
    interval: str,
    to_interval: str,
    partial: str,
    *,
    may_replace: bool = False,
) -> tuple[SetInfo, ResampleReport]:
    """Make and store a set of a longer interval; see `engine.market.derived.resample_set`."""
    from engine.market.derived import resample_set
    from engine.market.resample import Partial

    return resample_set(
        home,
        venue,
        symbol,
        interval,
        to_interval,
        Partial(partial),
        SystemClock(),
        may_replace=may_replace,
    )
