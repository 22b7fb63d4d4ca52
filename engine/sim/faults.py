"""What may go wrong, and how often: each seed draws its own set and its own rates (swarm).

Fixed rates miss bugs: a bug that needs ten quiet minutes is hidden by noise, one that needs two faults
within a second by quiet. So every kind is off in most seeds, and somewhere between rare and often in
the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from seams.rng import Rng, Stream


class Fault(StrEnum):
    """Every kind of fault, with its number in the safety case (F1 to F52)."""

    REQUEST_DROPPED = "F1.request_dropped"
    ORDER_DROPPED = "F1.order_dropped"
    RESPONSE_DROPPED = "F2.response_dropped"
    ORDER_UNANSWERED = "F2.order_unanswered"
    RESPONSE_DELAYED = "F3.delayed"
    REQUEST_DUPLICATED = "F4.request_duplicated"
    PUSH_DUPLICATED = "F4.push_duplicated"
    PUSH_REORDERED = "F5.push_reordered"
    PUSH_DROPPED = "F6.push_dropped"
    STREAM_STALLED = "F6.stream_stalled"
    STREAM_BROKEN = "F7.stream_broken"
    ANSWER_GARBAGE = "F8.answer_garbage"
    PUSH_GARBAGE = "F8.push_garbage"
    RATE_LIMITED = "F10.rate_limited"
    VENUE_REJECTS = "F11.venue_rejects"
    LISTS_LAG = "F14.lists_lag"
    FOREIGN_ORDER = "F16.foreign_order"
    FOREIGN_RESTING = "F16.foreign_resting"
    FOREIGN_AT_GATE = "F16.foreign_at_gate"
    CASH_MOVED = "F17.cash_moved"
    POSITION_MOVED = "F17.position_moved"
    MAINTENANCE = "F19.maintenance"
    SEND_ONLY = "F20.send_only"
    CONNECT_CLOGGED = "F21.connect_clogged"
    ORDER_CLOGGED = "F21.order_clogged"
    UNREACHABLE = "F22.unreachable"
    CRASH = "F23.crash"
    CRASH_IN_CALL = "F23.crash_in_call"
    CRASH_AT_ORDER = "F23.crash_at_order"
    CRASH_LATCHED = "F23.crash_latched"
    PAUSE = "F25.pause"
    DISK_FULL = "F27.disk_full"
    TORN_TAIL = "F28.torn_tail"
    CLOCK_STEP = "F30.clock_step"
    CLOCK_BACK_AT_WRITE = "F30.clock_back_at_write"
    BAD_MARKET = "F34.bad_market"
    KILL_ANYWHERE = "F39.kill_anywhere"
    KILL_AT_ORDER = "F39.kill_at_order"
    KILL_AT_GATE = "F39.kill_at_gate"
    KILL_AT_WORK = "F39.kill_at_work"
    KILL_WHILE_DOWN = "F39.kill_while_down"
    KILL_BYTE = "F39.kill_byte"
    KILL_FILE = "F40.kill_file"
    CANCEL_FAILS = "F41.cancel_fails"
    WATCHDOG_HANGS = "F42.watchdog_hangs"
    BUS_DOWN = "F43.bus_down"
    PARTIAL_FILLS = "F48.partial_fills"
    BOOK_EMPTY = "F48.book_empty"
    LATE_YIELD = "F51.late_yield"


RATES: Mapping[Fault, tuple[float, float]] = {
    Fault.REQUEST_DROPPED: (0.005, 0.06),
    Fault.ORDER_DROPPED: (0.03, 0.4),
    Fault.RESPONSE_DROPPED: (0.005, 0.06),
    Fault.ORDER_UNANSWERED: (0.03, 0.4),
    Fault.RESPONSE_DELAYED: (0.1, 0.6),
    Fault.REQUEST_DUPLICATED: (0.04, 0.4),
    Fault.PUSH_DUPLICATED: (0.1, 0.7),
    Fault.PUSH_REORDERED: (0.1, 0.7),
    Fault.PUSH_DROPPED: (0.03, 0.3),
    Fault.STREAM_STALLED: (0.004, 0.05),
    Fault.STREAM_BROKEN: (0.004, 0.05),
    Fault.ANSWER_GARBAGE: (0.005, 0.05),
    Fault.PUSH_GARBAGE: (0.01, 0.1),
    Fault.RATE_LIMITED: (0.005, 0.05),
    Fault.VENUE_REJECTS: (0.04, 0.4),
    Fault.LISTS_LAG: (0.02, 0.3),
    Fault.FOREIGN_ORDER: (0.002, 0.02),
    Fault.FOREIGN_RESTING: (0.002, 0.02),
    Fault.FOREIGN_AT_GATE: (0.1, 0.8),
    Fault.CASH_MOVED: (0.002, 0.02),
    Fault.POSITION_MOVED: (0.002, 0.02),
    Fault.MAINTENANCE: (0.004, 0.05),
    Fault.SEND_ONLY: (0.004, 0.05),
    Fault.CONNECT_CLOGGED: (0.01, 0.1),
    Fault.ORDER_CLOGGED: (0.05, 0.5),
    Fault.UNREACHABLE: (0.004, 0.05),
    Fault.CRASH: (0.0002, 0.003),
    Fault.CRASH_IN_CALL: (0.001, 0.02),
    Fault.CRASH_AT_ORDER: (0.005, 0.08),
    Fault.CRASH_LATCHED: (0.02, 0.3),
    Fault.PAUSE: (0.004, 0.06),
    Fault.DISK_FULL: (0.0001, 0.002),
    Fault.TORN_TAIL: (0.8, 1),
    Fault.CLOCK_STEP: (0.004, 0.05),
    Fault.CLOCK_BACK_AT_WRITE: (0.004, 0.08),
    Fault.BAD_MARKET: (0.002, 0.03),
    Fault.KILL_ANYWHERE: (0.0001, 0.002),
    Fault.KILL_AT_ORDER: (0.005, 0.08),
    Fault.KILL_AT_GATE: (0.2, 0.9),
    Fault.KILL_AT_WORK: (0.01, 0.2),
    Fault.KILL_WHILE_DOWN: (0.1, 0.8),
    Fault.KILL_BYTE: (0.002, 0.03),
    Fault.KILL_FILE: (0.002, 0.02),
    Fault.CANCEL_FAILS: (0.04, 0.5),
    Fault.WATCHDOG_HANGS: (0.001, 0.01),
    Fault.BUS_DOWN: (0.004, 0.05),
    Fault.PARTIAL_FILLS: (0.05, 0.8),
    Fault.BOOK_EMPTY: (0.004, 0.05),
    Fault.LATE_YIELD: (0.04, 0.3),
}
"""(least, most) chance at each opportunity, drawn log-uniformly where a seed has the kind at all.

