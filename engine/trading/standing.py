"""Wishes that stand. A strategy that is refused at one close asks again at the next: that is one wish, and no
loop. Every refusal is on the record; what is told to people, or counted as a storm, is a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.ops.events import EventRing
from native.intents import OrderIntent
from safety.facts import Preflight
from safety.intent import ExecutionIntent

TOLD_AGAIN = 300
"""A wish that still stands is told anew each time so many closes have passed."""


class _Refused(NamedTuple):
    step: int
    side: int
    reasons: tuple[str, ...]
    closes: int


class Standing:
    """The last refused wish of each lane, entries and exits apart."""

    def __init__(self, events: EventRing) -> None:
        self._events = events
        self._last: dict[tuple[int, int], _Refused] = {}
        self.on_new: list[Callable[[ExecutionIntent, Preflight], None]] = []
        """Called with every refusal of a new wish."""

    def refused(self, intent: ExecutionIntent, verdict: Preflight, wish: OrderIntent | None) -> None:
        """Take one refusal; tell of it where it is new, or has stood for long."""
        closes = self._closes(wish, verdict.reasons)
        if closes == 1:
            for watcher in self.on_new:
                watcher(intent, verdict)
        if closes == 1 or closes % TOLD_AGAIN == 0:
            said = ", ".join(verdict.reasons) + (f" (at {closes} closes)" if closes > 1 else "")
            self._events.add("denied", "eng", f"{intent.side} {intent.symbol} denied: {said}")

    def _closes(self, wish: OrderIntent | None, reasons: tuple[str, ...]) -> int:
        """Note a refusal; return at how many closes in a row this wish was refused for these reasons.

        New, and 1, is what turned round, what comes back after a close without it, what is refused for
        another reason or twice at one close, and every order by hand (None).
        """
        if wish is None:
            return 1
        place = wish.lane, wish.offset
        last, closes = self._last.get(place), 1
        if last is not None and last[:3] == (wish.step - 1, wish.side, reasons):
            closes = last.closes + 1
        self._last[place] = _Refused(wish.step, wish.side, reasons, closes)
        return closes
