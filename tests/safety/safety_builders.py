"""An order that passes every rule, and the account it passes in."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from safety.canonical import changed
from safety.facts import (
    AccountFacts,
    DeskFacts,
    MarketFacts,
    OrderFact,
    PositionFact,
    ReconcileState,
    VenueFacts,
)
from safety.intent import ExecutionIntent, ExecutionPolicy, IntentCategory, Stage
from safety.interlock import HoldLevel
from venues.types import Instrument, Mode, OrderStatus, OrderType, Record, Side, TimeInForce

NOW_NS = 1_790_000_000_000_000_000
D = Decimal


def intent(**changes: object) -> ExecutionIntent:
    good = ExecutionIntent(
        request_id="R-1",
        session_id="S-1",
        strategy_id="trend",
        decision_id="D-1",
        config_fingerprint="c" * 64,
        intent_category=IntentCategory.RISK_INCREASE,
        broker_target="sandbox",
        account_id="A-1",
        symbol="BTC",
        side=Side.BUY,
        quantity=D("0.5"),
        notional_usd=D("50"),
        limit_price=D("100"),
        stop_loss=D("95"),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        mark_price=D("100"),
        mark_age_ms=100,
    )
    return changed(good, **changes)


def exit_intent(**changes: object) -> ExecutionIntent:
    """A sale that closes half of a long position of `facts_with_position`."""
    sale = intent(
        side=Side.SELL, reduce_only=True, stop_loss=None, intent_category=IntentCategory.RISK_REDUCE
    )
    return changed(sale, **changes)


def facts(**changes: object) -> AccountFacts:
    good = AccountFacts(
        account_id="A-1",
        kill_level=0,
        hold_level=HoldLevel.CLEAR,
        now_ns=NOW_NS,
        last_ns=NOW_NS - 1,
        clock_offset_ms=5.0,
        mark_price=D("100"),
        mark_age_ms=100,
        equity_usd=D("1000"),
        peak_equity_usd=D("1000"),
        day_pnl_usd=D("0"),
        positions=(),
        orders=(),
        recent_keys=(),
        messages_in_window=0,
        repeats_in_window=0,
        entries_in_minute=0,
        symbol_entries_in_minute=0,
        exits_in_minute=0,
        since_entry_ms=5_000,
        lease_left_ms=10_000,
        market=market(),
        venue=venue(),
        desk=desk(),
    )
    return changed(good, **changes)


def market(**changes: object) -> MarketFacts:
    good = MarketFacts(
        bid=D("99.9"),
        ask=D("100.1"),
        unchanged_ms=500,
        gap_bars=0,
        window_low=D("99"),
        window_high=D("101"),
        atr=D("2"),
        p90_volatility=D("0.05"),
        volatility_days=90,
    )
    return changed(good, **changes)


def venue(**changes: object) -> VenueFacts:
    good = VenueFacts(
        reconcile_state=ReconcileState.CLEAN,
        reconcile_age_ms=5_000,
        nonce_next=8,
        nonce_durable=7,
        signer_left_ms=30 * 86_400_000,
        signer_is_master=False,
        budget_left=D("0.9"),
        maintenance_rate=D("0.05"),
    )
    return changed(good, **changes)


def desk(**changes: object) -> DeskFacts:
    good = DeskFacts(
        other_exposure_usd=D("0"),
        venue_other_exposure_usd=D("0"),
        other_alt_longs_usd=D("0"),
        other_alt_shorts_usd=D("0"),
        entry_usd_in_minute=D("0"),
        day_pnl_usd=D("0"),
        drawdown=D("0"),
    )
    return changed(good, **changes)


def policy(**changes: object) -> ExecutionPolicy:
    good = ExecutionPolicy(
        mode=Mode.LIVE,
        stage=Stage.SCALED,
        allowed_symbols=("BTC", "ETH"),
        allowed_venues=("sandbox",),
        allowed_strategies=("trend",),
        blocked_symbols=("LUNA",),
        max_notional_per_order_usd=D("100"),
        max_exposure_usd=D("300"),
        max_symbol_exposure_usd=D("150"),
        max_open_orders=4,
        max_positions=2,
        max_daily_loss_usd=D("15"),
        max_drawdown=D("0.05"),
        price_collar_bps=D("100"),
        max_mark_age_ms=2000,
        max_clock_drift_ms=1000,
        max_messages_per_window=10,
        max_repeats_per_window=10,
        max_strategy_exposure_usd=D("250"),
        max_venue_exposure_usd=D("400"),
        max_desk_exposure_usd=D("500"),
        max_alt_longs_usd=D("150"),
        max_alt_shorts_usd=D("120"),
        majors=("ETH",),
        max_volatility_exposure_usd=D("20"),
        min_volatility_days=30,
        micro_max_order_usd=D("60"),
        micro_max_exposure_usd=D("120"),
        micro_min_margin_usd=D("8"),
        max_trade_risk=D("0.04"),
        max_portfolio_risk=D("0.03"),
        max_leverage=D("2"),
        max_margin_use=D("0.5"),
        min_liquidation_atr=D("3"),
        max_price_drift_bps=D("300"),
        max_spread_bps=D("100"),
        max_unchanged_ms=60_000,
        max_gap_bars=3,
        max_entries_per_minute=30,
        max_symbol_entries_per_minute=6,
        max_entry_usd_per_minute=D("400"),
        max_exits_per_minute=120,
        min_order_gap_ms=200,
        max_reconcile_age_ms=30_000,
        min_signer_left_ms=7 * 86_400_000,
        min_venue_budget=D("0.2"),
    )
    return changed(good, **changes)


def instrument(**changes: object) -> Instrument:
    good = Instrument(
        symbol="BTC",
        venue="sandbox",
        tick=D("0.5"),
        lot=D("0.001"),
        min_notional_usd=D("10"),
        maker_fee_bps=D("1"),
        taker_fee_bps=D("5"),
    )
    return changed(good, **changes)


def order(**changes: object) -> OrderFact:
    good = OrderFact(
        symbol="BTC",
        side=Side.BUY,
        remaining=D("0.5"),
        price=D("100"),
        reduce_only=False,
        status=OrderStatus.OPEN,
        strategy_id="trend",
        stop_price=D("99"),
    )
    return changed(good, **changes)


def position(symbol: str = "BTC", quantity: str = "1") -> PositionFact:
    """A position that its stop closes at one percent."""
    stop = D("99") if D(quantity) > 0 else D("101")
    return PositionFact(symbol=symbol, quantity=D(quantity), mark_price=D("100"), stop_price=stop)


def fields_of(record: Record) -> tuple[str, ...]:
    """Return the field names of a message."""
    return tuple(msgspec.structs.asdict(record))  # type: ignore[arg-type]
