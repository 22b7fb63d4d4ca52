"""The pure middle of the path: from a kernel's wish to a complete intent, the facts, and the request."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from engine.config.settings import RiskBlock
from engine.trading.ledger import Ledger
from engine.trading.working import ManagedOrder
from native.intents import OrderIntent
from safety.facts import AccountFacts, OrderFact, PositionFact
from safety.intent import ExecutionIntent, ExecutionPolicy, IntentCategory
from safety.interlock import HoldLevel
from seams.clock import NS_PER_S
from venues.types import Instrument, Mode, OrderRequest, OrderType, Side, TimeInForce

RATE_WINDOW_NS = 2 * NS_PER_S
REPEAT_WINDOW_NS = 600 * NS_PER_S
DUPLICATE_WINDOW_NS = 60 * NS_PER_S
MAX_REPEATS = 40
MICRO = Decimal("0.000001")


def to_step(price: float, step: Decimal, rounding: str) -> Decimal:
    """Round a double price to the tick; the double's shortest text is what it means."""
    return (Decimal(repr(price)) / step).to_integral_value(rounding) * step


def policy_of(risk: RiskBlock, mode: Mode, symbols: Sequence[str]) -> ExecutionPolicy:
    """Return the bounds of one session from the settings' risk block."""
    return ExecutionPolicy(
        mode=mode,
        allowed_symbols=tuple(symbols),
        max_notional_per_order_usd=Decimal(str(risk.max_order_notional_usd)),
        max_exposure_usd=Decimal(str(risk.max_gross_exposure_usd)),
        max_symbol_exposure_usd=Decimal(str(risk.max_symbol_exposure_usd)),
        max_open_orders=risk.max_open_orders,
        max_positions=risk.max_open_positions,
        max_daily_loss_usd=Decimal(str(risk.daily_loss_close_only_usd)),
        max_drawdown=Decimal(str(risk.drawdown_close_only)),
        price_collar_bps=Decimal(str(risk.price_collar)) * 10_000,
        max_mark_age_ms=risk.mark_stale_ms,
        max_clock_drift_ms=1_000,
        max_messages_per_window=max(
            risk.message_burst, round(risk.message_rate_per_s * RATE_WINDOW_NS / NS_PER_S)
        ),
        max_repeats_per_window=MAX_REPEATS,
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


def order_fact(order: ManagedOrder) -> OrderFact:
    """Return what preflight needs to know of an order that may be alive."""
    return OrderFact(
        symbol=order.request.symbol,
        side=order.request.side,
        remaining=order.remaining,
        price=order.request.limit_price,
        reduce_only=order.request.reduce_only,
        status=order.status,
    )


class Traffic:
    """Recent messages, executions and intents in market time, for the rate and duplicate rules."""

    def __init__(self) -> None:
        self._messages: list[int] = []
        self._entries: list[tuple[int, str, Side]] = []
        self._keys: list[tuple[int, str]] = []

    def sent(self, at_ns: int, symbol: str, side: Side, key: str, *, is_entry: bool) -> None:
        """Note one submitted order."""
        self._messages.append(at_ns)
        self._keys.append((at_ns, key))
        if is_entry:
            self._entries.append((at_ns, symbol, side))

    def messages(self, now_ns: int) -> int:
        self._messages = [at for at in self._messages if now_ns - at < RATE_WINDOW_NS]
        return len(self._messages)

    def repeats(self, now_ns: int, symbol: str, side: Side) -> int:
        self._entries = [entry for entry in self._entries if now_ns - entry[0] < REPEAT_WINDOW_NS]
        return sum(1 for _, name, way in self._entries if name == symbol and way is side)

    def keys(self, now_ns: int) -> tuple[str, ...]:
        self._keys = [pair for pair in self._keys if now_ns - pair[0] < DUPLICATE_WINDOW_NS]
        return tuple(key for _, key in self._keys)


def facts_of(
    *,
    account: str,
    intent: ExecutionIntent,
    kill_level: int,
    hold_level: HoldLevel,
    now_ns: int,
    last_ns: int,
    market_ns: int,
    mark_price: Decimal | None,
    mark_age_ms: int | None,
    ledger: Ledger,
    orders: Sequence[ManagedOrder],
    traffic: Traffic,
) -> AccountFacts:
    """Gather what preflight judges by; nothing is assumed where something is not known."""
    return AccountFacts(
        account_id=account,
        kill_level=kill_level,
        hold_level=hold_level,
        now_ns=now_ns,
        last_ns=last_ns,
        clock_offset_ms=0.0,
        mark_price=mark_price,
        mark_age_ms=mark_age_ms,
        equity_usd=ledger.equity_usd,
        peak_equity_usd=ledger.peak_usd,
        day_pnl_usd=ledger.day_pnl_usd,
        positions=tuple(
            PositionFact(symbol=h.symbol, quantity=h.quantity, mark_price=h.mark_price or None)
            for h in ledger.open_holdings()
        ),
        orders=tuple(order_fact(order) for order in orders),
        recent_keys=traffic.keys(market_ns),
        messages_in_window=traffic.messages(market_ns),
        repeats_in_window=traffic.repeats(market_ns, intent.symbol, intent.side),
    )
