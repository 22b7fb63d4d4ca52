"""The steps that move one strategy on one symbol.

Stepping (live, paper) and replay (back-test) call the same inline functions, so they cannot differ.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from native.account cimport execute, open_result
from native.entries cimport decide_step
from native.exchange cimport begin_bar, path_step
from native.exits cimport exits_step, ladder_step
from native.indicators cimport atr_step, ema_step, rsi_step, sma_step
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


cdef inline int64_t compiled_signal(LaneState* s, int64_t kind, double c) noexcept nogil:
    """Move the built-in strategy's indicators by one close and return what it wants."""
    cdef double fast, slow, was_fast, was_slow, rsi
    if kind == KIND_EMA_CROSS:
        was_fast, was_slow = s.ema_fast.value, s.ema_slow.value
        fast = ema_step(&s.ema_fast, c)
        slow = ema_step(&s.ema_slow, c)
        if s.bars < s.rules.first_bar:
            return KEEP
        if s.rules.is_bracket:
            if fast > slow and was_fast <= was_slow:
                return 1
            return -1 if fast < slow and was_fast >= was_slow else KEEP
        if fast > slow:
            return 1
        return -1 if fast < slow else KEEP
    if kind == KIND_RSI_MA_CROSS:
        fast = sma_step(&s.sma_fast, c)
        slow = sma_step(&s.sma_slow, c)
        rsi = rsi_step(&s.rsi, c)
        if s.bars < s.rules.first_bar:
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


cdef inline void close_step(
    LaneState* s, int64_t kind, int64_t ts, double o, double h, double l, double c
) noexcept nogil:
    """A bar closes under a compiled strategy: exits, indicators, wish, orders, mark."""
    cdef int64_t had_pending = s.pending
    cdef int64_t want
    if s.is_bracket and s.side:
        exits_step(s, ts, o, h, l, c)
    atr_step(&s.atr, h, l, c)
    want = compiled_signal(s, kind, c)
    decide_step(s, ts, c, want, had_pending, NULL)
    finish_step(s, ts, c)


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
    decide_step(s, ts, c, compiled_signal(s, s.rules.kind, c), had_pending, NULL)
    finish_step(s, ts, c)
