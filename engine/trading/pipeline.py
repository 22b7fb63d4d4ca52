"""The pure middle of the path: from a kernel's wish to a complete intent, the facts, and the request."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from engine.config.risk import CapBlock, RiskBlock
from engine.trading.traffic import RATE_WINDOW_NS
from native.intents import OrderIntent
from safety.canonical import changed
from safety.intent import PERSON, Cap, CapLevel, ExecutionIntent, ExecutionPolicy, IntentCategory
from seams.clock import NS_PER_S
from venues.contract import Capabilities
from venues.types import Instrument, Mode, OrderRequest, OrderType, Side, TimeInForce

DAY_MS = 86_400_000
MICRO = Decimal("0.000001")
BY_HAND = f"{PERSON}:hand"
"""The strategy of an order that a person wrote."""


def to_step(price: float, step: Decimal, rounding: str) -> Decimal:
    """Round a double price to the tick; the double's shortest text is what it means."""
    return (Decimal(repr(price)) / step).to_integral_value(rounding) * step


def bounds_of(risk: RiskBlock) -> dict[str, object]:
    """Return the fields of a policy that the settings' risk block gives."""

    def money(value: float) -> Decimal:
        return Decimal(str(value))

    return {
        "blocked_symbols": risk.blocked_symbols,
        "caps": tuple(_cap(name, block) for name, block in sorted(risk.caps.items())),
        "max_notional_per_order_usd": money(risk.max_order_notional_usd),
        "max_exposure_usd": money(risk.max_gross_exposure_usd),
        "max_symbol_exposure_usd": money(risk.max_symbol_exposure_usd),
        "max_strategy_exposure_usd": money(risk.max_strategy_exposure_usd),
        "max_venue_exposure_usd": money(risk.max_venue_exposure_usd),
        "max_desk_exposure_usd": money(risk.max_desk_exposure_usd),
        "max_alt_longs_usd": money(risk.max_alt_longs_usd),
        "max_alt_shorts_usd": money(risk.max_alt_shorts_usd),
        "majors": risk.majors,
        "max_volatility_exposure_usd": money(risk.max_volatility_exposure_usd),
        "min_volatility_days": risk.min_volatility_days,
        "micro_max_order_usd": money(risk.micro_order_notional_usd),
        "micro_max_exposure_usd": money(risk.micro_gross_exposure_usd),
        "micro_min_margin_usd": money(risk.micro_min_margin_usd),
        "max_trade_risk": money(risk.risk_per_trade_cap),
        "max_portfolio_risk": money(risk.max_portfolio_risk),
        "max_leverage": money(risk.max_leverage),
        "max_margin_use": money(risk.max_margin_use),
        "min_liquidation_atr": money(risk.min_liquidation_atr),
        "max_open_orders": risk.max_open_orders,
        "max_positions": risk.max_open_positions,
        "max_daily_loss_usd": money(risk.daily_loss_close_only_usd),
        "max_drawdown": money(min(risk.drawdown_close_only, risk.max_drawdown)),
        "price_collar_bps": money(risk.price_collar) * 10_000,
        "max_price_drift_bps": money(risk.price_drift_5min) * 10_000,
        "max_spread_bps": money(risk.max_spread) * 10_000,
        "max_mark_age_ms": risk.mark_stale_ms,
        "max_unchanged_ms": risk.market_frozen_ms,
        "max_gap_bars": risk.market_gap_bars,
        "max_clock_drift_ms": risk.clock_drift_ms,
        "max_messages_per_window": max(
            risk.message_burst, round(risk.message_rate_per_s * RATE_WINDOW_NS / NS_PER_S)
        ),
        "max_repeats_per_window": risk.max_repeats,
        "max_entries_per_minute": risk.entries_per_minute,
        "max_symbol_entries_per_minute": risk.symbol_entries_per_minute,
        "max_entry_usd_per_minute": money(risk.entry_usd_per_minute),
        "max_exits_per_minute": risk.exits_per_minute,
        "min_order_gap_ms": risk.min_order_gap_ms,
        "max_reconcile_age_ms": risk.reconcile_stale_ms,
        "min_signer_left_ms": round(risk.signer_min_days * DAY_MS),
        "min_venue_budget": money(risk.venue_budget_reserve),
        "cancel_reserve": money(risk.cancel_reserve),
        "warn_fraction": money(risk.warn_fraction),
    }


