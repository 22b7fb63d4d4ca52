"""Rows as JSON lines in a folder of files: a full file is followed by the next, and the newest few stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from engine.ops.line_queue import LineQueue
from seams.disk import Disk, file_size
from venues.types import Record

T = TypeVar("T")
MAX_WAITING = 10_000
MAX_BYTES = 16 << 20
KEPT = 5
"""How many files are kept, the one that is written among them."""


class LineFiles(Generic[T]):
    """`FOLDER/000001.jsonl` and on. A disk that refuses costs nothing but lateness."""

    def __init__(self, folder: Path, disk: Disk, max_bytes: int = MAX_BYTES, rows: Iterable[T] = ()) -> None:
        self.folder, self._disk = folder, disk
        disk.make_folder(folder)
        names = disk.list(folder)
        self._number = int(names[-1].partition(".")[0]) if names else 1
        size = file_size(self.path) if names else 0
        self._queue: LineQueue[T] = LineQueue(MAX_WAITING, max_bytes, size, rows)
        self.take = self._queue.take

    @property
    def path(self) -> Path:
        return self.folder / f"{self._number:06d}.jsonl"

    @property
    def lost(self) -> int:
        """How many rows gave way unwritten."""
        return self._queue.lost

    def write(self, line: Callable[[T], Record]) -> None:
        """Write what waits, as `line` says it; what the disk refuses is tried again with the next."""
        self._queue.write(line, lambda: self.path, self._turn_over)

    def _turn_over(self) -> None:
        """Begin the next file; the oldest goes."""
        self._number, self._queue.size = self._number + 1, 0
        for name in self._disk.list(self.folder)[: -(KEPT - 1)]:
            self._disk.remove(self.folder / name)
