"""The steps that move one strategy on one symbol.

Stepping (live, paper) and replay (back-test) call the same inline functions, so they cannot differ.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from native.account cimport execute, open_result
from native.entries cimport decide_step
from native.exchange cimport begin_bar, path_step
from native.exits cimport ladder_step
from native.indicators cimport EmaState, atr_step, ema_step, rsi_step, sma_step
from native.state cimport *


cdef inline void open_step(LaneState* s, int64_t ts, double price) noexcept nogil:
    """A bar opens: with internal matching what was decided at the last close fills here, closes first."""
    s.open_ts = ts
    if s.pending == 0 or s.rules.is_external:
        return
    if s.pending & 1:
        s.close_slot.is_active = 0
        execute(s, s.close_slot.step, 0, s.close_slot.side, s.close_slot.units, price, ts, s.close_slot.reason, NULL)
    if s.pending & 2:
        s.open_slot.is_active = 0
        execute(
            s, s.open_slot.step, 1, s.open_slot.side, s.open_slot.units, price, ts, s.open_slot.reason, &s.open_slot
        )
    s.pending = 0


cdef inline int64_t cross_signal(EmaState* fast, EmaState* slow, bint is_bracket, double c) noexcept nogil:
    """Move two averages by one close: which is above, or with a bracket which has crossed just now."""
    cdef double was_fast = fast.value, was_slow = slow.value
    cdef double f = ema_step(fast, c)
    cdef double g = ema_step(slow, c)
    if is_bracket:
        if f > g and was_fast <= was_slow:
            return 1
        return -1 if f < g and was_fast >= was_slow else KEEP
    if f > g:
        return 1
    return -1 if f < g else KEEP


cdef inline int64_t compiled_signal(LaneState* s, int64_t kind, int64_t bar, double c) noexcept nogil:
    """Move the built-in strategy's indicators by the close of bar number `bar` and return what it wants."""
    cdef double fast, slow, rsi
    cdef int64_t want
    if kind == KIND_EMA_CROSS:
        want = cross_signal(&s.ema_fast, &s.ema_slow, s.rules.is_bracket, c)
        return KEEP if bar < s.rules.first_bar else want
    if kind == KIND_RSI_MA_CROSS:
        fast = sma_step(&s.sma_fast, c)
        slow = sma_step(&s.sma_slow, c)
        rsi = rsi_step(&s.rsi, c)
        if bar < s.rules.first_bar:
            return KEEP
        if fast > slow and rsi < s.rules.rsi_buy_max:
            return 1
        return 0 if fast < slow and rsi > s.rules.rsi_sell_min else KEEP
    return 1


cdef inline void finish_step(LaneState* s, int64_t ts, double c) noexcept nogil:
    """Mark the bar: result so far into the curve (room was made by the caller), counters forward."""
    if s.rules.keeps_equity:
        s.equity[s.equity_count] = s.realised + open_result(s, c)
        s.equity_count += 1
    s.last_close = c
    s.last_ts = ts
    s.is_data_bad = 0
    s.bars += 1


cdef inline bint is_good_bar(double o, double h, double l, double c, double v) noexcept nogil:
    """Finite and positive, high >= low, volume not negative; every comparison with NaN is false."""
    return l > 0.0 and o > 0.0 and c > 0.0 and h >= l and h < INFINITY and o < INFINITY and c < INFINITY and v >= 0.0 and v < INFINITY


cdef inline void open_bar(LaneState* s, int64_t ts, double price) noexcept nogil:
    """A bar opens on any lane."""
    if s.rules.is_plain:
        open_step(s, ts, price)
    else:
        begin_bar(s, ts, price)


cdef inline void exits_bar(
    LaneState* s, int64_t ts, double o, double h, double l, double c, double v
) noexcept nogil:
    """What precedes the strategy at a close on any lane: exits by levels and time."""
    if s.rules.is_plain:
        if s.side and (s.is_bracket or s.hold_bars):
            ladder_step(s, ts, o, h, l, c)
        return
    if s.segment_ts < ts and not s.rules.is_external:
        begin_bar(s, ts, o)
    path_step(s, ts, o, h, l, c)
    if not s.is_walked:
        s.last_volume = v


cdef inline void close_bar(
    LaneState* s, int64_t ts, double o, double h, double l, double c, double v
) noexcept nogil:
    """A bar closes on any lane under a compiled strategy."""
    cdef int64_t had_pending = s.pending
    exits_bar(s, ts, o, h, l, c, v)
    atr_step(&s.atr, h, l, c)
    decide_step(s, ts, c, compiled_signal(s, s.rules.kind, s.bars, c), had_pending, NULL)
    finish_step(s, ts, c)
