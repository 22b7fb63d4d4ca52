"""How often an account's engine did things: messages, entries, exits, repetitions and wishes, each in its
window, whoever wished for them."""

from __future__ import annotations

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


class Traffic:
    """Recent messages and orders; times must not go backwards, and a jump back forgets nothing."""

    def __init__(self, sent: Iterable[Sent] = ()) -> None:
        self._sent: list[Sent] = list(sent)
        self._messages: list[int] = [each.at_ns for each in self._sent]
        self._refused: list[int] = []
        self._cancels: list[int] = []

    def sent(self, at_ns: int, symbol: str, side: Side, key: str, *, is_entry: bool) -> None:
        """Note one submitted order; it is a message, too."""
        self.message(at_ns)
        self._sent = [each for each in self._sent if at_ns - each.at_ns < REPEAT_WINDOW_NS]
        self._sent.append(Sent(at_ns, symbol, side, key, is_entry))

    def message(self, at_ns: int) -> None:
        """Note one message that is not a new order: a cancel, a change, the same bytes again (C8)."""
        self._messages = [at for at in self._messages if at_ns - at < RATE_WINDOW_NS]
        self._messages.append(at_ns)

    def cancel(self, at_ns: int) -> None:
        """Note one cancel; it is a message, too."""
        self.message(at_ns)
        self._cancels = [*(at for at in self._cancels if at_ns - at < MINUTE_NS), at_ns]

    def cancels(self, now_ns: int) -> int:
        """Return how many cancels were asked for within a minute."""
        return sum(1 for at in self._cancels if now_ns - at < MINUTE_NS)

    def refused(self, at_ns: int) -> int:
        """Note one wish that a throttle refused; return how many there were within a minute."""
        self._refused = [*(at for at in self._refused if at_ns - at < MINUTE_NS), at_ns]
        return len(self._refused)

    def calm(self) -> None:
        """Count refusals and cancels anew: what was is told, or was ours to do."""
        self._refused, self._cancels = [], []

    def messages(self, now_ns: int) -> int:
        """Return how many messages went out within two seconds."""
        self._messages = [at for at in self._messages if now_ns - at < RATE_WINDOW_NS]
        return len(self._messages)

    def repeats(self, now_ns: int, symbol: str, side: Side) -> int:
        """Return how often this symbol was entered on this side within ten minutes (C9)."""
        self._sent = [each for each in self._sent if now_ns - each.at_ns < REPEAT_WINDOW_NS]
        return sum(1 for each in self._sent if each.is_entry and (each.symbol, each.side) == (symbol, side))

    def entries(self, now_ns: int, symbol: str = "") -> int:
        """Return the entries within a minute, of one symbol or of all."""
        return sum(
            1 for each in self._within(now_ns, MINUTE_NS) if each.is_entry and symbol in ("", each.symbol)
        )

    def exits(self, now_ns: int) -> int:
        """Return the exits within a minute."""
        return sum(1 for each in self._within(now_ns, MINUTE_NS) if not each.is_entry)

    def since_entry_ms(self, now_ns: int, symbol: str) -> int:
        """Return how long ago this symbol was last entered; the repeat window where it was not (OC-58)."""
        entered = [each.at_ns for each in self._sent if each.is_entry and each.symbol == symbol]
        return (min(now_ns - max(entered), REPEAT_WINDOW_NS) if entered else REPEAT_WINDOW_NS) // NS_PER_MS

    def keys(self, now_ns: int) -> tuple[str, ...]:
        """Return what was wished for within a minute (C10)."""
        return tuple(each.key for each in self._within(now_ns, DUPLICATE_WINDOW_NS))

    def _within(self, now_ns: int, window_ns: int) -> list[Sent]:
        return [each for each in self._sent if now_ns - each.at_ns < window_ns]
