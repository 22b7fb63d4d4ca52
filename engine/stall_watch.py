"""A session that makes no progress: its market is quoted, and no bar closes any more (`session_stale`).

Strategies decide at the close of a bar and look after stops and exits there. A feed that is silent altogether
has an alarm and a hold of its own (`engine.trading.feed_watch`); one that only goes on quoting looks healthy
while nobody decides. No hold is raised: without bars nothing is proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.core import Core
from engine.trading.session import PaperSession
from seams.clock import NS_PER_S

ALARM = "session_stale"
BARS_MISSED = 3
LEAST_NS = 30 * NS_PER_S
"""Bars of seconds may be late; nobody is called for less."""
FIRST_NS = 300 * NS_PER_S
"""How long the first bar may take: before it nobody knows how long a bar is."""


class Newest(NamedTuple):
    """The newest bar of one symbol of a session, and since when it has been that; 0 before the first."""

    open_ns: int
    since_ns: int


class StallWatch:
    """Looks once a second at what the newest bar of each session and symbol is."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._seen: dict[tuple[str, str], Newest] = {}

    def look(self, sessions: Sequence[PaperSession]) -> None:
        """Ring for what stands still, and calm what moves again, fell silent or ended."""
        seen: dict[tuple[str, str], Newest] = {}
        for session in sessions:
            if not session.plan.uses_market_time:
                for symbol, _ in session.plan.lanes:
                    key = session.plan.session_id, symbol
                    seen[key] = self._judged(session, symbol, self._seen.get(key))
        for session_id, symbol in self._seen.keys() - seen.keys():
            self._calm(session_id, symbol)
        self._seen = seen

    def _judged(self, session: PaperSession, symbol: str, known: Newest | None) -> Newest:
        session_id, bar = session.plan.session_id, session.hub.bar(symbol)
        now_ns = self._core.clock.monotonic_ns()
        open_ns = 0 if bar is None else bar.open_ns
        if known is None or known.open_ns != open_ns or session.hub.is_stale(symbol):
            self._calm(session_id, symbol)
            return Newest(open_ns, now_ns)
        bound_ns = FIRST_NS if bar is None else max(LEAST_NS, BARS_MISSED * (bar.close_ns - bar.open_ns))
        stood_ns = now_ns - known.since_ns
        if stood_ns > bound_ns:
            said = f"{session_id}: {symbol} is quoted, and no bar has closed for {stood_ns / NS_PER_S:.0f} s"
            self._core.alarm(ALARM, f"{session_id} {symbol}", session.hub_name, said)
        return known

    def _calm(self, session_id: str, symbol: str) -> None:
        subject = f"{session_id} {symbol}"
        if (ALARM, subject) in self._core.standing:
            self._core.calm(ALARM, subject)
