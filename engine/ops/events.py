"""The event ring: what happened lately, newest first, each line clean and numbered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from engine.api.views import EventRow, EventsView
from safety.text import clean
from seams.clock import Clock

CAPACITY = 2000
MAX_PAGE = 500
LIVE_ROWS = 50
EventListener = Callable[[EventRow], None]


class EventRing:
    """The last `capacity` events; `seq` counts on, so that a reader sees what it missed."""

    def __init__(
        self,
        clock: Clock,
        capacity: int = CAPACITY,
        clean_text: Callable[[str], str] = clean,
        listener: EventListener | None = None,
    ) -> None:
        assert capacity > 0
        self._clock, self._clean, self._listener = clock, clean_text, listener
        self._rows: deque[EventRow] = deque(maxlen=capacity)
        self._seq = 0

    @property
    def seq(self) -> int:
        """The number of the newest event, 0 before the first."""
        return self._seq

    def listen(self, listener: EventListener) -> None:
        """Tell `listener` of every event from now on; one listener at a time."""
        assert self._listener is None, "somebody listens already"
        self._listener = listener

    def add(self, kind: str, actor: str, text: str) -> EventRow:
        """Record one event now; `actor` is eng, a venue or an operator's name."""
        assert kind
        self._seq += 1
        row = EventRow(
            seq=self._seq,
            at_ns=self._clock.now_ns(),
            kind=kind,
            actor=self._clean(actor),
            text=self._clean(text),
        )
        self._rows.append(row)
        if self._listener is not None:
            self._listener(row)
        return row

    def page(self, before_seq: int = 0, limit: int = 100) -> tuple[EventRow, ...]:
        """Return up to `limit` events older than `before_seq` (0: from the newest on), newest first."""
        wanted = max(0, min(limit, MAX_PAGE))
        older = (row for row in reversed(self._rows) if not before_seq or row.seq < before_seq)
        return tuple(row for row, _ in zip(older, range(wanted), strict=False))

    def view(self, seq: int, limit: int = LIVE_ROWS) -> EventsView:
        """Return the events view: the newest events, newest first."""
        return EventsView(seq=seq, at_ns=self._clock.now_ns(), rows=self.page(limit=limit))
