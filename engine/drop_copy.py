"""Our record of executions beside the venue's own list of them, one by one (QX-44)."""

from __future__ import annotations

from engine.api.reconcile import FillComparison, FillPair
from engine.desk import Desk
from engine.trading.rows import fill_of
from engine.unanswered import unanswered
from safety.reasons import Refusal
from safety.text import clean
from venues.asked_by import for_a_person
from venues.contract import VenueError
from venues.types import Fill

MAX_SHOWN = 1_000


async def compare_fills(desk: Desk, since_ns: int) -> FillComparison:
    """Ask the venue for its executions since `since_ns` (UTC) and lay them beside ours; books nothing.

    Raises `Refusal`: not_found in paper, venue_busy, or reconcile_unanswered where the venue does not say.
    """
    custody = desk.custody
    if custody is None:
        raise Refusal("not_found", "a paper account lives in this engine: it has no other side")
    venue, account = custody.venue.name, custody.account
    since_ns = max(since_ns, custody.cash.opened_ns)  # before it the account was not in our keeping
    try:
        with for_a_person():
            theirs = {fill.fill_id: fill for fill in await custody.venue.fills_since(since_ns)}
    except VenueError as error:
        raise unanswered(error) from error
    kept = desk.core.store.orders.fills_of_account(venue, account, since_ns)
    ours = {row.fill_id: fill_of(row) for row in kept}
    pairs = [_pair(name, ours.get(name), theirs.get(name)) for name in ours.keys() | theirs.keys()]
    pairs.sort(key=lambda pair: (pair.is_same, -pair.at_ns, pair.fill_id))
    return FillComparison(
        account=account,
        venue=venue,
        since_ns=since_ns,
        compared=len(pairs),
        differing=sum(not pair.is_same for pair in pairs),
        rows=tuple(pairs[:MAX_SHOWN]),
    )


def _pair(name: str, mine: Fill | None, its: Fill | None) -> FillPair:
    at_ns = its.at_ns if its is not None else mine.at_ns if mine is not None else 0
    ours, theirs = _said(mine), _said(its)
    return FillPair(fill_id=clean(name, 80), at_ns=at_ns, ours=ours, theirs=theirs, is_same=ours == theirs)


def _said(fill: Fill | None) -> str:
    if fill is None:
        return ""
    said = f"{fill.side} {fill.quantity.normalize():f} {fill.symbol} @ {fill.price.normalize():f}"
    return clean(f"{said} fee {fill.fee.normalize():f} order {fill.client_order_id}", 200)
