"""Rules about what the account, the strategy, the venue and the desk may carry (C4..C7, C11, C19)."""

from __future__ import annotations

from decimal import Decimal

from safety.exposure import (
    alt_exposure,
    closing_quantity,
    gross_exposure,
    portfolio_risk_usd,
    position_after,
    strategy_exposure,
    symbol_exposure,
    worst_positions,
)
from safety.intent import CapLevel, Stage
from safety.interlock import Action
from safety.rule import (
    PASS,
    Case,
    Finding,
    Level,
    Rule,
    Unknowable,
    action_of,
    at_least,
    at_most,
    not_negative,
    number,
    positive,
)
from safety.rules_order import is_beyond_micro, matching_caps
from venues.types import OrderStatus

_SHARE, _CENT = Decimal("0.0001"), Decimal("0.01")
ZERO = Decimal(0)


def _smallest(case: Case, level: CapLevel, general: Decimal | None) -> Decimal:
    """Return the smallest of the general bound and the caps of one level."""
    if not case.policy.caps:
        return not_negative(general)
    own = [cap.max_exposure_usd for cap in matching_caps(case.policy, case.intent) if cap.level is level]
    return min(not_negative(bound) for bound in (general, *(bound for bound in own if bound is not None)))


def _exposure(case: Case) -> Finding:
    limit = _smallest(case, CapLevel.ACCOUNT, case.policy.max_exposure_usd)
    if case.policy.stage is Stage.MICRO:
        limit = min(limit, not_negative(case.policy.micro_max_exposure_usd))
    now, after = gross_exposure(case.facts, None), gross_exposure(case.facts, case.intent)
    return at_most(now, after, limit, case.policy)


def _symbol_exposure(case: Case) -> Finding:
    symbol, limit = case.intent.symbol, _smallest(case, CapLevel.SYMBOL, case.policy.max_symbol_exposure_usd)
    now = symbol_exposure(case.facts, None, symbol)
    return at_most(now, symbol_exposure(case.facts, case.intent, symbol), limit, case.policy)


def _strategy_exposure(case: Case) -> Finding:
    name = case.intent.strategy_id
    limit = _smallest(case, CapLevel.STRATEGY, case.policy.max_strategy_exposure_usd)
    now = strategy_exposure(case.facts, None, name)
    return at_most(now, strategy_exposure(case.facts, case.intent, name), limit, case.policy)


def _venue_exposure(case: Case) -> Finding:
    others = not_negative(case.facts.desk.venue_other_exposure_usd)
    limit = _smallest(case, CapLevel.VENUE, case.policy.max_venue_exposure_usd)
    now, after = gross_exposure(case.facts, None), gross_exposure(case.facts, case.intent)
    return at_most(others + now, others + after, limit, case.policy)


def _desk_exposure(case: Case) -> Finding:
    others = not_negative(case.facts.desk.other_exposure_usd)
    limit = _smallest(case, CapLevel.DESK, case.policy.max_desk_exposure_usd)
    now, after = gross_exposure(case.facts, None), gross_exposure(case.facts, case.intent)
    return at_most(others + now, others + after, limit, case.policy)


def _alt_side(
    now: Decimal, after: Decimal, others: Decimal | None, limit: Decimal | None, case: Case
) -> Finding:
    """Judge one side's altcoins; what adds nothing to them passes, also where they stand beyond the bound."""
    other = not_negative(others)
    finding = at_most(other + now, other + after, limit, case.policy)
    return finding if after > now else finding._replace(is_ok=True, is_near=False)


def _alt_longs(case: Case) -> Finding:
    policy, desk = case.policy, case.facts.desk
    now = alt_exposure(case.facts, None, policy.majors).longs
    after = alt_exposure(case.facts, case.intent, policy.majors).longs
    return _alt_side(now, after, desk.other_alt_longs_usd, policy.max_alt_longs_usd, case)


def _alt_shorts(case: Case) -> Finding:
    policy, desk = case.policy, case.facts.desk
    now = alt_exposure(case.facts, None, policy.majors).shorts
    after = alt_exposure(case.facts, case.intent, policy.majors).shorts
    return _alt_side(now, after, desk.other_alt_shorts_usd, policy.max_alt_shorts_usd, case)


def _micro_margin(case: Case) -> Finding:
    """What an entry binds at the account's own leverage after it: its value over max(1, exposure / equity).

    An order of the micro stage is there to be learnt from; one that binds less is dust (OC-82).
    """
    if is_beyond_micro(case.policy):
        return Finding(is_ok=True, now="none" if case.policy.stage is None else case.policy.stage)
    price = min(positive(case.intent.limit_price), positive(case.facts.mark_price))
    leverage = gross_exposure(case.facts, case.intent) / positive(case.facts.equity_usd)
    margin_usd = positive(case.intent.quantity) * price / max(Decimal(1), leverage)
    return at_least(margin_usd.quantize(_CENT), positive(case.policy.micro_min_margin_usd))


