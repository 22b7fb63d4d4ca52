"""What commands may ask of recorded order books."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seams.clock import SystemClock
from seams.disk import RealDisk

if TYPE_CHECKING:
    from engine.market.depth.replay import BookReplay


def replay_recording(path: Path, source: str, symbol: str = "", depth: int = 5) -> BookReplay:
    """Read a recording and move a book through it; see `engine.market.depth.replay`.

    Raises `BadFeed` for a file that is not what it should be, `BookFault` (a ValueError) for an event no
    book takes, ValueError for an unknown format and OSError for an unreadable file.
    """
    from engine.market.depth.replay import read_feed, replay_book

    return replay_book(read_feed(RealDisk().read(path), source, symbol), SystemClock(), depth)
