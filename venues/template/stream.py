"""What the template venue pushes: numbered messages about our orders, and quotes.

A hole in the numbers, or a message that cannot be read, breaks the connection: the engine is told, the
stream is opened anew, and what was missed is asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from seams.wire import MessageLink, Unsent
from venues.bars import QuoteBars
from venues.template import translate
from venues.template.translate import Json, Names
from venues.types import MarketEvent, OrderEvent


class Stream:
    """One connection for one account."""

    def __init__(
        self,
        link: MessageLink,
        opening: bytes,
        names: Names,
        bar_ns: int,
        on_event: Callable[[OrderEvent], None],
        on_market: Callable[[MarketEvent], None],
        on_whole: Callable[[bool], None],
    ) -> None:
        self._link, self._opening, self._names = link, opening, names
        self._on_event, self._on_whole = on_event, on_whole
        self.bars = QuoteBars(bar_ns, on_market)
        self._count: int | None = None

    def start(self) -> None:
        """Open the stream and keep it open."""
        self._link.start(self._frame, self._state)

    async def close(self) -> None:
        await self._link.close()

    def _state(self, is_up: bool) -> None:
        self._count = None
        if not is_up:
            self._on_whole(False)
            return
        try:
            self._link.send(self._opening)
        except Unsent:
            return  # it broke again at once: the link says so, and opens anew

    def _frame(self, frame: bytes) -> None:
        try:
            said = translate.table(msgspec.json.decode(frame))
            if "quote" in said:
                self.bars.quote(translate.quote(translate.table(said["quote"])))
            else:
                self._numbered(said)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
            self._on_whole(False)
            self._link.drop()

    def _numbered(self, said: Json) -> None:
        count = translate.number(said, "n")
        if "order" not in said:  # the greeting: from here on nothing is missing
            self._count = count
            self._on_whole(True)
            return
        if self._count is None or count > self._count + 1:
            raise ValueError(f"a hole in the stream: {self._count} then {count}")
        if count == self._count + 1:  # an older one is a repeat
            self._count = count
            self._on_event(translate.order_event(translate.table(said["order"]), self._names))
