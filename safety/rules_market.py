"""Rules about what the decision was made from: prices and the clock (C3, C15, C16)."""

from __future__ import annotations

from decimal import Decimal

from safety.interlock import Action
from safety.rule import (
    BPS,
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
)

_ZERO, _TENTH = Decimal(0), Decimal("0.1")


def _data_present(case: Case) -> Finding:
    if action_of(case.intent) is Action.FLATTEN:
        return Finding(is_ok=True, is_near=case.facts.mark_price is None)
    return Finding(positive(case.facts.mark_price) > 0 and positive(case.intent.mark_price) > 0)


def _data_age(case: Case) -> Finding:
    facts_age, intent_age = not_negative(case.facts.mark_age_ms), not_negative(case.intent.mark_age_ms)
    return at_most("", max(facts_age, intent_age), case.policy.max_mark_age_ms, case.policy)


def _crossed(case: Case) -> Finding:
    bid, ask = positive(case.facts.market.bid), positive(case.facts.market.ask)
    return Finding(bid < ask, bid, "", ask)


def _spread(case: Case) -> Finding:
    bid, ask = positive(case.facts.market.bid), positive(case.facts.market.ask)
    spread_bps = max(_ZERO, ask - bid) / ((ask + bid) / 2) * BPS
    return at_most("", spread_bps.quantize(_TENTH), case.policy.max_spread_bps, case.policy)


def _frozen(case: Case) -> Finding:
    unchanged_ms = not_negative(case.facts.market.unchanged_ms)
    return at_most("", unchanged_ms, case.policy.max_unchanged_ms, case.policy)


def _gap(case: Case) -> Finding:
    missing = not_negative(case.facts.market.gap_bars)
    return at_most("", missing, case.policy.max_gap_bars, case.policy)


def _drift(case: Case) -> Finding:
    """How far the mark is from the extremes of the window: orders wait while a market runs (C3)."""
    mark = positive(case.facts.mark_price)
    low, high = positive(case.facts.market.window_low), positive(case.facts.market.window_high)
    if low > high:
        raise Unknowable("the window's low is above its high")
    drift_bps = max(abs(mark - low) / low, abs(high - mark) / high) * BPS
    return at_most("", drift_bps.quantize(_TENTH), case.policy.max_price_drift_bps, case.policy)


def _clock_order(case: Case) -> Finding:
    now_ns, last_ns = number(case.facts.now_ns), number(case.facts.last_ns)
    return Finding(now_ns >= last_ns > 0, now_ns, "", last_ns)


def _clock_drift(case: Case) -> Finding:
    offset, limit = case.facts.clock_offset_ms, not_negative(case.policy.max_clock_drift_ms)
    if not isinstance(offset, (int, float)) or isinstance(offset, bool):
        raise Unknowable("clock offset is not known")
    return Finding(abs(offset) <= limit, offset, "", limit)  # NaN compares false


_ALL, _ENTRY = False, True
_BOOK = ("market.bid", "market.ask")
# fmt: off
# ruff: noqa: E501
MARKET_RULES: tuple[Rule, ...] = (
    Rule("market_data_missing", _ALL, _data_present, Level.MARKET, "C15", "there is a mark, in the decision and now"),
    Rule("market_data_stale", _ENTRY, _data_age, Level.MARKET, "C15", "age of the mark, in milliseconds", ("max_mark_age_ms",)),
    Rule("market_crossed", _ENTRY, _crossed, Level.MARKET, "C15", "the bid is below the offer", (), _BOOK),
    Rule("spread_too_wide", _ENTRY, _spread, Level.MARKET, "C15", "spread, in basis points", ("max_spread_bps",), _BOOK),
    Rule("market_frozen", _ENTRY, _frozen, Level.MARKET, "C15", "since when the price has not moved, in milliseconds", ("max_unchanged_ms",), ("market.unchanged_ms",)),
    Rule("market_gap", _ENTRY, _gap, Level.MARKET, "C15", "bars missing among the latest", ("max_gap_bars",), ("market.gap_bars",)),
    Rule("price_drift_exceeded", _ENTRY, _drift, Level.MARKET, "C3", "move of the price within the window, in basis points", ("max_price_drift_bps",), ("market.window_low", "market.window_high")),
    Rule("clock_backwards", _ENTRY, _clock_order, Level.ENGINE, "C16, I34", "the clock is not behind the newest record"),
    Rule("clock_drift", _ENTRY, _clock_drift, Level.ENGINE, "C16", "offset of the clock from the venue's, in milliseconds", ("max_clock_drift_ms",), ("clock_offset_ms",)),
)
"""What a decision may be made from."""
