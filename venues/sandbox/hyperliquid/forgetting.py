"""What the loopback Hyperliquid forgets, so that a week of it takes no more memory than a day.

The venue itself lists the newest 10,000 fills of an account (venues.md 3.8); the other lists here keep as
many. An order that has ended is forgotten an hour later at the earliest, and never before its family.
"""

from __future__ import annotations

from venues.sandbox.hyperliquid.orders import Order
from venues.sandbox.hyperliquid.trading import Trading

KEPT = 10_000
"""How many fills, payments and ended orders each account keeps."""
ENDED_FOR_MS = 3_600_000


def forget(trading: Trading, now_ms: int, kept: int = KEPT) -> None:
    """Drop what is older than the newest `kept` of each account's lists."""
    for user in trading.registry.users.values():
        for rows in (user.fills, user.fundings, user.ledger):
            del rows[:-kept]
        spare = len(user.orders) - len(user.live) - kept
        gone = [order for order in user.orders.values() if _is_over(trading, order, now_ms)][: max(0, spare)]
        for order in gone:
            del user.orders[order.oid], trading.orders[order.oid]


def _is_over(trading: Trading, order: Order, now_ms: int) -> bool:
    """Tell whether an order, its parent and its siblings ended long ago."""
    root = order if order.parent is None else trading.orders.get(order.parent)
    family = [] if root is None else [root, *(trading.orders.get(oid) for oid in root.children)]
    return all(
        not each.is_live and each.history[-1].at_ms <= now_ms - ENDED_FOR_MS
        for each in (order, *family)
        if each is not None
    )
