"""How we stand with Hyperliquid: whose agents sign and until when, and what is left of both budgets."""

from __future__ import annotations

from collections.abc import Callable

from seams.clock import NS_PER_MS, Clock
from venues.hyperliquid import translate
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.budget import RESERVE
from venues.standing import BudgetStanding, KeyStanding, Standing

MASTER, AGENT = "user", "agent"
CANCEL_SHARE = 0.2
"""Of the address budget; the venue itself lets cancels through a good way beyond it (venues.md 2.9)."""


async def standing(venue: HyperliquidAdapter, clock: Clock, nonce: Callable[[], int]) -> Standing:
    """Ask the venue about our keys and budgets. Raises `VenueError`.

    An agent can trade and never withdraw; a master's own key can do everything, and is said to.
    """
    client, key = venue.client, venue.key
    listed = translate.rows(await client.ask("extraAgents", user=key.account.lower()))
    until_ms = {str(each.get("address")).lower(): translate.number(each, "validUntil") for each in listed}
    keys = []
    for name, address in (("orders", key.key), ("cancels", key.ask_key)):
        role = str(translate.table(await client.ask("userRole", user=address.lower())).get("role"))[:20]
        keys.append(
            KeyStanding(
                name=name,
                public=address.lower(),
                role=role,
                valid_until_ns=_end(role, until_ms.get(address.lower())),
                can_withdraw={MASTER: True, AGENT: False}.get(role),
            )
        )
    gone = [
        f"{each.public} is {each.role!r}, not an agent of {key.account}"
        for each in keys
        if each.role not in (MASTER, AGENT)
    ]
    used, cap = await venue.rate_budget()
    weight = venue.budget
    return Standing(
        venue=venue.name,
        account=client.user,
        signer=venue.signer,
        at_ns=clock.now_ns(),
        keys=tuple(keys),
        budgets=(
            BudgetStanding(name="address", unit="actions", used=used, cap=cap, reserve=cap * CANCEL_SHARE),
            BudgetStanding(
                name="minute", unit="weight", used=weight.used, cap=weight.per_minute, reserve=RESERVE
            ),
        ),
        problems=(*venue.problems, *(said for said in gone if said not in venue.problems)),
        warnings=venue.warnings,
    )


def _end(role: str, until_ms: int | None) -> int | None:
    """Return when a key ends: a master's own never does, and of an agent without a name the venue does not
    tell."""
    if until_ms is not None:
        return until_ms * NS_PER_MS
    return 0 if role == MASTER else None