def policy_of(
    risk: RiskBlock, mode: Mode, symbols: Sequence[str], venues: Sequence[str], strategies: Sequence[str]
) -> ExecutionPolicy:
    """Return the bounds of one session: what was asked for is allowed, the settings bound it."""
    empty = ExecutionPolicy(
        mode=mode,
        allowed_symbols=tuple(symbols),
        allowed_venues=tuple(venues),
        allowed_strategies=tuple(strategies),
    )
    return changed(empty, **bounds_of(risk))


def openable(policy: ExecutionPolicy, venue: Capabilities) -> ExecutionPolicy:
    """Return the bounds at this venue: where everything is paid in full (spot), only a purchase opens."""
    return changed(policy, allowed_sides=(Side.BUY,)) if venue.pays_in_full else policy


def policy_for(policy: ExecutionPolicy, intent: ExecutionIntent) -> ExecutionPolicy:
    """Return the bounds an intent is judged by: a person's own order needs no place on the list of
    strategies, and meets every other bound."""
    if intent.strategy_id != BY_HAND:
        return policy
    return changed(policy, allowed_strategies=(*policy.allowed_strategies, BY_HAND))


def _cap(name: str, block: CapBlock) -> Cap:
    level, _, subject = name.partition(":")
    order, exposure = block.order_usd, block.exposure_usd
    return Cap(
        level=CapLevel(level),
        subject=subject,
        max_order_usd=None if order is None else Decimal(str(order)),
        max_exposure_usd=None if exposure is None else Decimal(str(exposure)),
    )


def intent_of(
    wish: OrderIntent,
    *,
    instrument: Instrument,
    session_id: str,
    strategy: str,
    account: str,
    config_fingerprint: str,
    mark_age_ms: int,
) -> ExecutionIntent:
    """Complete a kernel's wish. The limit is rounded against acting, the stop towards safety."""
    side = Side.BUY if wish.side > 0 else Side.SELL
    quantity = Decimal(wish.units) * MICRO
    limit = to_step(wish.limit_price, instrument.tick, ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)
    stop = None
    if wish.stop_price is not None:
        stop = to_step(wish.stop_price, instrument.tick, ROUND_CEILING if side is Side.BUY else ROUND_FLOOR)
    mark = Decimal(repr(wish.decision_price))
    return ExecutionIntent(
        request_id=wish.intent_id,
        session_id=session_id,
        strategy_id=strategy,
        decision_id=wish.intent_id,
        config_fingerprint=config_fingerprint,
        intent_category=IntentCategory.RISK_REDUCE if wish.reduce_only else IntentCategory.RISK_INCREASE,
        broker_target=instrument.venue,
        account_id=account,
        symbol=wish.symbol,
        side=side,
        quantity=quantity,
        notional_usd=(quantity * mark).quantize(Decimal("0.01"), ROUND_HALF_EVEN),
        limit_price=limit,
        stop_loss=stop,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        reduce_only=wish.reduce_only,
        mark_price=mark,
        mark_age_ms=mark_age_ms,
    )


def request_of(intent: ExecutionIntent, order_id: str) -> OrderRequest:
    """Return the venue-bound request of an approved intent."""
    assert intent.limit_price is not None and intent.mark_price is not None
    return OrderRequest(
        client_order_id=order_id,
        symbol=intent.symbol,
        side=intent.side,
        quantity=intent.quantity,
        order_type=intent.order_type,
        limit_price=intent.limit_price,
        time_in_force=intent.time_in_force,
        reduce_only=intent.reduce_only,
        mark_price=intent.mark_price,
    )
