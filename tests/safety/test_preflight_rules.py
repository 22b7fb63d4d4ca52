"""Every preflight rule refuses what it is for, and unknown figures never admit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safety_builders import (
    NOW_NS,
    D,
    desk,
    exit_intent,
    facts,
    fields_of,
    instrument,
    intent,
    market,
    order,
    policy,
    position,
    venue,
)

from safety.canonical import changed
from safety.facts import AccountFacts, CheckResult, Preflight, ReconcileState
from safety.intent import (
    Cap,
    CapLevel,
    ExecutionIntent,
    ExecutionPolicy,
    IntentCategory,
    Stage,
    duplicate_key,
    intent_hash,
    missing_fields,
)
from safety.interlock import HoldLevel
from safety.preflight import preflight
from safety.rules import RULES
from venues.types import Instrument, Mode, OrderStatus, OrderType, Side, TimeInForce

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
    "operator_lease_expired": lambda: judged(f=facts(lease_left_ms=0)),
    "micro_size_exceeded": lambda: judged(
        intent(quantity=D("0.601"), notional_usd=D("60.1")), p=policy(stage=Stage.MICRO)
    ),
    "trade_risk_exceeded": lambda: judged(intent(stop_loss=D("19"))),
    "symbol_blocked": lambda: judged(intent(symbol="LUNA"), i=instrument(symbol="LUNA")),
    "venue_not_allowed": lambda: judged(intent(broker_target="elsewhere")),
    "strategy_not_allowed": lambda: judged(intent(strategy_id="stranger")),
    "time_in_force_invalid": lambda: judged(
        intent(order_type=OrderType.MARKET, time_in_force=TimeInForce.POST_ONLY)
    ),
    "take_profit_on_wrong_side": lambda: judged(intent(take_profit=D("99"))),
    "self_trade": lambda: judged(
        f=facts(orders=(order(side=Side.SELL, remaining=D("0.1"), price=D("100")),))
    ),
    "max_strategy_exposure_exceeded": lambda: judged(f=facts(positions=(position("ETH", "2.1"),))),
    "max_venue_exposure_exceeded": lambda: judged(f=facts(desk=desk(venue_other_exposure_usd=D("351")))),
    "max_desk_exposure_exceeded": lambda: judged(f=facts(desk=desk(other_exposure_usd=D("451")))),
    "alt_longs_exceeded": lambda: judged(f=facts(desk=desk(other_alt_longs_usd=D("100.01")))),
    "alt_shorts_exceeded": lambda: judged(
        intent(side=Side.SELL, stop_loss=D(101)), facts(desk=desk(other_alt_shorts_usd=D("70.01")))
    ),
    "below_min_margin": lambda: judged(
        intent(quantity=D("0.2"), notional_usd=D(20)),
        facts(equity_usd=D(10), peak_equity_usd=D(10), positions=(position("ETH", "0.1"),)),
        policy(stage=Stage.MICRO),
    ),
    "entry_notional_rate_exceeded": lambda: judged(f=facts(desk=desk(entry_usd_in_minute=D("350.01")))),
    "volatility_missing": lambda: judged(f=facts(market=market(volatility_days=29))),
    "volatility_exposure_exceeded": lambda: judged(f=facts(market=market(p90_volatility=D("0.41")))),
    "portfolio_risk_exceeded": lambda: judged(intent(stop_loss=D("39"))),
    "leverage_exceeded": lambda: judged(f=facts(equity_usd=D("24"))),
    "margin_use_exceeded": lambda: judged(f=facts(venue=venue(maintenance_rate=D("0.99")), equity_usd=D(90))),
    "liquidation_too_near": lambda: judged(f=facts(market=market(atr=D("702")))),
    "desk_daily_loss_limit": lambda: judged(f=facts(desk=desk(day_pnl_usd=D("-15")))),
    "desk_drawdown_limit": lambda: judged(f=facts(desk=desk(drawdown=D("0.05")))),
    "market_crossed": lambda: judged(f=facts(market=market(bid=D("100.1")))),
    "spread_too_wide": lambda: judged(f=facts(market=market(bid=D("99"), ask=D("101")))),
    "market_frozen": lambda: judged(f=facts(market=market(unchanged_ms=60_001))),
    "market_gap": lambda: judged(f=facts(market=market(gap_bars=4))),
    "price_drift_exceeded": lambda: judged(f=facts(market=market(window_low=D("97")))),
    "entry_rate_exceeded": lambda: judged(f=facts(entries_in_minute=30)),
    "symbol_entry_rate_exceeded": lambda: judged(f=facts(symbol_entries_in_minute=6)),
    "min_order_gap": lambda: judged(f=facts(since_entry_ms=199)),
    "exit_rate_exceeded": lambda: judged(exit_intent(), changed(held(), exits_in_minute=120)),
    "reconcile_not_clean": lambda: judged(f=facts(venue=venue(reconcile_state=ReconcileState.AMBIGUOUS))),
    "reconcile_stale": lambda: judged(f=facts(venue=venue(reconcile_age_ms=30_001))),
    "nonce_not_fresh": lambda: judged(f=facts(venue=venue(nonce_next=7))),
    "signer_expiring": lambda: judged(f=facts(venue=venue(signer_left_ms=7 * 86_400_000 - 1))),
    "signer_is_master": lambda: judged(f=facts(venue=venue(signer_is_master=True))),
    "venue_budget_low": lambda: judged(f=facts(venue=venue(budget_left=D("0.19")))),
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
    assert len(result.checks) == len(RULES) >= 40


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_each_rule_refuses_what_it_is_for(code: str) -> None:
    result = BREAKERS[code]()
    assert not result.allowed
    assert code in result.reasons


def test_all_reasons_are_reported_together_and_sorted() -> None:
    result = judged(intent(quantity=D(0), account_id="", stop_loss=None), facts(kill_level=2))
    assert {"kill_switch_active", "missing_account_id", "missing_stop_loss"} <= set(result.reasons)
    assert list(result.reasons) == sorted(result.reasons)


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
        empty = policy(allowed_symbols=(), allowed_venues=(), allowed_strategies=(), mode=mode)
        assert judged(p=empty).allowed is (mode is Mode.SIM)


def test_the_smallest_cap_of_all_levels_holds() -> None:
    for level, subject in (
        (CapLevel.SYMBOL, "BTC"),
        (CapLevel.STRATEGY, "trend"),
        (CapLevel.ACCOUNT, "A-1"),
        (CapLevel.VENUE, "sandbox"),
        (CapLevel.DESK, "desk"),
    ):
        small = Cap(level=level, subject=subject, max_order_usd=D("49"), max_exposure_usd=D("49"))
        reasons = judged(p=policy(caps=(small,))).reasons
        assert "max_notional_exceeded" in reasons and len(reasons) == 2, level
        other = Cap(level=level, subject="other", max_order_usd=D("1"), max_exposure_usd=D("1"))
        assert judged(p=policy(caps=(other,))).allowed
        large = Cap(level=level, subject=subject, max_order_usd=D("900"), max_exposure_usd=D("900"))
        loose = judged(intent(notional_usd=D("100.01")), p=policy(caps=(large,)))
        assert loose.reasons == ("max_notional_exceeded",), "a cap never loosens the general bound"


def test_live_needs_a_stage_and_the_micro_stage_its_small_exposure() -> None:
    assert judged(p=policy(stage=None)).reasons == ("micro_size_exceeded",)
    assert judged(p=policy(stage=None, mode=Mode.PAPER)).allowed
    held_much = facts(positions=(position("ETH", "0.9"),))
    assert judged(f=held_much).allowed
    assert judged(f=held_much, p=policy(stage=Stage.MICRO)).reasons == ("max_exposure_exceeded",)


def test_liquidation_distance_follows_the_cross_margin_identity() -> None:
    """Long 0.5 at 100 with 10 USD and 5 %: 10 - 0.5 d = 0.025 (100 - d) gives d = 15.789."""
    poor = facts(equity_usd=D(10), peak_equity_usd=D(10), market=market(atr=D("5")))
    check = next(c for c in judged(f=poor).checks if c.name == "liquidation_too_near")
    assert check.now == "3.16" and check.reason is None
    nearer = changed(poor, market=market(atr=D("5.3")))
    assert "liquidation_too_near" in judged(f=nearer).reasons


def test_what_has_no_stop_counts_whole_in_the_portfolio_risk() -> None:
    bare = changed(position("ETH", "0.3"), stop_price=None)
    assert judged(f=facts(positions=(bare,))).reasons == ("portfolio_risk_exceeded",)
    assert judged(f=facts(positions=(position("ETH", "0.3"),))).allowed


def test_an_order_far_from_ours_is_no_self_trade() -> None:
    far = order(side=Side.SELL, remaining=D("0.1"), price=D("101"))
    assert judged(f=facts(orders=(far,))).allowed
    assert "self_trade" in judged(f=facts(orders=(changed(far, price=None),))).reasons


def test_every_check_with_a_scale_says_what_is_left_of_its_bound() -> None:
    checks = {check.name: check for check in judged().checks}
    assert checks["max_notional_exceeded"].headroom == "0.5"
    assert checks["max_exposure_exceeded"].headroom == "0.8333"
    assert checks["missing_stop_loss"].headroom == ""
    spent = {check.name: check for check in judged(f=facts(day_pnl_usd=D("-20"))).checks}
    assert spent["daily_loss_limit"].headroom == "0"


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
