"""Wires that can only ask: what could act on an account does not leave, whoever wrote it.

A dry-run engine and one that is not armed yet are given these in place of the open wire, so that "nothing is
sent" rests on the bytes themselves and on no flag that some path could forget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

import msgspec

from seams.http import Request, decode_request
from seams.wire import Caller, FrameHandler, MayLeave, MessageLink, StateHandler, Unsent, always
from venues.hyperliquid.capabilities import NAME as HYPERLIQUID
from venues.kraken.precision import NAME as KRAKEN

PUBLIC, PRIVATE = "/0/public/", "/0/private/"
KRAKEN_ASKS = frozenset(
    {
        "BalanceEx",
        "ClosedOrders",
        "GetApiKeyInfo",
        "GetWebSocketsToken",
        "OpenOrders",
        "QueryOrders",
        "QueryTrades",
        "TradesHistory",
    }
)
"""Kraken's private questions; what is not listed here could act."""
LISTENS = frozenset({"subscribe", "unsubscribe", "ping"})
"""What may be said on a stream: both venues also take orders there."""


def _asks_hyperliquid(request: Request) -> bool:
    return request.method == "POST" and request.target == "/info"


def _asks_kraken(request: Request) -> bool:
    """Tell whether a request only asks; an order that is to be validated and not placed is a question."""
    if request.method == "GET":
        return request.path.startswith(PUBLIC) and ".." not in request.path
    method = request.target.removeprefix(PRIVATE)
    if method == "AddOrder":
        given = parse_qs(request.body.decode("latin-1"), keep_blank_values=True)
        return given.get("validate") == ["true"]
    return request.method == "POST" and method in KRAKEN_ASKS


def _asks_nobody(request: Request) -> bool:
    """Of a venue that is not listed nothing is known to be a question."""
    return False


ASKS: Mapping[str, Callable[[Request], bool]] = {HYPERLIQUID: _asks_hyperliquid, KRAKEN: _asks_kraken}
"""Venue -> whether a request of it can only ask."""


class ReadingCaller:
    """A `Caller` through which only questions leave. `may_act` opens it for everything, read each time."""

    def __init__(self, caller: Caller, venue: str, may_act: Callable[[], bool] = lambda: False) -> None:
        self._caller, self._asks, self._may_act = caller, ASKS.get(venue, _asks_nobody), may_act

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        """See `Caller.call`. Raises `Unsent` for what could act, in the step of the first byte too."""
        is_question = self._is_question(body)

        def leave() -> bool:
            return (is_question or self._may_act()) and may_leave()

        if not is_question and not self._may_act():
            raise Unsent("this engine only asks: what could act does not leave")
        return await self._caller.call(body, timeout_s, leave)

    async def close(self) -> None:
        await self._caller.close()

    def _is_question(self, body: bytes) -> bool:
        try:
            found = decode_request(body)
        except ValueError:
            return False
        return found is not None and found[1] == len(body) and self._asks(found[0])


class ReadingLink:
    """A `MessageLink` on which nothing can be said but subscriptions."""

    def __init__(self, link: MessageLink) -> None:
        self._link = link

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        self._link.start(on_frame, on_state)

    def send(self, frame: bytes) -> None:
        """Send one message. Raises `Unsent` for one that could act."""
        try:
            said = msgspec.json.decode(frame)
        except msgspec.DecodeError:
            said = None
        if not isinstance(said, dict) or said.get("method") not in LISTENS:
            raise Unsent("this engine only listens: what could act does not leave")
        self._link.send(frame)

    def drop(self) -> None:
        self._link.drop()

    async def close(self) -> None:
        await self._link.close()