def _volatility_known(case: Case) -> Finding:
    """Without enough days there is no 90th percentile, and no bound without one (QT-09)."""
    days, least = number(case.facts.market.volatility_days), positive(case.policy.min_volatility_days)
    is_known = positive(case.facts.market.p90_volatility) > 0
    return Finding(is_known and days >= least, days, "", least)


def _volatility_exposure(case: Case) -> Finding:
    """Exposure of the symbol times the 90th percentile of absolute daily log returns (QT-09)."""
    p90, symbol = positive(case.facts.market.p90_volatility), case.intent.symbol
    limit = case.policy.max_volatility_exposure_usd
    now = symbol_exposure(case.facts, None, symbol) * p90
    return at_most(now, symbol_exposure(case.facts, case.intent, symbol) * p90, limit, case.policy)


def _portfolio_risk(case: Case) -> Finding:
    equity, limit = positive(case.facts.equity_usd), case.policy.max_portfolio_risk
    now = (portfolio_risk_usd(case.facts, None) / equity).quantize(_SHARE)
    after = (portfolio_risk_usd(case.facts, case.intent) / equity).quantize(_SHARE)
    return at_most(now, after, limit, case.policy)


def _leverage(case: Case) -> Finding:
    equity, limit = positive(case.facts.equity_usd), case.policy.max_leverage
    now = (gross_exposure(case.facts, None) / equity).quantize(_SHARE)
    after = (gross_exposure(case.facts, case.intent) / equity).quantize(_SHARE)
    return at_most(now, after, limit, case.policy)


def _margin_use(case: Case) -> Finding:
    """Maintenance margin of everything at its worst, as a share of equity (C19)."""
    equity, rate = positive(case.facts.equity_usd), positive(case.facts.venue.maintenance_rate)
    limit = case.policy.max_margin_use
    now = (gross_exposure(case.facts, None) * rate / equity).quantize(_SHARE)
    after = (gross_exposure(case.facts, case.intent) * rate / equity).quantize(_SHARE)
    return at_most(now, after, limit, case.policy)


def _liquidation(case: Case) -> Finding:
    """Distance from the mark to liquidation after the trade, in average true ranges (C19).

    Cross margin: with quantity q at mark P, maintenance rate m and E = equity less the maintenance of all
    other symbols, a long is liquidated after a fall d where E - q*d = m*q*(P - d), a short after a rise
    where E - |q|*d = m*|q|*(P + d).
    """
    facts, symbol = case.facts, case.intent.symbol
    mark, rate, atr = (
        positive(facts.mark_price),
        positive(facts.venue.maintenance_rate),
        positive(facts.market.atr),
    )
    limit = positive(case.policy.min_liquidation_atr)
    if rate >= 1:
        raise Unknowable("a maintenance rate is below 1")
    others = gross_exposure(facts, None) - symbol_exposure(facts, None, symbol)
    free = positive(facts.equity_usd) - rate * others
    quantity = position_after(facts, case.intent)
    size = abs(quantity)
    if size == 0:
        return Finding(is_ok=True, now="flat", limit=limit)
    sign = 1 if quantity > 0 else -1
    distance = (free - rate * size * mark) / (size * (1 - sign * rate))
    return at_least((distance / atr).quantize(Decimal("0.01")), limit)


def _open_orders(case: Case) -> Finding:
    if case.facts.orders is None:
        raise Unknowable("open orders are not known")
    now = Decimal(len(case.facts.orders))
    return at_most(now, now + 1, case.policy.max_open_orders, case.policy)


def _positions(case: Case) -> Finding:
    now, after = len(worst_positions(case.facts, None)), len(worst_positions(case.facts, case.intent))
    return at_most(now, Decimal(after), case.policy.max_positions, case.policy)


def _loss(pnl_usd: Decimal | None, case: Case) -> Finding:
    loss = max(ZERO, -number(pnl_usd))
    return at_most(loss, loss, positive(case.policy.max_daily_loss_usd), case.policy, is_strict=True)


def _daily_loss(case: Case) -> Finding:
    return _loss(case.facts.day_pnl_usd, case)


def _desk_loss(case: Case) -> Finding:
    return _loss(case.facts.desk.day_pnl_usd, case)


def _drawdown(case: Case) -> Finding:
    equity, peak = positive(case.facts.equity_usd), positive(case.facts.peak_equity_usd)
    fall = max(ZERO, (peak - equity) / peak)
    return at_most(
        fall.quantize(_SHARE), fall, positive(case.policy.max_drawdown), case.policy, is_strict=True
    )


def _desk_drawdown(case: Case) -> Finding:
    fall = not_negative(case.facts.desk.drawdown)
    return at_most(
        fall.quantize(_SHARE), fall, positive(case.policy.max_drawdown), case.policy, is_strict=True
    )


def _unknown_order(case: Case) -> Finding:
    """No new risk on a symbol while any order on it may be alive without our knowing (I5)."""
    if case.facts.orders is None:
        raise Unknowable("open orders are not known")
    unknown = sum(
        1
        for order in case.facts.orders
        if order.symbol == case.intent.symbol and order.status is OrderStatus.UNKNOWN
    )
    return Finding(unknown == 0, unknown, "", 0)


