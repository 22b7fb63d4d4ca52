"""Storms: a strategy that hammers at a throttle, or a minute full of cancels, holds new risk until a person
has looked (`order_storm`). The throttles themselves only refuse; a storm says that something loops.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.core import Core
from engine.latches import latch
from engine.limits import STORM
from engine.trading.orders import OrderManager
from safety.facts import Preflight
from safety.intent import ExecutionIntent
from safety.interlock import HoldLevel
from safety.killbyte import KillLevel

RATES = frozenset(
    {
        "message_rate_exceeded",
        "entry_rate_exceeded",
        "symbol_entry_rate_exceeded",
        "entry_notional_rate_exceeded",
        "min_order_gap",
        "exit_rate_exceeded",
    }
)
"""The reasons of the throttles."""


def latch_storm(core: Core, orders: OrderManager, intent: ExecutionIntent, verdict: Preflight) -> None:
    """Count a wish that a throttle refused; beyond the bound within a minute it is a storm."""
    if RATES.isdisjoint(verdict.reasons):
        return
    count, most = orders.traffic.refused(orders.traffic_ns()), core.settings.risk.storm_refusals
    if count > most:
        said = f"{intent.strategy_id}: {count} wishes refused by throttles within a minute, bound {most}"
        orders.traffic.calm()
        _hold(core, intent.strategy_id, said)


def watch_cancels(core: Core, books: Iterable[OrderManager]) -> None:
    """Once a second: cancels are never refused (I14), but too many of them are a storm (OC-56).

    Under a kill they are asked again and again until the venue confirms: those are ours to ask.
    """
    most = core.settings.risk.cancels_per_minute
    for book in books:
        if core.kill.level is not KillLevel.CLEAR:
            book.traffic.calm()
        elif (count := book.traffic.cancels(book.traffic_ns())) > most:
            book.traffic.calm()
            _hold(core, "cancels", f"{book.venue.name}: {count} cancels within a minute, bound {most}")


def _hold(core: Core, subject: str, said: str) -> None:
    if latch(core, STORM, subject, HoldLevel.CLOSE_ONLY, said):
        core.alarm(STORM, subject, "eng", said)
