"""Limits that change: a tighter one holds at once, a looser one waits (C28, I24).

Pure. A limit set is a flat mapping of names to values, as `flat_limits` makes it from the risk block;
`LOOSER` says for each which direction admits more. What is not in the table is not a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from safety.canonical import digest
from venues.types import Record

LimitValue = float | int | str | None
Limits = Mapping[str, LimitValue]


class Looser(StrEnum):
    """Which way a limit admits more. PRESENCE: an entry forbids, and its absence admits; ABSENCE: the other
    way round."""

    UP = "up"
    DOWN = "down"
    PRESENCE = "presence"
    ABSENCE = "absence"


_U, _D = Looser.UP, Looser.DOWN
LOOSER: Mapping[str, Looser] = {
    "max_portfolio_risk": _U,
    "max_leverage": _U,
    "max_drawdown": _U,
    "risk_per_trade_cap": _U,
    "max_order_notional_usd": _U,
    "max_symbol_exposure_usd": _U,
    "max_strategy_exposure_usd": _U,
    "max_gross_exposure_usd": _U,
    "max_venue_exposure_usd": _U,
    "max_desk_exposure_usd": _U,
    "max_alt_longs_usd": _U,
    "max_alt_shorts_usd": _U,
    "max_volatility_exposure_usd": _U,
    "micro_order_notional_usd": _U,
    "micro_gross_exposure_usd": _U,
    "max_margin_use": _U,
    "max_open_orders": _U,
    "max_open_positions": _U,
    "daily_loss_close_only_usd": _U,
    "daily_loss_halt_usd": _U,
    "drawdown_close_only": _U,
    "drawdown_halt": _U,
    "price_collar": _U,
    "price_drift_5min": _U,
    "max_spread": _U,
    "mark_stale_ms": _U,
    "market_frozen_ms": _U,
    "market_gap_bars": _U,
    "clock_drift_ms": _U,
    "message_rate_per_s": _U,
    "message_burst": _U,
    "max_repeats": _U,
    "entries_per_minute": _U,
    "symbol_entries_per_minute": _U,
    "entry_usd_per_minute": _U,
    "exits_per_minute": _U,
    "cancels_per_minute": _U,
    "storm_refusals": _U,
    "reconcile_stale_ms": _U,
    "warn_fraction": _U,
    "max_median_slippage_bps": _U,
    "performance_trades": _U,
    "exposure_tolerance": _U,
    "cancel_reserve": _D,
    "micro_min_margin_usd": _D,
    "min_profit_factor": _D,
    "min_win_rate": _D,
    "min_order_gap_ms": _D,
    "min_volatility_days": _D,
    "min_liquidation_atr": _D,
    "signer_min_days": _D,
    "venue_budget_reserve": _D,
    "raise_cooldown_s": _D,
}
"""Limit -> the direction that admits more. Caps, blocked symbols and majors have names of their own below."""
CAP_PREFIX, BLOCK_PREFIX, MAJOR_PREFIX = "caps/", "blocked/", "majors/"
_OF_PREFIX = {CAP_PREFIX: _U, BLOCK_PREFIX: Looser.PRESENCE, MAJOR_PREFIX: Looser.ABSENCE}


class Change(Record):
    """One limit that somebody wants changed."""

    name: str
    before: LimitValue
    after: LimitValue


class Split(Record):
    """What of a wanted set holds at once, and what has to wait."""

    at_once: tuple[Change, ...]
    later: tuple[Change, ...]


def looser_way(name: str) -> Looser | None:
    """Return which way a name admits more; None where it is not a limit."""
    prefix = name[: name.find("/") + 1]
    return _OF_PREFIX[prefix] if prefix in _OF_PREFIX else LOOSER.get(name)


def is_looser(name: str, before: LimitValue, after: LimitValue) -> bool:
    """Tell whether `after` may admit what `before` refuses; what cannot be compared counts as looser."""
    way = looser_way(name)
    if way is Looser.ABSENCE:
        return before is None
    if way is Looser.PRESENCE or after is None or before is None:
        return after is None
    if not isinstance(before, (int, float)) or not isinstance(after, (int, float)):
        return True
    return not (after < before if way is Looser.UP else after > before)


def split(in_force: Limits, wanted: Limits) -> Split:
    """Sort every difference into what holds at once and what waits. Both sides in order of name."""
    at_once: list[Change] = []
    later: list[Change] = []
    for name in sorted(in_force.keys() | wanted.keys()):
        before, after = in_force.get(name), wanted.get(name)
        if before != after:
            change = Change(name=name, before=before, after=after)
            (later if is_looser(name, before, after) else at_once).append(change)
    return Split(at_once=tuple(at_once), later=tuple(later))


def bounded(wanted: Limits, soft: Limits) -> dict[str, LimitValue]:
    """Return the wanted set with each soft cap that is tighter in its place."""
    tighter = {name: value for name, value in soft.items() if not is_looser(name, wanted.get(name), value)}
    return {**wanted, **tighter}


def applied(in_force: Limits, changes: tuple[Change, ...]) -> dict[str, LimitValue]:
    """Return the set after some changes; a value of None takes the limit out."""
    after = {**in_force, **{change.name: change.after for change in changes}}
    return {name: value for name, value in sorted(after.items()) if value is not None}


def limits_hash(limits: Limits) -> str:
    """Return the SHA-256 of a limit set: what tickets and evidence name (I24)."""
    return digest({name: limits[name] for name in sorted(limits)})
