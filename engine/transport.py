"""How bytes get to a venue: real sockets, or in a test whatever stands in for them; and what bounds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from seams.clock import Clock
from seams.web import SILENCE_S, HttpCaller, WebSocketLink
from seams.wire import Caller, MessageLink
from venues.reading import ReadingCaller, ReadingLink


class Transport(Protocol):
    """Makes the wires to one venue."""

    def caller(self, url: str, venue: str) -> Caller: ...

    def link(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> MessageLink: ...


class Sockets:
    """Real connections to any address: who holds this decides which."""

    def caller(self, url: str, venue: str) -> Caller:
        return HttpCaller(url)

    def link(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> MessageLink:
        return WebSocketLink(url, clock, silence_s)


class Reading:
    """Another transport through which only questions leave, until `may_act` says otherwise."""

    def __init__(self, inner: Transport, may_act: Callable[[], bool] = lambda: False) -> None:
        self._inner, self._may_act = inner, may_act

    def caller(self, url: str, venue: str) -> Caller:
        return ReadingCaller(self._inner.caller(url, venue), venue, self._may_act)

    def link(self, url: str, clock: Clock, silence_s: float = SILENCE_S) -> MessageLink:
        return ReadingLink(self._inner.link(url, clock, silence_s))
