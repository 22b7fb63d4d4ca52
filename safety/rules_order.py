"""Rules about the order itself: its form, its prices and its size (C1, C2, C3, C10, C12, C14)."""

from __future__ import annotations

from decimal import Decimal

from safety.exposure import trade_risk_usd
from safety.intent import Cap, CapLevel, ExecutionIntent, ExecutionPolicy, Stage
from safety.interlock import Action
from safety.rule import (
    BPS,
    PASS,
    Case,
    Finding,
    Level,
    Rule,
    Unknowable,
    action_of,
    at_most,
    not_negative,
    number,
    positive,
    side_of,
)
from venues.types import Instrument, Mode, OrderType, Side, TimeInForce

MAX_PRICE = Decimal("1e12")
_ZERO, _TENTH, _SHARE = Decimal(0), Decimal("0.1"), Decimal("0.0001")
_OFFLINE = (Mode.SIM, Mode.PAPER)


def matching_caps(policy: ExecutionPolicy, intent: ExecutionIntent) -> tuple[Cap, ...]:
    """Return the caps of their own that this intent meets, on any level (C5)."""
    subjects = {
        CapLevel.SYMBOL: intent.symbol,
        CapLevel.STRATEGY: intent.strategy_id,
        CapLevel.ACCOUNT: intent.account_id,
        CapLevel.VENUE: intent.broker_target,
        CapLevel.DESK: "desk",
    }
    return tuple(cap for cap in policy.caps if subjects[cap.level] == cap.subject)


def _account(case: Case) -> Finding:
    account = case.intent.account_id
    return Finding(bool(account) or case.policy.require_account_id is False, account or "none")


def _same_account(case: Case) -> Finding:
    account = case.intent.account_id
    return Finding(not account or account == case.facts.account_id, account, "", case.facts.account_id)


def _finite(case: Case) -> Finding:
    intent = case.intent
    for value in (intent.quantity, intent.notional_usd):
        number(value)
    for optional in (intent.limit_price, intent.stop_loss, intent.take_profit, intent.mark_price):
        if optional is not None and abs(number(optional)) > MAX_PRICE:
            return Finding(is_ok=False, now=optional, limit=MAX_PRICE)
    return PASS


def _quantity(case: Case) -> Finding:
    return Finding(number(case.intent.quantity) > 0, case.intent.quantity)


def _notional(case: Case) -> Finding:
    return Finding(number(case.intent.notional_usd) > 0, case.intent.notional_usd)


def worst_notional(case: Case) -> Decimal:
    """Price the order by the worst of what it says, its limit and the mark (C1)."""
    intent, quantity = case.intent, positive(case.intent.quantity)
    price = max(positive(intent.limit_price), positive(case.facts.mark_price))
    return max(positive(intent.notional_usd), quantity * price)


def _max_notional(case: Case) -> Finding:
    if not case.policy.caps:
        return at_most(_ZERO, worst_notional(case), case.policy.max_notional_per_order_usd, case.policy)
    own = (cap.max_order_usd for cap in matching_caps(case.policy, case.intent))
    bounds = [case.policy.max_notional_per_order_usd, *(bound for bound in own if bound is not None)]
    limit = min(not_negative(bound) for bound in bounds)
    return at_most(_ZERO, worst_notional(case), limit, case.policy)


def is_beyond_micro(policy: ExecutionPolicy) -> bool:
    """Tell whether the small bounds are over: a later stage, or no real money and so no stage."""
    return policy.stage is Stage.SCALED or (policy.stage is None and policy.mode in _OFFLINE)


def _micro(case: Case) -> Finding:
    """At the micro stage the small bounds hold as well; in live a stage must be named (C26)."""
    stage = case.policy.stage
    if is_beyond_micro(case.policy):
        return Finding(is_ok=True, now="none" if stage is None else stage)
    if stage is not Stage.MICRO:
        return Finding(is_ok=False, now="no stage")
    return at_most(_ZERO, worst_notional(case), case.policy.micro_max_order_usd, case.policy)


def _listed(value: str, allowed: tuple[str, ...], case: Case) -> Finding:
    is_open = case.policy.mode is Mode.SIM and not allowed
    return Finding(bool(value) and (is_open or value in allowed), value, "", " ".join(allowed))


