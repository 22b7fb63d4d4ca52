"""The request budget: what opens a round of questions leaves room for the whole of it."""

from __future__ import annotations

import pytest

from seams.clock import NS_PER_S, FixedClock
from venues.asked_by import for_a_person
from venues.contract import Busy
from venues.hyperliquid.budget import (
    HEAVY_RESERVE,
    PAUSE_NS,
    PERSON_RESERVE,
    RESERVE,
    WEIGHT_A_MINUTE,
    Budget,
)

ROUNDS = {
    "userFillsByTime": ("frontendOpenOrders", "clearinghouseState", "userFunding"),
    "extraAgents": ("userRole", "userRole", "userRateLimit"),
}

READINESS = (
    *("userFillsByTime", "frontendOpenOrders", "clearinghouseState", "userFunding"),
    *("extraAgents", "clearinghouseState", "userRateLimit"),
)
"""What the step asks of a named agent: a whole round, the keys, the account."""


def ready(budget: Budget) -> None:
    """Ask all that the step asks."""
    for kind in READINESS:
        budget.ask(kind)


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


def test_a_person_has_a_round_that_passes_leave_and_leaves_the_light_ones_theirs() -> None:
    """Passes that used all they may had a person's act refused (`venue_busy`) for as long as they went on."""
    budget = Budget(FixedClock(10**18))
    budget.answered(WEIGHT_A_MINUTE - HEAVY_RESERVE)
    with pytest.raises(Busy):
        budget.ask("userFillsByTime")
    with for_a_person():
        budget.ask("userFillsByTime")
        for kind in ROUNDS["userFillsByTime"]:
            budget.ask(kind)
        with pytest.raises(Busy):
            budget.ask("userFillsByTime")
    with pytest.raises(Busy):
        budget.ask("frontendOpenOrders")
    for _ in range(30):
        budget.ask("exchangeStatus")
    assert budget.used <= WEIGHT_A_MINUTE - RESERVE


def test_a_person_is_told_when_the_whole_of_what_he_asked_has_room_again() -> None:
    """A second corridor within the minute was told `a minute`, and nobody knew from when on."""
    clock = FixedClock(10**18)
    budget = Budget(clock)
    budget.answered(700)  # passes by the clock: they go on, so that nothing of theirs is waited for
    with for_a_person():
        ready(budget)
        ready(budget)
    clock.advance(25)
    budget.answered(20)
    with for_a_person(), pytest.raises(Busy, match=r"^try again in 35 s: .* kept: \d+ of 1200 used$") as kept:
        ready(budget)
    assert kept.value.wait_s == 35
    clock.advance(kept.value.wait_s)
    budget.answered(720)
    with for_a_person():
        ready(budget)


def test_where_passes_alone_have_used_it_up_a_minute_is_said() -> None:
    budget = Budget(FixedClock(10**18))
    budget.answered(WEIGHT_A_MINUTE - PERSON_RESERVE)
    with for_a_person(), pytest.raises(Busy, match="try again in 60 s"):
        budget.ask("frontendOpenOrders")


def test_the_venues_own_no_rests_the_heavy_questions_and_nothing_else() -> None:
    """Others spend of the same address's budget: each heavy question went on into its own 429."""
    clock = FixedClock(10**18)
    budget = Budget(clock)
    budget.overrun()
    assert budget.used == WEIGHT_A_MINUTE - PERSON_RESERVE
    for kind in ("frontendOpenOrders", "userFillsByTime", "historicalOrders", "userRole"):
        with pytest.raises(Busy, match="429"):
            budget.ask(kind)
        with for_a_person(), pytest.raises(Busy, match=r"try again in 10 s: .* 429"):
            budget.ask(kind)
    for _ in range(10):
        budget.ask("exchangeStatus")  # the sign of life: without it the engine counts as cut off
    budget.act(1)
    clock.advance(PAUSE_NS / NS_PER_S)
    budget.ask("userFillsByTime")
    assert budget.used == 10 * 2 + 1 + 20, "what was not spent is not counted"