An opportunity is one request, one push, one chaos point, one market event, or half a second of the world;
those `at_order` are the points on an order's way out, those `at_gate` an order that waits for its connection
(and half a second without any),
those `at_work` half a second in which an order works at the exchange, those `latched` half a second in which
a kill or a breach stands, those `while_down` a death of the engine, those `at_write` a record that was just
put behind a log.
"""
LATER = frozenset({Fault.CLOCK_BACK_AT_WRITE})
"""What came after the first seeds were pinned: each draws from a stream of its own, so that worlds without it
stay as they were."""
ALWAYS = frozenset({Fault.RESPONSE_DELAYED})
STOPPERS = frozenset(
    {
        Fault.STREAM_STALLED,
        Fault.STREAM_BROKEN,
        Fault.FOREIGN_ORDER,
        Fault.FOREIGN_RESTING,
        Fault.CASH_MOVED,
        Fault.POSITION_MOVED,
        Fault.MAINTENANCE,
        Fault.SEND_ONLY,
        Fault.UNREACHABLE,
        Fault.PAUSE,
        Fault.DISK_FULL,
        Fault.CLOCK_STEP,
        Fault.CLOCK_BACK_AT_WRITE,
        Fault.BAD_MARKET,
        Fault.KILL_BYTE,
        Fault.KILL_AT_ORDER,
        Fault.KILL_AT_GATE,
        Fault.KILL_AT_WORK,
        Fault.KILL_WHILE_DOWN,
        Fault.CRASH_LATCHED,
        Fault.KILL_FILE,
        Fault.FOREIGN_AT_GATE,
        Fault.WATCHDOG_HANGS,
        Fault.BUS_DOWN,
        Fault.BOOK_EMPTY,
    }
)
"""What stops trading for seconds. The others befall one message, one write or one step."""
SHARES_OF_STOPPERS = (0.06, 0.15, 0.4)
SHARES_OF_OTHERS = (0.3, 0.6, 0.9)
"""How many of the kinds a seed has, drawn for each group by itself: a desk that is always stopped meets
nothing more, so most seeds have few stoppers and many small things; some are quiet, some have it all."""


class Plan(NamedTuple):
    """What one seed will do: the chance of each kind at each opportunity (0 where it does not occur)."""

    chances: Mapping[Fault, float]
    market_seed: int


def draw(seed: int, only: frozenset[Fault] | None = None) -> Plan:
    """Draw a seed's swarm; `only` restricts it to these kinds. The same arguments give the same plan."""
    stream = Rng(seed).stream("swarm")
    few, many = stream.choice(SHARES_OF_STOPPERS), stream.choice(SHARES_OF_OTHERS)
    chances = {}
    for fault, (least, most) in RATES.items():
        drawn = Rng(seed).stream("swarm", fault) if fault in LATER else stream
        is_on = drawn.random() < (few if fault in STOPPERS else many) or fault in ALWAYS
        chance = least * (most / least) ** drawn.random()
        chances[fault] = chance if is_on and (only is None or fault in only) else 0.0
    return Plan(chances, stream.getrandbits(31))


class Dice:
    """Decides, counts, and falls silent when the faults stop."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self.plan = plan
        self.counts: Counter[Fault] = Counter()
        self.is_on = True
        self._rng = Rng(seed)
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """Return this seed's stream of chance for one use, always the same object."""
        if name not in self._streams:
            self._streams[name] = self._rng.stream("dice", name)
        return self._streams[name]

    def strikes(self, fault: Fault) -> bool:
        """Decide one opportunity of a fault; a strike is counted."""
        chance = self.plan.chances[fault]
        if not self.is_on or chance <= 0.0 or self.stream(fault).random() >= chance:
            return False
        self.counts[fault] += 1
        return True

    def between(self, fault: Fault, least: float, most: float) -> float:
        """Draw how much; how long (a span from above nothing) log-uniformly: most outages are short."""
        chance = self.stream(fault).random()
        if least > 0:
            return float(least * (most / least) ** chance)
        return least + (most - least) * chance