def _symbol(case: Case) -> Finding:
    return _listed(case.intent.symbol, case.policy.allowed_symbols, case)


def _venue(case: Case) -> Finding:
    return _listed(case.intent.broker_target, case.policy.allowed_venues, case)


def _strategy(case: Case) -> Finding:
    return _listed(case.intent.strategy_id, case.policy.allowed_strategies, case)


def _blocked(case: Case) -> Finding:
    blocked = case.policy.blocked_symbols
    return Finding(case.intent.symbol not in blocked, case.intent.symbol, "", " ".join(blocked))


def _instrument(case: Case) -> Finding:
    known = case.instrument
    return Finding(known is not None and known.symbol == case.intent.symbol, case.intent.symbol)


def _side(case: Case) -> Finding:
    side = case.intent.side
    is_known = isinstance(side, Side)
    is_allowed = side in case.policy.allowed_sides or action_of(case.intent) is not Action.ADD_RISK
    return Finding(is_known and is_allowed, side, "", " ".join(case.policy.allowed_sides))


def _limit_price(case: Case) -> Finding:
    return Finding(number(case.intent.limit_price) > 0, case.intent.limit_price)


def _life(case: Case) -> Finding:
    """A market order acts at once or not at all; only a limit order can rest or be post-only."""
    kind, life = OrderType(case.intent.order_type), TimeInForce(case.intent.time_in_force)
    return Finding(kind is OrderType.LIMIT or life is TimeInForce.IOC, f"{kind} {life}")


def _stop(case: Case) -> Finding:
    return Finding(number(case.intent.stop_loss) > 0, case.intent.stop_loss)


def _stop_side(case: Case) -> Finding:
    """A stop that would fire at once, or never protects, is no stop."""
    stop, limit = positive(case.intent.stop_loss), positive(case.intent.limit_price)
    mark, sign = positive(case.facts.mark_price), side_of(case.intent).sign
    return Finding((limit - stop) * sign > 0 and (mark - stop) * sign > 0, stop, "", min(limit, mark))


def _take_profit(case: Case) -> Finding:
    """A target that is already passed would close the position as it opens."""
    if case.intent.take_profit is None:
        return Finding(is_ok=True, now="none")
    target, limit = positive(case.intent.take_profit), positive(case.intent.limit_price)
    return Finding((target - limit) * side_of(case.intent).sign > 0, target, "", limit)


def _trade_risk(case: Case) -> Finding:
    equity, limit = positive(case.facts.equity_usd), case.policy.max_trade_risk
    share = (trade_risk_usd(case.intent) / equity).quantize(_SHARE)
    return at_most(_ZERO, share, limit, case.policy)


def _collar(case: Case) -> Finding:
    """Judge the limit against the mark, both ways: a fat finger is as likely up as down (C3)."""
    if action_of(case.intent) is Action.FLATTEN and case.facts.mark_price is None:
        return Finding(is_ok=True, now="no mark", is_near=True)
    mark, limit = positive(case.facts.mark_price), positive(case.intent.limit_price)
    distance_bps = abs(limit - mark) / mark * BPS
    bound_bps = not_negative(case.policy.price_collar_bps)
    return Finding(distance_bps <= bound_bps, "", distance_bps.quantize(_TENTH), bound_bps)


def _known(instrument: Instrument | None) -> Instrument:
    if instrument is None:
        raise Unknowable("no instrument")
    return instrument


def _lot(case: Case) -> Finding:
    lot = positive(_known(case.instrument).lot)
    return Finding(number(case.intent.quantity) % lot == 0, case.intent.quantity, "", lot)


def _tick(case: Case) -> Finding:
    tick = positive(_known(case.instrument).tick)
    return Finding(number(case.intent.limit_price) % tick == 0, case.intent.limit_price, "", tick)


def _min_notional(case: Case) -> Finding:
    least = number(_known(case.instrument).min_notional_usd)
    value = positive(case.intent.quantity) * positive(case.intent.limit_price)
    return Finding(value >= least, "", value, least)


