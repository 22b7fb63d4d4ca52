"""The C interface of a forged strategy, and the steps that run one.

A forged strategy is a freestanding library: `init` makes its state, `on_bar` answers one bar, and
`signals` answers many where the strategy does not read the position. Answers of many bars are ready
before the account moves, so that replay pays no call per bar and passes quiet bars in a short loop.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from native.account cimport open_result_c
from native.entries cimport decide_step
from native.indicators cimport atr_step, ema_next, true_range
from native.lane cimport exits_bar, finish_step, open_bar
from native.replay cimport CHUNK, Columns, good_until
from native.state cimport KEEP, LaneState, Wish

cdef enum:
    ABI = 1
    BAD_ANSWER = -1     # as an error number: the answer is outside what the kernel takes

cdef struct ForgedBar:
    int64_t ts_ns
    int64_t index
    double open
    double high
    double low
    double close
    double volume
    int64_t side

cdef struct ForgedAnswers:
    signed char* want   # -1, 0, +1 or KEEP
    Wish* wish          # written where `want` is not KEEP, by strategies with levels
    int64_t error       # number of the place that failed, 0 where all bars were answered

ctypedef int64_t (*forged_init)(void* state, int64_t capacity, const double* params) noexcept nogil
ctypedef int64_t (*forged_on_bar)(void* state, const ForgedBar* bar, Wish* answer) noexcept nogil
ctypedef int64_t (*forged_signals)(
    void* state, const Columns* x, int64_t n, int64_t index, ForgedAnswers* answers
) noexcept nogil

cdef struct ForgedCalls:
    void* state
    forged_on_bar on_bar
    forged_signals signals      # NULL where the strategy reads the position
    int64_t has_levels          # its answers can carry strength, stop or target


cdef class Forged:
    cdef ForgedCalls calls
    cdef int64_t size
    cdef readonly str name
    cdef readonly str build_sha256
    cdef readonly int64_t warmup_bars
    cdef dict _values
    cdef tuple _fields
    cdef tuple _places
    cdef object _library
    cdef _fail(self, int64_t error)


cdef inline bint is_level(double x) noexcept nogil:
    return 0.0 <= x < INFINITY


cdef inline bint is_good_answer(const LaneState* s, const Wish* a) noexcept nogil:
    """A forged answer has been judged where it was given; the kernel still takes nothing on trust."""
    return a.side == KEEP or (
        -1 <= a.side <= 1 and 0.0 <= a.strength <= 1.0 and 0.0 <= a.partial < 1.0 and a.hold_bars >= 0
        and is_level(a.stop) and is_level(a.target) and is_level(a.trail) and is_level(a.partial_target)
        and is_level(a.breakeven) and (a.partial == 0.0 or a.partial_target > 0.0)
        and (a.limit == -1.0 or (is_level(a.limit) and s.extras.entry_limit >= 0.0))
    )


cdef inline void begin_close(LaneState* s, int64_t ts, double o, double h, double l, double c, double v) noexcept nogil:
    """What precedes the strategy at a close; a strategy that fails cannot be stepped over the bar again."""
    exits_bar(s, ts, o, h, l, c, v)
    s.last_ts = ts
    atr_step(&s.atr, h, l, c)


cdef inline int64_t forged_close(
    LaneState* s, const ForgedCalls* f, int64_t ts, double o, double h, double l, double c, double v
) noexcept nogil:
    """A bar closes under a forged strategy; return 0 or the number of the place that failed."""
    cdef int64_t had_pending = s.pending
    cdef int64_t error
    cdef ForgedBar bar
    cdef Wish answer
    begin_close(s, ts, o, h, l, c, v)
    bar.ts_ns, bar.index, bar.side, bar.volume = ts, s.bars, s.side, v
    bar.open, bar.high, bar.low, bar.close = o, h, l, c
    error = f.on_bar(f.state, &bar, &answer)
    if error:
        return error
    if not is_good_answer(s, &answer):
        return BAD_ANSWER
    decide_step(s, ts, c, answer.side, had_pending, &answer)
    finish_step(s, ts, c)
    return 0


cdef inline int64_t quiet_until(const signed char* want, int64_t side, int64_t start, int64_t end) noexcept nogil:
    """Return the first bar in [start, end) whose answer changes what is held, or end."""
    cdef int64_t i = start
    while i < end and (want[i] == side or want[i] == KEEP):
        i += 1
    return i


cdef inline int64_t held_until(LaneState* s, int64_t start, int64_t end) noexcept nogil:
    """Return the bar in [start, end) on which the longest holding time ends, or end."""
    cdef int64_t last = start + s.hold_bars - 1 - (s.bars - s.entry_bar)
    if s.hold_bars == 0 or last >= end:
        return end
    return last if last > start else start


cdef inline int64_t untouched_until(LaneState* s, const Columns* x, int64_t start, int64_t end) noexcept nogil:
    """Trail the stop; return the first bar in [start, end) that touches a level, or end.

    A short is the long of negated prices, which is exact.
    """
    cdef double side = <double>s.side
    cdef const double* worst = x.low if s.side > 0 else x.high
    cdef const double* best = x.high if s.side > 0 else x.low
    cdef double stop = side * s.stop, near = side * s.target, trail = s.trail, level
    cdef int64_t i = start, has_trailed = s.has_trailed
    if s.partial > 0.0 and side * s.partial_target < near:
        near = side * s.partial_target
    if s.breakeven > 0.0 and side * s.breakeven < near:
        near = side * s.breakeven
    while i < end and not (side * worst[i] <= stop or side * best[i] >= near):
        level = side * best[i] - trail
        if level > stop:
            stop, has_trailed = level, 1
        i += 1
    s.stop, s.has_trailed = side * stop, has_trailed
    return i


cdef inline void mark_quiet(LaneState* s, const Columns* x, int64_t start, int64_t end) noexcept nogil:
    """The marks and the ATR of [start, end) for an unchanged position."""
    cdef const double* h = x.high
    cdef const double* l = x.low
    cdef const double* close = x.close
    cdef double a = s.atr.a, b = s.atr.b
    cdef double atr = ema_next(a, b, s.atr.value, true_range(h[start], l[start], s.last_close))
    cdef double realised = s.realised, entry = s.entry, entry_fee = s.entry_fee
    cdef double held = <double>s.side * s.quantity
    cdef double* equity = s.equity + s.equity_count - start
    cdef int64_t i
    # Previous closes come from the column: carried along, they would lengthen the chain of the average.
    for i in range(start + 1, end):
        atr = ema_next(a, b, atr, true_range(h[i], l[i], close[i - 1]))
    s.atr.value = atr
    if not s.rules.keeps_equity:
        return
    if held == 0.0:
        for i in range(start, end):
            equity[i] = realised + 0.0
    else:
        for i in range(start, end):
            equity[i] = realised + open_result_c(held, close[i], entry, entry_fee)
    s.equity_count += end - start


cdef inline int64_t hold_quiet(
    LaneState* s, const Columns* x, const signed char* want, int64_t start, int64_t stop_before
) noexcept nogil:
    """Pass bars on which nothing can happen but marking and trailing; return the first of another kind.

    The same arithmetic as the full step, for nothing pending and no part exit.
    """
    cdef int64_t end = quiet_until(want, s.side, start, stop_before)
    if s.side:
        end = held_until(s, start, end)
        end = untouched_until(s, x, start, end) if s.is_bracket else end
    if end == start:
        return start
    mark_quiet(s, x, start, end)
    s.last_close = s.atr.previous_close = x.close[end - 1]
    s.open_ts = s.last_ts = x.ts[end - 1]
    s.atr.count += end - start
    s.bars += end - start
    s.is_data_bad = 0
    return end


cdef inline void fail_at(LaneState* s, const Columns* x, int64_t i) noexcept nogil:
    """What the account sees of a bar on which the strategy failed: its open and its levels, no mark."""
    open_bar(s, x.ts[i], x.open[i])
    begin_close(s, x.ts[i], x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i])


cdef inline int64_t good_answers(const LaneState* s, const ForgedAnswers* answers, int64_t n) noexcept nogil:
    """Return the first of `n` answers with levels that the kernel refuses, or n."""
    cdef int64_t i
    for i in range(n):
        if answers.want[i] != KEEP and not is_good_answer(s, &answers.wish[i]):
            return i
    return n


cdef inline void account_answers(
    LaneState* s, const Columns* x, const ForgedAnswers* answers, int64_t has_levels, int64_t n
) noexcept nogil:
    """Move the account over `n` answered bars."""
    cdef int64_t i = 0, had_pending
    cdef const signed char* want = answers.want
    while i < n:
        if s.rules.is_plain and s.bars and not (s.pending or s.exit_units):
            i = hold_quiet(s, x, want, i, n)
            if i == n:
                return
        open_bar(s, x.ts[i], x.open[i])
        had_pending = s.pending
        begin_close(s, x.ts[i], x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i])
        decide_step(s, x.ts[i], x.close[i], want[i], had_pending, &answers.wish[i] if has_levels else NULL)
        finish_step(s, x.ts[i], x.close[i])
        i += 1


cdef inline int64_t replay_answers(
    LaneState* s, const ForgedCalls* f, const Columns* x, int64_t n, int64_t* error
) noexcept nogil:
    """Have `n` good bars (at most CHUNK) answered, then account for them; return how many were stepped."""
    cdef signed char[CHUNK] want
    cdef Wish[CHUNK] wish
    cdef ForgedAnswers answers
    cdef int64_t done, good
    answers.want, answers.wish, answers.error = want, wish, 0
    done = f.signals(f.state, x, n, s.bars, &answers)
    good = good_answers(s, &answers, done) if f.has_levels else done
    error[0] = answers.error if good == done else BAD_ANSWER
    account_answers(s, x, &answers, f.has_levels, good)
    return good


cdef inline int64_t replay_each(
    LaneState* s, const ForgedCalls* f, const Columns* x, int64_t n, int64_t* error
) noexcept nogil:
    """Step `n` good bars one by one, for a strategy that reads the position; return how many were stepped."""
    cdef int64_t i
    for i in range(n):
        open_bar(s, x.ts[i], x.open[i])
        error[0] = forged_close(s, f, x.ts[i], x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i])
        if error[0]:
            return i
    return n


cdef inline int64_t replay_forged(
    LaneState* lane, const ForgedCalls* f, const Columns* x, int64_t n, int64_t* error
) noexcept nogil:
    """Step forged bars; return how many were stepped. `error` tells a failed strategy from a bad bar."""
    cdef LaneState local = lane[0]
    cdef int64_t i = 0, end, good, done
    cdef Columns part
    error[0] = 0
    while i < n:
        end = i + CHUNK if i + CHUNK < n else n
        good = good_until(x, i, end, local.last_ts)
        part.ts, part.open, part.high = x.ts + i, x.open + i, x.high + i
        part.low, part.close, part.volume = x.low + i, x.close + i, x.volume + i
        if f.signals == NULL:
            i += replay_each(&local, f, &part, good - i, error)
        else:
            done = replay_answers(&local, f, &part, good - i, error)
            if error[0]:
                fail_at(&local, &part, done)
            i += done
        if error[0] or good < end:
            break
    lane[0] = local
    return i
