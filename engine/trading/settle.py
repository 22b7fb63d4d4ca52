"""Settle an order whose state is not proved: ask, and only where asking is not enough, fence.

A lookup that finds nothing proves nothing: lists lag, and an order may still be under way. What proves
that an order can never act is its nonce burnt by a noop, or its expiry by the venue's own clock (or its
nonce known as used), with lookup, open orders, fills and, where the venue keeps one, its list of past
orders all empty once the venue's lag is over.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import NamedTuple

from engine.trading.differences import ZERO, Difference, Kind
from engine.trading.machine import Evidence
from engine.trading.orders import OrderManager
from engine.trading.working import ManagedOrder
from seams.clock import NS_PER_S
from venues.contract import EndTeller, Fence, VenueError
from venues.types import TERMINAL, OrderStatus, VenueOrder

UNPROVED = (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN)
OVERLAP_NS = 60 * NS_PER_S
"""How far before the oldest thing of interest fills are asked for: a venue's lists are not in order."""


class Lists(NamedTuple):
    """What the venue has just listed: names of orders that work, and of those executed since `from_ns`."""

    working: Collection[str]
    executed: Collection[str]
    from_ns: int

    def lack(self, order: ManagedOrder) -> bool:
        """Tell whether the order is in neither, and would be, had it ever executed."""
        reaches = self.from_ns <= order.created_ns - OVERLAP_NS
        return reaches and order.order_id not in self.working and order.order_id not in self.executed


async def settle_unknown(orders: OrderManager) -> int:
    """Ask about every UNKNOWN order; return how many still are. A silent venue changes nothing."""
    for order in orders.unknown():
        try:
            await settle(orders, order, await orders.venue.time_ns())
        except VenueError as error:
            orders.core.events.add("query_failed", orders.venue.name, f"{order.order_id}: {error}")
            order.asked_ns, order.heard = orders.core.clock.now_ns(), f"no answer: {error}"
            break
    return len(orders.unknown())


async def working(orders: OrderManager) -> dict[str, VenueOrder]:
    """Ask which orders of the account work, by name. One whose end is on record, and that works all the same
    in a list asked for after the lag was over, is not proved any more. Raises `VenueError`."""
    since_ns = orders.core.clock.now_ns() - orders.venue.capabilities().lookup_lag_ns
    found = {seen.client_order_id: seen for seen in await orders.venue.open_orders()}
    for name in found:
        order = orders.known(name)
        if order is not None and order.status in TERMINAL and order.done_ns < since_ns:
            orders.take(order, Evidence.ALIVE, "the venue lists it as working")
    return found


async def settle(
    orders: OrderManager,
    order: ManagedOrder,
    venue_ns: int,
    seen: VenueOrder | None = None,
    lists: Lists | None = None,
) -> None:
    """Ask what became of one order (`seen`: a list has said it already) and take the answer as evidence.

    `venue_ns` is the venue's clock, read before, also before `lists` were asked for: they need not be asked
    for again. Raises `VenueError` where the venue does not say.
    """
    answer = seen or await orders.venue.query(order.order_id)
    await _take_answer(orders, order, answer)
    if answer is None and order.status is OrderStatus.UNKNOWN:
        await _fence(orders, order, venue_ns, lists)


async def ask(orders: OrderManager, order: ManagedOrder) -> None:
    """Ask about one order by its own id, and take the answer as evidence; nothing is burnt or sent again.

    Raises `VenueError` where the venue does not say.
    """
    order.asked_ns, order.heard = orders.core.clock.now_ns(), ""
    await _take_answer(orders, order, await orders.venue.query(order.order_id))


async def _take_answer(orders: OrderManager, order: ManagedOrder, answer: VenueOrder | None) -> None:
    """Note what the venue said of an order, book the fills that it tells of, and follow it."""
    said = "venue knows no such order" if answer is None else f"venue says {answer.status}"
    if order.status is OrderStatus.UNKNOWN:
        orders.core.note("query", orders.venue.name, f"{order.order_id}: {said}", order_id=order.order_id)
        order.asked_ns = orders.core.clock.now_ns()
    order.heard = said
    if answer is None:
        return
    if answer.filled > order.filled:
        for fill in await orders.venue.fills_since(order.created_ns - OVERLAP_NS):
            if fill.client_order_id == order.order_id:
                orders.fill(order, fill)
    order.told = answer.filled
    orders.seen(order, answer)


def awaits_fills(orders: OrderManager, differences: Collection[Difference]) -> bool:
    """Tell whether fills of our own orders may be all that differs: the venue tells of more than it lists, or
    an order that nobody has proved yet would explain what it holds.

    Until that is known, what differs is no decision for anybody; but not for ever: a list may lack them for
    good.
    """
    since_ns = orders.core.clock.now_ns() - orders.venue.capabilities().lookup_lag_ns - OVERLAP_NS
    moved = {each.subject: each.amount for each in differences if each.kind == Kind.POSITION}
    return any(
        order.told > order.filled or _explains(order, moved.get(order.request.symbol, ZERO))
        for order in orders.alive()
        if order.created_ns > since_ns
    )


def _explains(order: ManagedOrder, amount: Decimal) -> bool:
    """Tell whether an order that nobody has proved yet may be what moved a position by so much (signed)."""
    return order.status in UNPROVED and amount * order.request.side.sign > 0


async def _fence(orders: OrderManager, order: ManagedOrder, venue_ns: int, lists: Lists | None) -> None:
    """The venue shows no such order: prove that it never will, or leave it UNKNOWN."""
    venue, signed = orders.venue, order.signed
    if order.is_manual:
        return  # its nonce is not ours to burn: the venue or a person ends it
    assert signed is not None, "an order is recorded with its bytes"
    caps = venue.capabilities()
    if caps.has_fence and not order.admitted_ns:
        if await venue.fence(signed) is Fence.DEAD:
            # The noop and the order carry one nonce, and the venue took the noop's.
            orders.take(order, Evidence.FENCED, "never_reached_venue")
            return
        # Asked after the proof: `venue_ns` was read before it, perhaps long before the order arrived.
        order.admitted_ns = await venue.time_ns()
    since_ns = order.admitted_ns or (signed.valid_until_ns if caps.has_expiry else 0)
    is_over = since_ns and venue_ns > since_ns + caps.lookup_lag_ns
    if is_over and ((lists is not None and lists.lack(order)) or await _is_nowhere(orders, order)):
        past = await venue.past_order(order.order_id) if isinstance(venue, EndTeller) else None
        if past is not None:
            await _take_answer(orders, order, past)
            return
        orders.take(order, Evidence.FENCED, "never_reached_venue: used up or expired, and in no list")


async def _is_nowhere(orders: OrderManager, order: ManagedOrder) -> bool:
    """Tell whether lookup, open orders and fills all lack the order; asked after the lag is over."""
    venue = orders.venue
    if await venue.query(order.order_id) is not None:
        return False
    if any(each.client_order_id == order.order_id for each in await venue.open_orders()):
        return False
    fills = await venue.fills_since(order.created_ns - OVERLAP_NS)
    return not any(each.client_order_id == order.order_id for each in fills)
