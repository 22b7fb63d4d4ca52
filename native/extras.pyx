"""A configuration checked and written into a lane's rules."""

import math

from libc.stdint cimport int64_t, uint64_t

from native.state cimport *

from native.matching import lot_units

_SIZING = {"notional": SIZE_NOTIONAL, "equity": SIZE_EQUITY, "risk": SIZE_RISK, "kelly": SIZE_KELLY}


def check_config(config):
    """Raise ValueError for a configuration outside its bounds."""
    for name in ("cash", "notional_usd", "stop_atr", "min_notional_usd"):
        if not (math.isfinite(getattr(config, name)) and getattr(config, name) >= 0.0):
            raise ValueError(f"{name}={getattr(config, name)} must be finite and not negative")
    for name in ("slippage_bps", "max_slippage_bps", "stop_fallback_bps"):
        if not 0.0 <= getattr(config, name) < 10_000.0:
            raise ValueError(f"{name}={getattr(config, name)} is outside [0, 10000)")
    if not -10_000.0 < config.fee_bps < 10_000.0:
        raise ValueError(f"fee_bps={config.fee_bps} is outside (-10000, 10000)")
    if not 0 <= config.min_hold_bars <= (config.max_hold_bars or 1 << 40) <= 1 << 40:
        raise ValueError(
            f"hold window of {config.min_hold_bars} to {config.max_hold_bars} bars: 0 <= min <= max (0: no bound)"
        )
    if config.stops not in ("intrabar", "next_open"):
        raise ValueError(f"stops must be intrabar or next_open, got {config.stops!r}")
    for part in (config.exchange, config.guards, config.sizing, config.portfolio):
        part.check()


cdef int fill_rules(LaneState* s, int index, object config, object spec, bint is_external) except -1:
    """Write the lane's rules and extras; the strategy's own come with the strategy."""
    cdef Rules* r = &s.rules
    r.lane, r.is_external, r.is_plain = index, is_external, config.is_plain
    r.is_intrabar = config.stops == "intrabar" and not is_external
    r.max_units = 0
    r.min_hold, r.max_hold = config.min_hold_bars, config.max_hold_bars
    r.keeps_equity, r.lot_units, r.cash = config.keeps_equity, lot_units(spec.lot), config.cash
    r.notional, r.slip, r.fee, r.tick = config.notional_usd, config.slippage_bps / 1e4, config.fee_bps / 1e4, spec.tick
    r.min_notional, r.stop_atr = config.min_notional_usd, config.stop_atr
    r.stop_fallback = config.stop_fallback_bps / 1e4
    _fill_exchange(&s.extras, config)
    _fill_guards(&s.extras, config)
    return 0


cdef int64_t cap_units(double contracts, int64_t lot) except -1:
    """Return a strategy's cap on its entries in micro-units, rounded down to the lot; 0 for none.

    Raises ValueError for a cap below one lot: nothing could ever be entered.
    """
    cdef int64_t units
    if not 0.0 <= contracts <= 1e12:
        raise ValueError(f"max_contracts={contracts} is outside [0, 1e12]")
    units = <int64_t>(contracts * 1e6)
    units -= units % lot
    if contracts > 0.0 and units == 0:
        raise ValueError(f"max_contracts={contracts} is less than one lot")
    return units


cdef int _fill_exchange(Extras* x, config) except -1:
    e = config.exchange
    x.seed = <uint64_t>(int(config.seed) & 0xFFFFFFFFFFFFFFFF)
    x.is_atr_slippage, x.slippage_atr = e.slippage_mode == "atr", e.slippage_atr
    x.slippage_low, x.slippage_high = e.slippage_low_bps / 1e4, e.slippage_high_bps / 1e4
    x.maker_fee = (config.fee_bps if e.maker_fee_bps is None else e.maker_fee_bps) / 1e4
    x.entry_limit = -1.0 if e.entry_limit_bps is None else e.entry_limit_bps / 1e4
    x.touch_probability, x.limit_bars, x.is_ioc = e.touch_fill_probability, e.limit_bars, e.time_in_force == "ioc"
    x.fill_share, x.interval_ns = e.fill_share, e.interval_ns
    x.latency_ns, x.jitter_ns = round(e.latency_ms * 1e6), round(e.latency_jitter_ms * 1e6)
    x.timeout_ns, x.timeout_probability = round(e.timeout_ms * 1e6), e.timeout_probability
    x.reject_probability, x.max_gap_ns = e.reject_probability, e.max_gap_bars * e.interval_ns
    x.leverage, x.liquidation_fee = e.leverage, e.liquidation_fee_bps / 1e4
    x.tier_count = len(e.maintenance)
    for i, ((start, rate), deduction) in enumerate(zip(e.maintenance, e.deductions(), strict=True)):
        x.tier_from[i], x.tier_rate[i], x.tier_deduction[i] = start, rate, deduction
    return 0


cdef int _fill_guards(Extras* x, config) except -1:
    g, z = config.guards, config.sizing
    x.glitch_move, x.glitch_atr, x.cooldown_ns = g.glitch_move, g.glitch_atr, round(g.cooldown_s * 1e9)
    x.sizing, x.fraction, x.max_notional = _SIZING[z.mode], z.fraction, z.max_notional_usd
    x.kelly_multiplier, x.kelly_prior, x.kelly_min_trades = z.kelly_multiplier, z.kelly_prior, z.kelly_min_trades
    return 0
