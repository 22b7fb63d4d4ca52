"""What somebody wants done at a venue, complete enough to be judged (QL-53..55, QT-10, QT-11).

`ExecutionIntent` is the wish, `ExecutionPolicy` the bounds it is judged by; the account and signer that it
would go through are the venue's `ExecutionContext` (`venues.types`). A limit price is mandatory for every
order, a stop for every order that can add risk; `missing_fields` says so before anything is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from safety.canonical import digest
from venues.types import Mode, OrderType, Record, Side, TimeInForce


class IntentCategory(StrEnum):
    """What kind of act a decision record is about (QT-12)."""

    RESEARCH = "research"
    PAPER_TRADE = "paper_trade"
    RISK_INCREASE = "risk_increase"
    RISK_REDUCE = "risk_reduce"
    FLATTEN = "flatten"
    CANCEL = "cancel"
    CONFIG_CHANGE = "config_change"
    PROMOTION = "promotion"
    SEAL = "seal"
    KILL = "kill"
    CLEAR = "clear"
    QUERY = "query"


class ExecutionIntent(Record):
    """One order wish. `limit_price` is the worst acceptable price, also for a market order."""

    request_id: str
    session_id: str
    strategy_id: str
    decision_id: str
    config_fingerprint: str
    intent_category: IntentCategory
    broker_target: str
    account_id: str
    symbol: str
    side: Side
    quantity: Decimal
    notional_usd: Decimal
    limit_price: Decimal | None
    stop_loss: Decimal | None
    take_profit: Decimal | None = None
    order_type: OrderType
    time_in_force: TimeInForce
    reduce_only: bool
    mark_price: Decimal | None
    mark_age_ms: int | None
    dry_run: bool = True


class Stage(StrEnum):
    """How far a strategy may go with real money (C26): micro sizes first, then the full bounds."""

    MICRO = "micro"
    SCALED = "scaled"


class CapLevel(StrEnum):
    """Who a cap of its own is for; the smallest of all that match holds (C5)."""

    SYMBOL = "symbol"
    STRATEGY = "strategy"
    ACCOUNT = "account"
    VENUE = "venue"
    DESK = "desk"


class Cap(Record):
    """One cap for one subject, such as (strategy, ema-cross); None leaves the general bound."""

    level: CapLevel
    subject: str
    max_order_usd: Decimal | None = None
    max_exposure_usd: Decimal | None = None


class ExecutionPolicy(Record):
    """The bounds of one session. A bound that is None was not set, and an unset bound refuses new risk.

    An empty allow-list allows nothing, except in `sim`. `warn_fraction` is the share of a bound from
    which approval asks for the typed size; `cancel_reserve` the share of the message budget that only
    cancels and the operator's flatten may use. Fractions are of equity; `_bps` are basis points. A symbol
    whose base is not among `majors` is an altcoin (`native.rules.is_major`).
    """

    mode: Mode
    stage: Stage | None = None
    kill_switch_active: bool = False
    require_account_id: bool = True
    allowed_symbols: tuple[str, ...] = ()
    allowed_venues: tuple[str, ...] = ()
    allowed_strategies: tuple[str, ...] = ()
    blocked_symbols: tuple[str, ...] = ()
    allowed_sides: tuple[Side, ...] = (Side.BUY, Side.SELL)
    caps: tuple[Cap, ...] = ()
    max_notional_per_order_usd: Decimal | None = None
    max_exposure_usd: Decimal | None = None
    max_symbol_exposure_usd: Decimal | None = None
    max_strategy_exposure_usd: Decimal | None = None
    max_venue_exposure_usd: Decimal | None = None
    max_desk_exposure_usd: Decimal | None = None
    max_alt_longs_usd: Decimal | None = None
    max_alt_shorts_usd: Decimal | None = None
    majors: tuple[str, ...] = ()
    max_volatility_exposure_usd: Decimal | None = None
    min_volatility_days: int | None = None
    micro_max_order_usd: Decimal | None = None
    micro_max_exposure_usd: Decimal | None = None
    micro_min_margin_usd: Decimal | None = None
    max_trade_risk: Decimal | None = None
    max_portfolio_risk: Decimal | None = None
    max_leverage: Decimal | None = None
    max_margin_use: Decimal | None = None
    min_liquidation_atr: Decimal | None = None
    max_open_orders: int | None = None
    max_positions: int | None = None
    max_daily_loss_usd: Decimal | None = None
    max_drawdown: Decimal | None = None
    price_collar_bps: Decimal | None = None
    max_price_drift_bps: Decimal | None = None
    max_spread_bps: Decimal | None = None
    max_mark_age_ms: int | None = None
    max_unchanged_ms: int | None = None
    max_gap_bars: int | None = None
    max_clock_drift_ms: int | None = None
    max_messages_per_window: int | None = None
    max_repeats_per_window: int | None = None
    max_entries_per_minute: int | None = None
    max_symbol_entries_per_minute: int | None = None
    max_entry_usd_per_minute: Decimal | None = None
    max_exits_per_minute: int | None = None
    min_order_gap_ms: int | None = None
    max_reconcile_age_ms: int | None = None
    min_signer_left_ms: int | None = None
    min_venue_budget: Decimal | None = None
    cancel_reserve: Decimal = Decimal("0.2")
    warn_fraction: Decimal = Decimal("0.8")


class MissingFields(Record):
    """Corrective feedback for an incomplete order: what is missing and how to complete it (QT-11)."""

    error_code: str
    tool_name: str
    missing_fields: tuple[str, ...]
    corrective_action: str


PERSON = "operator"
"""How the strategy of an order that a person wrote begins."""
REQUIRED_FIELDS: Mapping[str, str] = {
    "symbol": "name one allowed symbol",
    "side": "say buy or sell",
    "quantity": "give a positive quantity, a multiple of the lot",
    "order_type": "say market or limit",
    "time_in_force": "say ioc, gtc or post_only",
    "limit_price": "give the worst acceptable price, also for a market order",
    "stop_loss": "give the protective stop: below the limit price for a buy, above it for a sell",
}
"""Field -> what to give. `stop_loss` is not asked of a reduce-only order."""


def missing_fields(raw: Mapping[str, object], tool_name: str = "submit_order") -> MissingFields | None:
    """Tell which mandatory fields a raw order lacks, or None where it is complete.

    Only a literal `reduce_only: true` excuses the stop; nothing excuses the limit price.
    """
    is_reduction = raw.get("reduce_only") is True
    wanted = [name for name in REQUIRED_FIELDS if not (name == "stop_loss" and is_reduction)]
    missing = tuple(name for name in wanted if raw.get(name) is None or raw.get(name) == "")
    if not missing:
        return None
    advice = "; ".join(f"{name}: {REQUIRED_FIELDS[name]}" for name in missing)
    return MissingFields(
        error_code="MISSING_REQUIRED_FIELDS",
        tool_name=tool_name,
        missing_fields=missing,
        corrective_action=f"Complete the order and send it again. {advice}.",
    )


def intent_hash(intent: ExecutionIntent) -> str:
    """Return the SHA-256 of the intent's canonical JSON: any changed field changes it."""
    return digest(intent)


def duplicate_key(intent: ExecutionIntent) -> str:
    """Return what makes two intents the same decision, whatever their ids and prices: recorded once, ever."""
    return digest(
        [
            intent.session_id,
            intent.strategy_id,
            intent.decision_id,
            intent.symbol,
            intent.side,
            str(intent.quantity),
            intent.reduce_only,
        ]
    )


def wish_key(intent: ExecutionIntent) -> str:
    """Return what makes two intents the same wish within the duplicate window (C10).

    A strategy's wish is one decision, so another bar's is another wish. A person's has no decision behind it:
    the same size of the same symbol again is the same wish, by whatever way it comes.
    """
    if not is_by_person(intent.strategy_id):
        return duplicate_key(intent)
    return person_key(intent.account_id, intent.symbol, intent.side, intent.quantity, intent.reduce_only)


def is_by_person(strategy: str) -> bool:
    """Tell whether an order of this strategy was written by a person: no strategy decided on it."""
    return strategy.partition(":")[0] == PERSON


def person_key(account: str, symbol: str, side: Side, quantity: Decimal, reduce_only: bool) -> str:
    """Return what makes two orders of persons the same wish."""
    return digest([PERSON, account, symbol, side, f"{quantity.normalize():f}", reduce_only])
