"""The C interface of a forged strategy, and the steps that run one.

A forged strategy is a freestanding library: `init` makes its state, `on_bar` answers one bar, and
`signals` answers many where the strategy does not read the position, so that replay pays no call per bar.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint64_t

from native.entries cimport decide_step
from native.indicators cimport atr_step
from native.lane cimport exits_bar, finish_step, open_bar
from native.replay cimport CHUNK, Answers, Columns, account_for, columns_from, good_bars, ilc_asked, ilc_lowest, ilc_turn
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
    return (0.0 <= x) & (x < INFINITY)


cdef inline bint is_good_answer(const LaneState* s, const Wish* a) noexcept nogil:
    """A forged answer has been judged where it was given; the kernel still takes nothing on trust."""
    # Nearly all are good: judging all of it costs less than a branch at each part.
    cdef bint is_good = (
        (-1 <= a.side) & (a.side <= 1) & (0.0 <= a.strength) & (a.strength <= 1.0) & (a.hold_bars >= 0)
        & (0.0 <= a.partial) & (a.partial < 1.0) & ((a.partial == 0.0) | (a.partial_target > 0.0))
        & is_level(a.stop) & is_level(a.target) & is_level(a.trail) & is_level(a.partial_target)
        & is_level(a.breakeven)
        & ((a.limit == -1.0) | (is_level(a.limit) & (s.extras.entry_limit >= 0.0)))
    )
    return is_good or a.side == KEEP


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


cdef inline void fail_at(LaneState* s, const Columns* x, int64_t i) noexcept nogil:
    """What the account sees of a bar on which the strategy failed: its open and its levels, no mark."""
    open_bar(s, x.ts[i], x.open[i])
    begin_close(s, x.ts[i], x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i])


cdef inline int64_t good_answers(const LaneState* s, const Answers* given, int64_t n) noexcept nogil:
    """Return the first of `n` answers with levels that the kernel refuses, or n."""
    cdef int64_t i, word
    cdef uint64_t asked
    for word in range((n + 63) // 64):
        asked = ilc_asked(&given.turns, word)
        while asked:
            i = 64 * word + ilc_lowest(asked)
            if i >= n:
                return n
            if not is_good_answer(s, given.wish + i):
                return i
            asked &= asked - 1
    return n


cdef inline int64_t replay_answers(
    LaneState* s, const ForgedCalls* f, const Columns* x, double* atr, int64_t averaged, int64_t room, int64_t n,
    int64_t* error
) noexcept nogil:
    """Have `n` good bars (at most CHUNK) answered, then account for them; return how many were stepped.

    `atr`, `averaged`, `room`: as in `Answers`.
    """
    cdef signed char[CHUNK] want
    cdef Wish[CHUNK] wish
    cdef ForgedAnswers answers
    cdef Answers given
    cdef int64_t done, good
    answers.want, answers.wish, answers.error = want, wish, 0
    done = f.signals(f.state, x, n, s.bars, &answers)
    given.wish, given.atr, given.averaged, given.room = wish if f.has_levels else NULL, atr, averaged, room
    ilc_turn(want, KEEP, &given.turns)
    good = good_answers(s, &given, done) if f.has_levels else done
    error[0] = answers.error if good == done else BAD_ANSWER
    account_for(s, x, &given, good)
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
    cdef double[CHUNK] atr
    cdef int64_t i = 0, size, good, done
    cdef Columns part
    error[0] = 0
    while i < n:
        part = columns_from(x, i)
        size = CHUNK if i + CHUNK < n else n - i
        good = good_bars(&local, &part, size, atr)
        if f.signals == NULL:
            done = replay_each(&local, f, &part, good, error)
        else:
            done = replay_answers(&local, f, &part, atr, 0, n - i, good, error)
            if error[0]:
                fail_at(&local, &part, done)
        i += done
        if error[0] or good < size:
            break
    lane[0] = local
    return i
