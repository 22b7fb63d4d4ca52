"""How often an account's engine did things: messages, entries, exits, repetitions and wishes, each in its
window, whoever wished for them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from engine.store.rows import SentRecord
from safety.intent import is_by_person, person_key
from seams.clock import NS_PER_MS, NS_PER_S
from venues.types import Side

RATE_WINDOW_NS = 2 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S
REPEAT_WINDOW_NS = 600 * NS_PER_S
DUPLICATE_WINDOW_NS = 60 * NS_PER_S


class Sent(NamedTuple):
    """One order that was handed on; `at_ns` is on the session's own clock."""

    at_ns: int
    symbol: str
    side: Side
    key: str
    is_entry: bool

    @classmethod
    def of(cls, row: SentRecord) -> Sent:
        """Return what the record says of an order that went out before."""
        side, key = Side(row.side), row.dedupe_key
        if is_by_person(row.strategy):
            key = person_key(row.account, row.symbol, side, row.quantity, row.reduce_only)
        return cls(row.created_ns, row.symbol, side, key, not row.reduce_only)


class Times:
    """Times in ascending order, and how many of them lie inside a window: found by halving, not by looking at
    each, because every judgement asks seven times."""

    def __init__(self) -> None:
        self._at: list[int] = []

    def add(self, at_ns: int) -> int:
        """Note a time; return its place among the others."""
        place = bisect_right(self._at, at_ns)
        self._at.insert(place, at_ns)
        return place

    def before(self, now_ns: int, window_ns: int) -> int:
        """Return how many are older than the window, or exactly as old."""
        return bisect_right(self._at, now_ns - window_ns)

    def within(self, now_ns: int, window_ns: int) -> int:
        """Return how many are inside the window; a later time than now is inside."""
        return len(self._at) - self.before(now_ns, window_ns)

    def newest(self) -> int | None:
        return self._at[-1] if self._at else None

    def forget(self, count: int) -> None:
        """Forget the oldest ones."""
        del self._at[:count]


class Traffic:
    """Recent messages and orders; times must not go backwards, and a jump back forgets nothing."""

    def __init__(self, sent: Iterable[Sent] = ()) -> None:
        self._messages, self._sent, self._entries, self._exits = Times(), Times(), Times(), Times()
        self._refused, self._cancels = Times(), Times()
        self._keys: list[str] = []
        """What was wished for, in the order of `_sent`."""
        self._of_symbol: defaultdict[str, Times] = defaultdict(Times)
        self._of_side: defaultdict[tuple[str, Side], Times] = defaultdict(Times)
        """The entries, by symbol and by its side."""
        for each in sent:
            self._messages.add(each.at_ns)
            self._note(each)

    def sent(self, at_ns: int, symbol: str, side: Side, key: str, *, is_entry: bool) -> None:
        """Note one submitted order; it is a message, too."""
        self.message(at_ns)
        old = self._sent.before(at_ns, REPEAT_WINDOW_NS)
        self._sent.forget(old)
        del self._keys[:old]
        for times in (self._entries, self._exits, *self._of_symbol.values(), *self._of_side.values()):
            times.forget(times.before(at_ns, REPEAT_WINDOW_NS))
        self._note(Sent(at_ns, symbol, side, key, is_entry))

    def message(self, at_ns: int) -> None:
        """Note one message that is not a new order: a cancel, a change, the same bytes again (C8)."""
        self._messages.forget(self._messages.before(at_ns, RATE_WINDOW_NS))
        self._messages.add(at_ns)

    def cancel(self, at_ns: int) -> None:
        """Note one cancel; it is a message, too."""
        self.message(at_ns)
        self._cancels.forget(self._cancels.before(at_ns, MINUTE_NS))
        self._cancels.add(at_ns)

    def cancels(self, now_ns: int) -> int:
        """Return how many cancels were asked for within a minute."""
        return self._cancels.within(now_ns, MINUTE_NS)

    def refused(self, at_ns: int) -> int:
        """Note one wish that a throttle refused; return how many there were within a minute."""
        self._refused.forget(self._refused.before(at_ns, MINUTE_NS))
        self._refused.add(at_ns)
        return self._refused.within(at_ns, MINUTE_NS)

    def calm(self) -> None:
        """Count refusals and cancels anew: what was is told, or was ours to do."""
        self._refused, self._cancels = Times(), Times()

    def messages(self, now_ns: int) -> int:
        """Return how many messages went out within two seconds."""
        return self._messages.within(now_ns, RATE_WINDOW_NS)

    def repeats(self, now_ns: int, symbol: str, side: Side) -> int:
        """Return how often this symbol was entered on this side within ten minutes (C9)."""
        times = self._of_side.get((symbol, side))
        return 0 if times is None else times.within(now_ns, REPEAT_WINDOW_NS)

    def entries(self, now_ns: int, symbol: str = "") -> int:
        """Return the entries within a minute, of one symbol or of all."""
        times = self._of_symbol.get(symbol) if symbol else self._entries
        return 0 if times is None else times.within(now_ns, MINUTE_NS)

    def exits(self, now_ns: int) -> int:
        """Return the exits within a minute."""
        return self._exits.within(now_ns, MINUTE_NS)

    def since_entry_ms(self, now_ns: int, symbol: str) -> int:
        """Return how long ago this symbol was last entered; the repeat window where it was not (OC-58)."""
        times = self._of_symbol.get(symbol)
        newest_ns = None if times is None else times.newest()
        since_ns = REPEAT_WINDOW_NS if newest_ns is None else min(now_ns - newest_ns, REPEAT_WINDOW_NS)
        return since_ns // NS_PER_MS

    def keys(self, now_ns: int) -> tuple[str, ...]:
        """Return what was wished for within a minute (C10)."""
        return tuple(self._keys[self._sent.before(now_ns, DUPLICATE_WINDOW_NS) :])

    def alike(self, now_ns: int, key: str) -> tuple[str, ...]:
        """Return this key where it was wished for within a minute: what a wish's own rule asks for (C10)."""
        return (key,) if key in self.keys(now_ns) else ()

    def _note(self, sent: Sent) -> None:
        self._keys.insert(self._sent.add(sent.at_ns), sent.key)
        if not sent.is_entry:
            self._exits.add(sent.at_ns)
            return
        self._entries.add(sent.at_ns)
        self._of_symbol[sent.symbol].add(sent.at_ns)
        self._of_side[sent.symbol, sent.side].add(sent.at_ns)