def _reduces(case: Case) -> Finding:
    """A reduce-only order, with the other closing orders that may be alive, never crosses zero (I10)."""
    if action_of(case.intent) is Action.ADD_RISK:
        return PASS
    room = closing_quantity(case.facts, case.intent)
    return Finding(positive(case.intent.quantity) <= room, "", case.intent.quantity, room)


_ALL, _ENTRY = False, True
_P90 = ("market.p90_volatility", "market.volatility_days")
_MARGIN = ("venue.maintenance_rate",)
# fmt: off
# ruff: noqa: E501
ACCOUNT_RULES: tuple[Rule, ...] = (
    Rule("max_exposure_exceeded", _ENTRY, _exposure, Level.ACCOUNT, "C4, C5, I7, QL-59", "worst-case gross exposure of the account, unknown orders included", ("max_exposure_usd", "caps", "micro_max_exposure_usd")),
    Rule("max_symbol_exposure_exceeded", _ENTRY, _symbol_exposure, Level.SYMBOL, "C4, C5, QL-57", "worst-case exposure of the symbol", ("max_symbol_exposure_usd", "caps")),
    Rule("max_strategy_exposure_exceeded", _ENTRY, _strategy_exposure, Level.STRATEGY, "C5", "worst-case exposure of the strategy", ("max_strategy_exposure_usd", "caps")),
    Rule("max_venue_exposure_exceeded", _ENTRY, _venue_exposure, Level.VENUE, "C5", "worst-case exposure of all accounts at the venue", ("max_venue_exposure_usd", "caps")),
    Rule("max_desk_exposure_exceeded", _ENTRY, _desk_exposure, Level.DESK, "C5", "worst-case exposure of the whole desk", ("max_desk_exposure_usd", "caps")),
    Rule("alt_longs_exceeded", _ENTRY, _alt_longs, Level.DESK, "OC-57", "all altcoins that the desk may hold long, open and unknown orders included", ("max_alt_longs_usd", "majors")),
    Rule("alt_shorts_exceeded", _ENTRY, _alt_shorts, Level.DESK, "OC-57", "all altcoins that the desk may hold short, open and unknown orders included", ("max_alt_shorts_usd", "majors")),
    Rule("below_min_margin", _ENTRY, _micro_margin, Level.STRATEGY, "C26, OC-82", "at the micro stage, the order's value over the account's leverage", ("stage", "micro_min_margin_usd")),
    Rule("volatility_missing", _ENTRY, _volatility_known, Level.SYMBOL, "QT-09", "there are enough days for a 90th percentile", ("min_volatility_days",), _P90),
    Rule("volatility_exposure_exceeded", _ENTRY, _volatility_exposure, Level.SYMBOL, "QT-09", "exposure times the 90th percentile of daily moves", ("max_volatility_exposure_usd",), _P90),
    Rule("portfolio_risk_exceeded", _ENTRY, _portfolio_risk, Level.ACCOUNT, "AQ-10, OC-57", "what is lost if every stop is met, as a fraction of equity", ("max_portfolio_risk",)),
    Rule("leverage_exceeded", _ENTRY, _leverage, Level.ACCOUNT, "C19, AQ-10", "worst-case exposure over equity", ("max_leverage",)),
    Rule("margin_use_exceeded", _ENTRY, _margin_use, Level.ACCOUNT, "C19", "maintenance margin over equity", ("max_margin_use",), _MARGIN),
    Rule("liquidation_too_near", _ENTRY, _liquidation, Level.SYMBOL, "C19", "distance to liquidation after the trade, in average true ranges", ("min_liquidation_atr",), _MARGIN),
    Rule("max_open_orders", _ENTRY, _open_orders, Level.ACCOUNT, "C11", "orders that are, or may be, alive", ("max_open_orders",)),
    Rule("max_positions", _ENTRY, _positions, Level.ACCOUNT, "C11", "symbols that may hold a position", ("max_positions",)),
    Rule("daily_loss_limit", _ENTRY, _daily_loss, Level.ACCOUNT, "C6, QL-58", "the account's loss since 00:00 UTC", ("max_daily_loss_usd",)),
    Rule("drawdown_limit", _ENTRY, _drawdown, Level.ACCOUNT, "C7, OC-55", "the account's fall from its peak", ("max_drawdown",)),
    Rule("desk_daily_loss_limit", _ENTRY, _desk_loss, Level.DESK, "C6, I26", "the desk's loss since 00:00 UTC, restarts included", ("max_daily_loss_usd",), ("desk.day_pnl_usd",)),
    Rule("desk_drawdown_limit", _ENTRY, _desk_drawdown, Level.DESK, "C7, I26", "the desk's fall from its high-water mark, restarts included", ("max_drawdown",), ("desk.drawdown",)),
    Rule("symbol_has_unknown_order", _ENTRY, _unknown_order, Level.SYMBOL, "C4, I5", "no order of the symbol is UNKNOWN"),
    Rule("reduce_only_increases", _ALL, _reduces, Level.SYMBOL, "C13, I10", "a closing order stays within the position"),
)
"""What may be carried, on every level; each is judged at its worst."""
