"""The request budget: what opens a round of questions leaves room for the whole of it."""

from __future__ import annotations

import pytest

from seams.clock import FixedClock
from venues.contract import Busy
from venues.hyperliquid.budget import HEAVY_RESERVE, WEIGHT_A_MINUTE, Budget

ROUNDS = {
    "userFillsByTime": ("frontendOpenOrders", "clearinghouseState", "userFunding"),
    "extraAgents": ("userRole", "userRole", "userRateLimit"),
}


@pytest.mark.parametrize("opens", ROUNDS)
def test_a_round_that_begins_can_end(opens: str) -> None:
    """Found by the simulator (seed 61000234): the keys were asked about every ten seconds and never to the
    end, and what that spent kept a person's last difference from being settled for 42 s."""
    began = 0
    for used in range(0, WEIGHT_A_MINUTE, 7):
        budget = Budget(FixedClock(10**18))
        budget.answered(used)
        try:
            budget.ask(opens)
        except Busy:
            assert budget.used == used, "nothing is spent on what cannot be"
            continue
        began += 1
        for kind in ROUNDS[opens]:
            budget.ask(kind)
        assert budget.used <= WEIGHT_A_MINUTE - HEAVY_RESERVE
    assert began > 50
