"""Every preflight rule refuses what it is for, and unknown figures never admit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safety_builders import (
    NOW_NS,
    D,
    exit_intent,
    facts,
    fields_of,
    instrument,
    intent,
    order,
    policy,
    position,
)

from safety.canonical import changed
from safety.facts import AccountFacts, CheckResult, Preflight
from safety.intent import (
    ExecutionIntent,
    ExecutionPolicy,
    IntentCategory,
    duplicate_key,
    intent_hash,
    missing_fields,
)
from safety.interlock import HoldLevel
from safety.preflight import preflight
from safety.rules import RULES
from venues.types import Instrument, Mode, OrderStatus, Side

BREAKERS: dict[str, Callable[[], Preflight]] = {
    "kill_switch_active": lambda: judged(f=facts(kill_level=1)),
    "hold_blocks_entry": lambda: judged(f=facts(hold_level=HoldLevel.CLOSE_ONLY)),
    "missing_account_id": lambda: judged(intent(account_id="")),
    "account_mismatch": lambda: judged(intent(account_id="A-2")),
    "not_finite": lambda: judged(intent(take_profit=D("NaN"))),
    "non_positive_quantity": lambda: judged(intent(quantity=D(0))),
    "non_positive_notional": lambda: judged(intent(notional_usd=D(0))),
    "max_notional_exceeded": lambda: judged(intent(notional_usd=D("100.01"))),
    "symbol_not_allowed": lambda: judged(intent(symbol="DOGE"), i=instrument(symbol="DOGE")),
    "instrument_unknown": lambda: judged(i=instrument(symbol="ETH")),
    "unsupported_side": lambda: judged(p=policy(allowed_sides=(Side.SELL,))),
    "missing_limit_price": lambda: judged(intent(limit_price=None)),
    "missing_stop_loss": lambda: judged(intent(stop_loss=None)),
    "stop_on_wrong_side": lambda: judged(intent(stop_loss=D("101"))),
    "price_collar_exceeded": lambda: judged(intent(limit_price=D("102"))),
    "lot_not_exact": lambda: judged(intent(quantity=D("0.5005"))),
    "tick_not_exact": lambda: judged(intent(limit_price=D("100.25"))),
    "below_min_notional": lambda: judged(intent(quantity=D("0.09"))),
    "max_exposure_exceeded": lambda: judged(f=facts(positions=(position("ETH", "2.6"),))),
    "max_symbol_exposure_exceeded": lambda: judged(f=facts(positions=(position("BTC", "1.1"),))),
    "max_open_orders": lambda: judged(f=facts(orders=(order(remaining=D("0.001")),) * 4)),
    "max_positions": lambda: judged(f=facts(positions=(position("ETH", "0.1"), position("SOL", "-0.1")))),
    "daily_loss_limit": lambda: judged(f=facts(day_pnl_usd=D("-15"))),
    "drawdown_limit": lambda: judged(f=facts(equity_usd=D("950"))),
    "market_data_stale": lambda: judged(f=facts(mark_age_ms=2001)),
    "market_data_missing": lambda: judged(f=facts(mark_price=None)),
    "clock_backwards": lambda: judged(f=facts(last_ns=NOW_NS + 1)),
    "clock_drift": lambda: judged(f=facts(clock_offset_ms=-1001.0)),
    "duplicate_intent": lambda: judged(f=facts(recent_keys=(duplicate_key(intent()),))),
    "message_rate_exceeded": lambda: judged(f=facts(messages_in_window=8)),
    "repeated_execution": lambda: judged(f=facts(repeats_in_window=10)),
    "symbol_has_unknown_order": lambda: judged(
        f=facts(orders=(order(status=OrderStatus.UNKNOWN, remaining=D("0.1")),))
    ),
    "reduce_only_increases": lambda: judged(exit_intent(quantity=D("1.001")), f=held()),
}


def judged(
    wish: ExecutionIntent | None = None,
    f: AccountFacts | None = None,
    p: ExecutionPolicy | None = None,
    i: Instrument | None = None,
) -> Preflight:
    return preflight(wish or intent(), f or facts(), p or policy(), i or instrument())


def held() -> AccountFacts:
    return facts(positions=(position(),))


def test_a_complete_order_in_a_healthy_account_is_allowed() -> None:
    result = judged()
    assert result.allowed and result.reasons == ()
    assert len(result.checks) == len(RULES) >= 18


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_each_rule_refuses_what_it_is_for(code: str) -> None:
    result = BREAKERS[code]()
    assert not result.allowed
    assert code in result.reasons


def test_all_reasons_are_reported_together_and_sorted() -> None:
    result = judged(intent(quantity=D(0), account_id="", stop_loss=None), facts(kill_level=2))
    assert {"kill_switch_active", "missing_account_id", "missing_stop_loss"} <= set(result.reasons)
    assert list(result.reasons) == sorted(result.reasons)


BAD_NUMBERS = [None, Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal(-1), "1", 1.5]
ENTRY_FIELDS = ["quantity", "notional_usd", "limit_price", "stop_loss", "mark_price"]
FACT_FIELDS = ["mark_price", "equity_usd", "peak_equity_usd"]
BOUNDS = [name for name in fields_of(policy()) if name.startswith("max_")] + ["price_collar_bps"]


@pytest.mark.parametrize("bad", [*BAD_NUMBERS, Decimal(0)], ids=repr)
@pytest.mark.parametrize("field", ENTRY_FIELDS)
def test_no_bad_number_in_an_intent_is_admitted(field: str, bad: object) -> None:
    assert not judged(intent(**{field: bad})).allowed


@pytest.mark.parametrize("bad", [*BAD_NUMBERS, Decimal(0)], ids=repr)
@pytest.mark.parametrize("field", FACT_FIELDS)
def test_no_bad_figure_of_the_account_is_admitted(field: str, bad: object) -> None:
    assert not judged(f=facts(**{field: bad})).allowed


@pytest.mark.parametrize("bad", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize("field", BOUNDS)
def test_no_unset_or_impossible_bound_admits(field: str, bad: object) -> None:
    assert not judged(p=policy(**{field: bad})).allowed


NULLABLE = [name for name in fields_of(facts()) if name not in ("account_id", "now_ns")]


@pytest.mark.parametrize("field", NULLABLE)
def test_every_unknown_fact_refuses(field: str) -> None:
    assert not judged(f=facts(**{field: None})).allowed


def test_a_nan_clock_offset_refuses() -> None:
    assert "clock_drift" in judged(f=facts(clock_offset_ms=float("nan"))).reasons


def test_a_missing_instrument_refuses() -> None:
    result = preflight(intent(), facts(), policy(), None)
    assert {"instrument_unknown", "lot_not_exact", "tick_not_exact"} <= set(result.reasons)


def test_an_unknown_order_counts_with_its_whole_rest() -> None:
    unknown = order(symbol="ETH", status=OrderStatus.UNKNOWN, remaining=D("2.6"))
    assert "max_exposure_exceeded" in judged(f=facts(orders=(unknown,))).reasons


def test_an_empty_allow_list_allows_everything_only_in_sim() -> None:
    for mode in Mode:
        assert judged(p=policy(allowed_symbols=(), mode=mode)).allowed is (mode is Mode.SIM)


def test_close_only_lets_an_exit_through_and_halt_does_not() -> None:
    soft = changed(held(), kill_level=1, hold_level=HoldLevel.CLOSE_ONLY)
    assert judged(exit_intent(), soft).allowed
    assert not judged(exit_intent(), changed(soft, kill_level=2)).allowed
    assert not judged(exit_intent(), changed(soft, hold_level=HoldLevel.HYDRATING)).allowed


def test_a_flatten_passes_under_halt_without_a_mark() -> None:
    halted = changed(held(), kill_level=2, hold_level=HoldLevel.HALT, mark_price=None, messages_in_window=99)
    assert judged(exit_intent(intent_category=IntentCategory.FLATTEN), halted).allowed


def test_an_exit_needs_a_limit_price_but_no_stop() -> None:
    assert judged(exit_intent(), held()).allowed
    assert judged(exit_intent(limit_price=None), held()).reasons == (
        "missing_limit_price",
        "price_collar_exceeded",
        "tick_not_exact",
    )


def test_two_exits_together_never_cross_zero() -> None:
    working = order(side=Side.SELL, remaining=D("0.6"), reduce_only=True, status=OrderStatus.UNKNOWN)
    assert "reduce_only_increases" in judged(exit_intent(), changed(held(), orders=(working,))).reasons


def test_near_a_bound_the_check_warns() -> None:
    result = judged(intent(quantity=D("0.9"), notional_usd=D("90")))
    assert result.allowed and result.has_warning
    assert [c.name for c in result.checks if c.result is CheckResult.WARN] == ["max_notional_exceeded"]


AMOUNT = st.decimals(min_value=0, max_value=400, places=2)


@given(
    size=st.decimals(min_value="0.001", max_value=4, places=3),
    held_btc=st.decimals(min_value=-2, max_value=2, places=2),
    loss=st.decimals(min_value=-30, max_value=30, places=1),
    name=st.sampled_from(BOUNDS),
    loose=AMOUNT,
    tight=AMOUNT,
)
def test_tightening_a_bound_never_admits_more(
    size: Decimal, held_btc: Decimal, loss: Decimal, name: str, loose: Decimal, tight: Decimal
) -> None:
    low, high = sorted((tight, loose))
    wish = intent(quantity=size, notional_usd=size * 100)
    account = facts(positions=(position("BTC", str(held_btc)),), day_pnl_usd=loss)
    if judged(wish, account, policy(**{name: low})).allowed:
        assert judged(wish, account, policy(**{name: high})).allowed


@given(level=st.sampled_from(list(HoldLevel)), kill=st.integers(min_value=-1, max_value=4))
def test_a_stricter_hold_or_an_odd_kill_byte_never_admits_more(level: HoldLevel, kill: int) -> None:
    allowed = judged(f=facts(hold_level=level, kill_level=kill)).allowed
    assert allowed is (level is HoldLevel.CLEAR and kill == 0)


def test_missing_fields_names_what_is_missing_and_how_to_complete_it() -> None:
    raw: dict[str, object] = {"symbol": "BTC", "side": "buy", "quantity": "1", "order_type": "limit"}
    feedback = missing_fields({**raw, "time_in_force": "ioc"}, "submit_order")
    assert feedback is not None
    assert feedback.error_code == "MISSING_REQUIRED_FIELDS"
    assert feedback.missing_fields == ("limit_price", "stop_loss")
    assert "stop" in feedback.corrective_action
    whole = {**raw, "time_in_force": "ioc", "limit_price": "1"}
    assert missing_fields({**whole, "stop_loss": "0.9"}) is None
    assert missing_fields({**whole, "reduce_only": True}) is None
    assert missing_fields({**whole, "reduce_only": "yes"}) is not None


def test_any_changed_field_changes_the_intent_hash() -> None:
    base = intent_hash(intent())
    assert base == intent_hash(intent())
    for name in fields_of(intent()):
        assert intent_hash(intent(**{name: "other"})) != base
