"""How we stand with Kraken: what both keys may do, and how much of the REST counter is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seams.clock import NS_PER_S, Clock
from venues.contract import OutcomeUnknown
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.client import KrakenClient
from venues.kraken.translate import table
from venues.standing import BudgetStanding, KeyStanding, Standing

INFO = "GetApiKeyInfo"
WITHDRAW = "withdraw-funds"


async def standing(venue: KrakenAdapter, clock: Clock, nonce: Callable[[], int]) -> Standing:
    """Ask the venue about our keys; it tells a key of itself only. Raises `VenueError`."""
    orders = _key("orders", table(await venue.client.ask_as_trader(INFO, nonce)))
    asks = _key("questions", table(await venue.client.ask(INFO)))
    return Standing(
        venue=venue.name,
        account=venue.account_name,
        signer=venue.signer,
        at_ns=clock.now_ns(),
        keys=(orders, asks),
        budgets=(rest_budget(venue.client),),
        problems=tuple(
            f"the key for {each.name} can withdraw" for each in (orders, asks) if each.can_withdraw
        ),
    )


def rest_budget(client: KrakenClient) -> BudgetStanding:
    """Return the REST counter as we count it; cancels are free of it."""
    tier = client.tier
    return BudgetStanding(name="rest", unit="calls", used=client.budget, cap=tier.most, reserve=tier.reserve)


def _key(name: str, said: Mapping[str, object]) -> KeyStanding:
    permissions, until = said.get("permissions"), str(said.get("valid_until") or "0")
    if not isinstance(permissions, list) or not until.isdigit():
        raise OutcomeUnknown(f"{INFO}: not what is documented")
    may = tuple(sorted(map(str, permissions)))
    return KeyStanding(
        name=name,
        public=str(said.get("api_key", "")),
        role="api key",
        valid_until_ns=int(until) * NS_PER_S,
        can_withdraw=WITHDRAW in may,
        may=may,
    )
