"""The far ends of the rules: figures that contradict each other, bounds that take all, odd switches."""

from __future__ import annotations

import pytest
from safety_builders import (
    D,
    desk,
    exit_intent,
    facts,
    instrument,
    intent,
    market,
    order,
    policy,
    position,
    venue,
)

from safety.canonical import changed
from safety.facts import AccountFacts, Preflight
from safety.intent import ExecutionIntent, ExecutionPolicy
from safety.preflight import preflight, refusals
from safety.rules import RULES
from venues.types import Side


def judged(
    wish: ExecutionIntent | None = None, f: AccountFacts | None = None, p: ExecutionPolicy | None = None
) -> Preflight:
    return preflight(wish or intent(), f or facts(), p or policy(), instrument())


def now_of(result: Preflight, code: str) -> str:
    return next(check.now for check in result.checks if check.name == code)


@pytest.mark.parametrize("rate", ["1", "1.5"])
def test_a_maintenance_rate_of_the_whole_value_is_no_rate(rate: str) -> None:
    result = judged(f=facts(venue=venue(maintenance_rate=D(rate))))
    assert "liquidation_too_near" in result.reasons and now_of(result, "liquidation_too_near") == "unknown"


def test_an_entry_that_leaves_nothing_cannot_be_liquidated() -> None:
    result = judged(f=facts(positions=(position("BTC", "-0.5"),)))
    assert now_of(result, "liquidation_too_near") == "flat"
    assert "liquidation_too_near" not in result.reasons


def test_a_window_whose_low_is_above_its_high_is_no_window() -> None:
    result = judged(f=facts(market=market(window_low=D("101"), window_high=D("99"))))
    assert "price_drift_exceeded" in result.reasons


@pytest.mark.parametrize("field", ["limit_price", "stop_loss", "take_profit", "mark_price"])
def test_a_price_beyond_a_million_millions_is_none(field: str) -> None:
    assert "not_finite" in judged(intent(**{field: D("1000000000001")})).reasons


@pytest.mark.parametrize("switch", [True, None, 0, "off"])
def test_only_a_switch_that_is_plainly_off_lets_anything_through(switch: object) -> None:
    held = facts(positions=(position(),))
    for wish in (intent(), exit_intent()):
        result = judged(wish, held, policy(kill_switch_active=switch))
        assert "kill_switch_active" in result.reasons


@pytest.mark.parametrize("reserve", ["1", "1.2", "-0.1"])
def test_a_reserve_that_leaves_no_budget_or_adds_to_it_admits_nothing(reserve: str) -> None:
    assert "message_rate_exceeded" in judged(p=policy(cancel_reserve=D(reserve))).reasons


def test_an_order_with_less_than_nothing_left_makes_every_exposure_unknown() -> None:
    odd = order(side=Side.SELL, remaining=D("-1"))
    reasons = set(judged(f=facts(orders=(odd,))).reasons)
    assert {"max_exposure_exceeded", "max_symbol_exposure_exceeded", "leverage_exceeded"} <= reasons


@pytest.mark.parametrize("field", ["positions", "orders"])
def test_an_exit_is_refused_where_positions_or_orders_are_not_known(field: str) -> None:
    held = facts(positions=(position(),))
    assert judged(exit_intent(), held).allowed
    unknown = facts(**{"positions": (position(),), field: None})
    assert "reduce_only_increases" in judged(exit_intent(), unknown).reasons


def test_what_is_beyond_a_bound_by_more_than_numbers_reach_is_refused_and_shown_as_unknown() -> None:
    beyond = facts(desk=desk(other_exposure_usd=D("1e999999")))
    tiny = policy(max_desk_exposure_usd=D("1e-9"))
    verdict = preflight(intent(), beyond, tiny, instrument())
    check = next(each for each in verdict.checks if each.name == "max_desk_exposure_exceeded")
    assert (check.reason, check.now, check.headroom) == ("max_desk_exposure_exceeded", "unknown", "")
    assert verdict.reasons == refusals(intent(), beyond, tiny, instrument())


def test_what_other_strategies_hold_does_not_count_for_this_one() -> None:
    mine, shared = position("ETH", "1"), changed(position("SOL", "0.5"), strategy_id="")
    other = changed(position("XRP", "0.4"), strategy_id="another")
    for held, now in (((mine, shared), "150"), ((mine, shared, other), "150"), ((other,), "0")):
        verdict = preflight(intent(), facts(positions=held), policy(), instrument())
        check = next(each for each in verdict.checks if each.name == "max_strategy_exposure_exceeded")
        assert (check.now, check.after) == (now, str(int(now) + 50))


def test_an_exit_is_shown_every_rule_in_order() -> None:
    verdict = preflight(exit_intent(), facts(positions=(position("BTC", "0.5"),)), policy(), instrument())
    assert [check.name for check in verdict.checks] == [rule.code for rule in RULES]
