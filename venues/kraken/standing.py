"""How we stand with Kraken: what both keys may do, and how much of the REST counter is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping

from seams.clock import NS_PER_S, Clock
from venues.contract import OutcomeUnknown, Refused, VenueError
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.client import KrakenClient
from venues.kraken.points import MOST, RESERVE, Points
from venues.kraken.translate import table
from venues.standing import ABOUT_THE_KEY, BudgetStanding, KeyStanding, Standing

INFO = "GetApiKeyInfo"
ORDERS, QUESTIONS = "orders", "questions"
WITHDRAW, TRADE = "withdraw-funds", "modify-trades"
VALID_UNTIL = ("valid_until", "validUntil")


async def standing(venue: KrakenAdapter, clock: Clock, nonce: Callable[[], int]) -> Standing:
    """Ask the venue about our keys; it tells a key of itself only. Raises `VenueError`.

    A key that is refused stands here as such, beside what the venue tells of the other one.
    """
    trader, asker = venue.client.publics
    orders = await _told(ORDERS, trader, lambda: venue.client.ask_as_trader(INFO, nonce))
    try:
        asks = await _told(QUESTIONS, asker, lambda: venue.client.ask(INFO))
    except VenueError as error:
        if orders.refused:  # the worse of both: that the other was not answered must not hide it
            raise _refused(ORDERS, Refused(orders.refused, orders.said)) from error
        raise
    return Standing(
        venue=venue.name,
        account=venue.account_name,
        signer=venue.signer,
        at_ns=clock.now_ns(),
        keys=(orders, asks),
        budgets=(rest_budget(venue.client), engine_budget(venue.points)),
        problems=tuple(_problems(orders, asks)),
    )


async def _told(name: str, public: str, ask: Callable[[], Awaitable[object]]) -> KeyStanding:
    """Ask with one of the keys about itself. A refusal that is not about the key says nothing of it."""
    try:
        return _key(name, table(await ask()))
    except Refused as refusal:
        if refusal.code not in ABOUT_THE_KEY:
            raise _refused(name, refusal) from refusal
        return KeyStanding(
            name=name,
            public=public,
            role="",
            valid_until_ns=None,
            refused=refusal.code,
            said=refusal.message,
        )


def _refused(name: str, refusal: Refused) -> Refused:
    """Say which of both keys it was that the venue did not take."""
    return Refused(refusal.code, f"the key for {name}: {refusal.message}")


def _problems(orders: KeyStanding, asks: KeyStanding) -> Iterator[str]:
    for each in (orders, asks):
        if each.refused:
            yield str(_refused(each.name, Refused(each.refused, each.said)))
        if each.can_withdraw:
            yield f"the key for {each.name} can withdraw"
    if not orders.refused and not orders.can_trade:
        yield f"the key for {orders.name} may not place any (no {TRADE}); a watchdog's key is such a one"


def rest_budget(client: KrakenClient) -> BudgetStanding:
    """Return the REST counter as we count it; cancels are free of it."""
    tier = client.tier
    return BudgetStanding(name="rest", unit="calls", used=client.budget, cap=tier.most, reserve=tier.reserve)


def engine_budget(points: Points) -> BudgetStanding:
    """Return the matching engine's counter of the pair that has the least room, as we count it."""
    return BudgetStanding(name="engine", unit="points", used=points.fullest, cap=MOST, reserve=RESERVE)


def _key(name: str, said: Mapping[str, object]) -> KeyStanding:
    permissions = said.get("permissions")
    if not isinstance(permissions, list):
        raise OutcomeUnknown(f"{INFO}: not what is documented")
    may = tuple(sorted(map(str, permissions)))
    return KeyStanding(
        name=name,
        public=str(said.get("api_key", "")),
        role="api key",
        valid_until_ns=_end(said),
        can_withdraw=WITHDRAW in may,
        may=may,
        can_trade=TRADE in may,
    )


def _end(said: Mapping[str, object]) -> int | None:
    """Return when a key ends, 0 for never; None where the answer does not say.

    The venue's own pages write the field in both ways; one that is not there is no "never".
    """
    until = next((said[name] for name in VALID_UNTIL if said.get(name) is not None), None)
    if until is None:
        return None
    if isinstance(until, bool) or not str(until).isdecimal():
        raise OutcomeUnknown(f"{INFO}: {str(until)[:40]!r} is no time")
    return int(str(until)) * NS_PER_S