def _self_trade(case: Case) -> Finding:
    """Refuse what would meet an order of our own on the other side, alive or unknown (C14)."""
    if case.facts.orders is None:
        raise Unknowable("open orders are not known")
    intent, side, limit = case.intent, side_of(case.intent), positive(case.intent.limit_price)
    others = [o for o in case.facts.orders if o.symbol == intent.symbol and o.side is not side]
    crossing = [o for o in others if (limit - positive(o.price)) * side.sign >= 0]
    return Finding(not crossing, len(others), len(crossing), 0)


_ALL, _ENTRY = False, True
_ORDER, _SYMBOL = Level.ORDER, Level.SYMBOL
# fmt: off
# ruff: noqa: E501
ORDER_RULES: tuple[Rule, ...] = (
    Rule("missing_account_id", _ALL, _account, Level.ACCOUNT, "QL-54", "the order names an account"),
    Rule("account_mismatch", _ALL, _same_account, Level.ACCOUNT, "C12", "the account is the one that was synced"),
    Rule("not_finite", _ALL, _finite, _ORDER, "I28", "every figure of the order is finite and below 1e12"),
    Rule("non_positive_quantity", _ALL, _quantity, _ORDER, "C2, I28", "the quantity is above zero"),
    Rule("non_positive_notional", _ALL, _notional, _ORDER, "C1, I28", "the stated value is above zero"),
    Rule("max_notional_exceeded", _ENTRY, _max_notional, _ORDER, "C1, C5, QL-57", "the order at its worst price, against the smallest cap of all levels", ("max_notional_per_order_usd", "caps")),
    Rule("micro_size_exceeded", _ENTRY, _micro, Level.STRATEGY, "C26, QL-57", "at the micro stage, the micro size; in live, a stage is named", ("stage", "micro_max_order_usd")),
    Rule("trade_risk_exceeded", _ENTRY, _trade_risk, _ORDER, "AQ-10", "what the order loses at its stop, as a fraction of equity", ("max_trade_risk",)),
    Rule("symbol_not_allowed", _ENTRY, _symbol, _SYMBOL, "C12", "the symbol is on the allow-list", ("allowed_symbols",)),
    Rule("symbol_blocked", _ENTRY, _blocked, _SYMBOL, "C12", "the symbol is not on the desk's block-list", ("blocked_symbols",)),
    Rule("venue_not_allowed", _ENTRY, _venue, Level.VENUE, "C12", "the venue is on the allow-list", ("allowed_venues",)),
    Rule("strategy_not_allowed", _ENTRY, _strategy, Level.STRATEGY, "C12", "the strategy is on the allow-list", ("allowed_strategies",)),
    Rule("instrument_unknown", _ALL, _instrument, _SYMBOL, "C2", "the venue's rules for the symbol are known"),
    Rule("unsupported_side", _ALL, _side, _SYMBOL, "C12", "the side is a side, and one that may be opened", ("allowed_sides",)),
    Rule("time_in_force_invalid", _ALL, _life, _ORDER, "C2, QT-10", "a market order is immediate-or-cancel"),
    Rule("missing_limit_price", _ALL, _limit_price, _ORDER, "C1, QT-10", "the worst acceptable price is stated"),
    Rule("missing_stop_loss", _ENTRY, _stop, _ORDER, "QT-10", "a protective stop is stated"),
    Rule("stop_on_wrong_side", _ENTRY, _stop_side, _ORDER, "QT-10", "the stop lies behind limit and mark"),
    Rule("take_profit_on_wrong_side", _ENTRY, _take_profit, _ORDER, "QT-10", "a target, where given, lies beyond the limit"),
    Rule("price_collar_exceeded", _ALL, _collar, _ORDER, "C3", "distance of the limit from the mark, in basis points", ("price_collar_bps",)),
    Rule("lot_not_exact", _ALL, _lot, _ORDER, "C2", "the quantity is a multiple of the lot"),
    Rule("tick_not_exact", _ALL, _tick, _ORDER, "C2", "the limit is a multiple of the tick"),
    Rule("below_min_notional", _ENTRY, _min_notional, _ORDER, "C2", "the value reaches the venue's minimum"),
    Rule("self_trade", _ENTRY, _self_trade, _SYMBOL, "C14", "no order of ours on the other side would be met"),
)
"""What an order must be, whatever the account looks like."""
