"""How large an entry is: notional, share of equity, risk to the stop, or shrunk fractional Kelly; then the caps."""

from libc.stdint cimport int64_t

from native.account cimport open_result
from native.matching cimport size_units_c
from native.state cimport *


cdef inline double lane_equity(LaneState* s, double price) noexcept nogil:
    """What sizes and margins refer to: the shared account's equity, or the lane's own."""
    if s.account != NULL:
        return s.account.equity
    return s.rules.cash + s.realised + open_result(s, price)


cdef inline double kelly_fraction(LaneState* s) noexcept nogil:
    """Kelly's f = p - (1-p)/b (Kelly, 1956) from the lane's closed trades, shrunk towards no edge."""
    cdef Extras* x = &s.extras
    cdef double n = <double>s.closed
    cdef double wins = <double>s.wins
    cdef double p, b = 1.0, f
    if s.closed < x.kelly_min_trades:
        return x.fraction
    if s.wins > 0 and s.lost > 0.0:
        b = (s.won / wins) / (s.lost / (n - wins))
    p = (wins + x.kelly_prior * 0.5) / (n + x.kelly_prior) if n + x.kelly_prior > 0.0 else 0.5
    b = (n * b + x.kelly_prior) / (n + x.kelly_prior) if n + x.kelly_prior > 0.0 else 1.0
    f = (p - (1.0 - p) / b) * x.kelly_multiplier
    f = 0.0 if f < 0.0 else f
    return f if f < x.fraction else x.fraction


cdef inline double wanted_notional(LaneState* s, double c, double stop_distance) noexcept nogil:
    """The notional of an entry at `c` before the envelope's multiplier and the lot."""
    cdef Extras* x = &s.extras
    cdef double equity = lane_equity(s, c)
    cdef double ceiling = equity * (x.leverage if x.leverage > 0.0 else 1.0)
    cdef double notional = s.rules.notional
    if x.sizing == SIZE_EQUITY:
        notional = equity * x.fraction
    elif x.sizing == SIZE_RISK:
        notional = equity * x.fraction / stop_distance * c
        notional = notional if notional < ceiling else ceiling
    elif x.sizing == SIZE_KELLY:
        notional = equity * kelly_fraction(s)
    if x.max_notional > 0.0 and notional > x.max_notional:
        notional = x.max_notional
    return notional if notional > 0.0 else 0.0


cdef inline int64_t extra_gates(LaneState* s, int64_t ts, double c, int64_t want, int64_t units) noexcept nogil:
    """The gates of what is not plain: cooldown, gap, bad print, liquidation, margin."""
    cdef Extras* x = &s.extras
    cdef int64_t gates = 0
    gates |= GATE_COOLDOWN if s.exit_side == want and ts - s.exit_ts < x.cooldown_ns else 0
    gates |= GATE_GAP if s.is_gap else 0
    gates |= GATE_DATA if s.is_glitch else 0
    gates |= GATE_LIQUIDATED if s.is_liquidated else 0
    if x.leverage > 0.0:
        gates |= GATE_MARGIN if <double>units / 1e6 * c / x.leverage > free_margin(s, c) else 0
    return gates


cdef inline double free_margin(LaneState* s, double c) noexcept nogil:
    """Equity that no position of the account binds; the lane's own position has left when its entry acts."""
    cdef double free = lane_equity(s, c)
    return free - s.account.margin if s.account != NULL else free
