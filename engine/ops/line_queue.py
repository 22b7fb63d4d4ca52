"""JSON lines that wait for a disk: what it refuses is tried again, and costs nothing but lateness."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from seams.disk import append_lazily
from venues.types import Record

T = TypeVar("T")


class LineQueue(Generic[T]):
    """Rows on their way to a file of at most `max_bytes`, at most `max_waiting` of them at a time.

    `size` is how long the file is; whoever turns it over says 0.
    """

    def __init__(self, max_waiting: int, max_bytes: int, size: int, rows: Iterable[T] = ()) -> None:
        self._max_waiting, self._max_bytes, self.size = max_waiting, max_bytes, size
        self._waiting: deque[T] = deque(rows)
        self.lost = 0

    def take(self, row: T) -> None:
        """Keep one row to be written; the oldest gives way where too many wait."""
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(row)

    def write(
        self, line: Callable[[T], Record], path: Callable[[], Path], turn_over: Callable[[], None]
    ) -> None:
        """Append what waits, as `line` says it; a file that would grow too long is turned over before."""
        if not self._waiting:
            return
        rows = list(self._waiting)
        data = b"".join(msgspec.json.encode(line(row)) + b"\n" for row in rows)
        try:
            if self.size and self.size + len(data) > self._max_bytes:
                turn_over()
            append_lazily(path(), data)
        except OSError:
            return
        self.size += len(data)
        for _ in rows:
            self._waiting.popleft()
