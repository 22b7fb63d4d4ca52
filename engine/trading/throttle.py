"""What the throttles count: everything that goes out for one account, whoever wished for it (C8..C10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from engine.core import Core
from engine.trading.traffic import REPEAT_WINDOW_NS, Sent, Traffic
from safety.intent import ExecutionIntent, wish_key

if TYPE_CHECKING:
    from engine.trading.orders import OrderManager


class Counted(TypedDict):
    """The facts of an account's traffic, by their names in `safety.facts.AccountFacts`."""

    recent_keys: tuple[str, ...]
    messages_in_window: int
    repeats_in_window: int
    entries_in_minute: int
    symbol_entries_in_minute: int
    exits_in_minute: int
    since_entry_ms: int


def traffic_before(core: Core, venue: str, account: str) -> Traffic:
    """Return what the record says went out for an account lately: a restart empties no throttle (I26)."""
    since_ns = core.clock.now_ns() - REPEAT_WINDOW_NS
    return Traffic(map(Sent.of, core.store.risk.sent_of_account(venue, account, since_ns)))


def note_sent(orders: OrderManager, intent: ExecutionIntent) -> None:
    """Count an order that is handed on, for its account and for the desk."""
    key, is_entry = wish_key(intent), not intent.reduce_only
    orders.traffic.sent(orders.traffic_ns(), intent.symbol, intent.side, key, is_entry=is_entry)
    orders.flow.sent(intent)


def counted(orders: OrderManager, intent: ExecutionIntent) -> Counted:
    """Return what an intent's account has sent lately, as the rules ask for it."""
    traffic, now_ns, symbol = orders.traffic, orders.traffic_ns(), intent.symbol
    return Counted(
        recent_keys=traffic.alike(now_ns, wish_key(intent)),
        messages_in_window=traffic.messages(now_ns),
        repeats_in_window=traffic.repeats(now_ns, symbol, intent.side),
        entries_in_minute=traffic.entries(now_ns),
        symbol_entries_in_minute=traffic.entries(now_ns, symbol),
        exits_in_minute=traffic.exits(now_ns),
        since_entry_ms=traffic.since_entry_ms(now_ns, symbol),
    )
