"""Rows that lie with the engine: how many there are is known at once, each is here once it was fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar, overload

Row = TypeVar("Row")
CHUNK = 250
"""Rows fetched for what is seen: a few screens, answered before the eye notices."""


class Paged(Sequence[Row | None], Generic[Row]):
    """`total` rows, None where one is not here yet. It never changes: each page makes a new one."""

    def __init__(self, total: int = 0, chunks: Mapping[int, tuple[Row, ...]] | None = None) -> None:
        self.total, self._chunks = total, chunks or {}
        self.here = sum(map(len, self._chunks.values()))

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, at: int) -> Row | None: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Row | None, ...]: ...
    def __getitem__(self, at: int | slice) -> Row | tuple[Row | None, ...] | None:
        if isinstance(at, slice):
            return tuple(self[index] for index in range(*at.indices(self.total)))
        place = at + self.total if at < 0 else at
        if not 0 <= place < self.total:
            raise IndexError(at)
        chunk = self._chunks.get(place // CHUNK)
        return None if chunk is None else chunk[place % CHUNK]

    def __iter__(self) -> Iterator[Row | None]:
        for first in range(0, self.total, CHUNK):
            yield from self._chunks.get(first // CHUNK) or (None,) * min(CHUNK, self.total - first)

    def with_page(self, start: int, rows: Sequence[Row], total: int) -> Paged[Row]:
        """Return these rows and the ones of a page; part of a chunk is left out, unless it ends the table."""
        chunks = dict(self._chunks) if total == self.total else {}
        for first in range(-(-start // CHUNK) * CHUNK, start + len(rows), CHUNK):
            part = tuple(rows[first - start : first - start + CHUNK])
            if len(part) == min(CHUNK, total - first):
                chunks[first // CHUNK] = part
        return Paged(total, chunks)

    def missing(self, first: int, last: int) -> list[int]:
        """Return the starts of the chunks in rows [first, last) that are not here, in order."""
        begin, end = max(0, first) // CHUNK, -(-min(last, self.total) // CHUNK)
        return [place * CHUNK for place in range(begin, end) if place not in self._chunks]
