"""Replay of compiled strategies over columns: the steps of `lane.pxd`, and a short loop where nothing happens."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from native.indicators cimport ema_next, true_range
from native.account cimport open_result_c
from native.lane cimport close_bar, close_step, is_good_bar, open_bar, open_step
from native.state cimport KIND_EMA_CROSS, LaneState

cdef enum:
    CHUNK = 512     # bars checked ahead of their use: six columns of it stay in the first-level cache

cdef extern from *:
    """#define INTERLOCK_LARGEST_DOUBLE_BITS 0x7FEFFFFFFFFFFFFFULL"""
    const uint64_t LARGEST "INTERLOCK_LARGEST_DOUBLE_BITS"

cdef struct Columns:
    const int64_t* ts
    const double* open
    const double* high
    const double* low
    const double* close
    const double* volume


cdef inline uint64_t bits_of(const double* x) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, x, sizeof(bits))
    return bits


cdef inline int64_t good_until(const Columns* x, int64_t start, int64_t end, int64_t last_ts) noexcept nogil:
    """Return the first bad bar in [start, end), or end.

    Positive doubles order like their bits, so one sign bit tells of any bar in doubt; the loop is
    integer arithmetic without a branch, which vectorises. What is in doubt is looked at bar by bar.
    """
    cdef const int64_t* ts = x.ts
    cdef uint64_t o, h, l, c, v
    cdef uint64_t doubt = 0
    cdef int64_t i
    for i in range(start + 1, end):
        doubt |= <uint64_t>ts[i - 1] | <uint64_t>ts[i] | (<uint64_t>ts[i] - <uint64_t>ts[i - 1] - 1)
    for i in range(start, end):
        o, h, l = bits_of(x.open + i), bits_of(x.high + i), bits_of(x.low + i)
        c, v = bits_of(x.close + i), bits_of(x.volume + i)
        # Not negative, not zero (but the volume), not above the largest finite double, high >= low.
        doubt |= (
            o | (o - 1) | (LARGEST - o) | l | (l - 1) | h | (h - l) | (LARGEST - h)
            | c | (c - 1) | (LARGEST - c) | v | (LARGEST - v)
        )
    if ts[start] > last_ts and not doubt >> 63:
        return end
    for i in range(start, end):
        if ts[i] <= last_ts or not is_good_bar(x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i]):
            return i
        last_ts = ts[i]
    return end


cdef inline int64_t hold_flip(LaneState* s, const Columns* x, int64_t start, int64_t end) noexcept nogil:
    """Pass bars over which a flip position is only held and marked; return the first that needs a full step.

    The same arithmetic as `close_step`; for a position without levels, nothing pending, past the first bar.
    """
    cdef const double* h = x.high
    cdef const double* l = x.low
    cdef const double* close = x.close
    cdef bint is_long = s.side > 0
    # Held as long as the average on our side is not below the other one.
    cdef double ours = s.ema_fast.value if is_long else s.ema_slow.value
    cdef double other = s.ema_slow.value if is_long else s.ema_fast.value
    cdef double a_ours = s.ema_fast.a if is_long else s.ema_slow.a
    cdef double b_ours = s.ema_fast.b if is_long else s.ema_slow.b
    cdef double a_other = s.ema_slow.a if is_long else s.ema_fast.a
    cdef double b_other = s.ema_slow.b if is_long else s.ema_fast.b
    cdef double a = s.atr.a, b = s.atr.b, atr = s.atr.value, last = s.last_close
    cdef double realised = s.realised, entry = s.entry, entry_fee = s.entry_fee
    cdef double held = <double>s.side * s.quantity
    cdef double c, next_ours, next_other
    cdef double* equity = s.equity + s.equity_count - start
    cdef int64_t keeps_equity = s.rules.keeps_equity
    cdef int64_t i = start
    while i < end:
        c = close[i]
        next_ours = ema_next(a_ours, b_ours, ours, c)
        next_other = ema_next(a_other, b_other, other, c)
        if next_ours < next_other:
            break
        ours, other = next_ours, next_other
        atr = ema_next(a, b, atr, true_range(h[i], l[i], last))
        last = c
        if keeps_equity:
            equity[i] = realised + open_result_c(held, c, entry, entry_fee)
        i += 1
    if i == start:
        return i
    s.ema_fast.value, s.ema_slow.value = (ours, other) if is_long else (other, ours)
    s.ema_fast.count += i - start
    s.ema_slow.count += i - start
    s.atr.value, s.atr.previous_close = atr, last
    s.atr.count += i - start
    s.equity_count += i - start if keeps_equity else 0
    s.bars += i - start
    s.open_ts = s.last_ts = x.ts[i - 1]
    s.last_close = last
    s.is_data_bad = 0
    return i


cdef inline int64_t replay_flip(LaneState* s, const Columns* x, int64_t n) noexcept nogil:
    """Step flip bars; return how many were good."""
    cdef int64_t i = 0, end, good
    s.rules.is_bracket = 0
    while i < n:
        end = i + CHUNK if i + CHUNK < n else n
        good = good_until(x, i, end, s.last_ts)
        while i < good:
            if s.side and not (s.pending or s.is_bracket or s.exit_units) and s.bars >= s.rules.first_bar:
                i = hold_flip(s, x, i, good)
                if i == good:
                    break
            open_step(s, x.ts[i], x.open[i])
            close_step(s, KIND_EMA_CROSS, x.ts[i], x.open[i], x.high[i], x.low[i], x.close[i])
            i += 1
        if good < end:
            return good
    return n


cdef inline int64_t replay_kind(
    LaneState* s, int64_t kind, int64_t is_bracket, const int64_t* ts, const double* o, const double* h,
    const double* l, const double* c, const double* v, int64_t n
) noexcept nogil:
    """The loop itself; with literal `kind` and `is_bracket` the compiler folds the dispatch."""
    cdef int64_t i
    s.rules.is_bracket = is_bracket
    for i in range(n):
        if ts[i] <= s.last_ts or not is_good_bar(o[i], h[i], l[i], c[i], v[i]):
            return i
        open_step(s, ts[i], o[i])
        close_step(s, kind, ts[i], o[i], h[i], l[i], c[i])
    return n


cdef inline int64_t replay_any(LaneState* s, const Columns* x, int64_t n) noexcept nogil:
    """Step compiled bars on an exchange that is not plain; return how many were good."""
    cdef int64_t i
    for i in range(n):
        if x.ts[i] <= s.last_ts or not is_good_bar(x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i]):
            return i
        open_bar(s, x.ts[i], x.open[i])
        close_bar(s, x.ts[i], x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i])
    return n


cdef inline int64_t replay_bars(LaneState* s, int64_t kind, const Columns* x, int64_t n) noexcept nogil:
    """Step compiled bars; return how many were good."""
    # Work on a copy: the compiler keeps a local's fields in registers, which it cannot do behind a pointer.
    cdef LaneState local
    cdef int64_t i = 0
    if not s.rules.is_plain:
        return replay_any(s, x, n)
    local = s[0]
    local.rules.is_plain = 1
    local.is_collecting = 0
    if kind == KIND_EMA_CROSS and local.rules.is_bracket:
        i = replay_kind(&local, KIND_EMA_CROSS, 1, x.ts, x.open, x.high, x.low, x.close, x.volume, n)
    elif kind == KIND_EMA_CROSS:
        i = replay_flip(&local, x, n)
    else:
        i = replay_kind(&local, kind, 0, x.ts, x.open, x.high, x.low, x.close, x.volume, n)
    s[0] = local
    return i
