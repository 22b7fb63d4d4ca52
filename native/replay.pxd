"""Replay over columns, chunk by chunk: look at the bars, have them answered, then move the account.

What a strategy says does not depend on the account (or it is stepped bar by bar), so a chunk's answers are
ready before the account moves, and bars on which nothing can happen are passed in short loops with the same
inline arithmetic as the steps of `lane.pxd`.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from native.entries cimport decide_step
from native.indicators cimport AtrState, EmaState, true_range
from native.lane cimport compiled_signal, cross_signal, exits_bar, finish_step, is_good_bar, open_bar
from native.state cimport *

cdef extern from "columns.h" nogil:
    enum:
        CHUNK "ILC_CHUNK"
        SPARE "ILC_SPARE"
        WORDS "ILC_WORDS"

    ctypedef struct Columns "ilc_columns":
        const int64_t* ts
        const double* open
        const double* high
        const double* low
        const double* close
        const double* volume

    ctypedef struct Front "ilc_front":
        int64_t at
        double value

    bint ilc_look(const Columns*, int64_t n, double a, double last, double* share) noexcept
    void ilc_mark(
        const double* close, int64_t n, int64_t room, double realised, double held, double entry, double entry_fee,
        double* equity
    ) noexcept
    void ilc_advance(Front*, const Columns*, int64_t n, int64_t until, double b, double* average) noexcept
    ctypedef struct Turns "ilc_turns":
        pass

    void ilc_turn(const signed char* want, signed char keep, Turns*) noexcept
    int64_t ilc_quiet(const Turns*, int64_t side, int64_t start, int64_t end) noexcept
    uint64_t ilc_asked(const Turns*, int64_t word) noexcept
    int ilc_lowest(uint64_t) noexcept
    void ilc_turn_word(Turns*, int64_t word, uint64_t up, uint64_t down) noexcept
    int64_t ilc_want(const Turns*, int64_t i, int64_t keep) noexcept


# The answers of a chunk, and what the account needs beside its columns.
cdef struct Answers:
    Turns turns                 # what is wanted at each bar, by the side that would have to turn
    const Wish* wish            # NULL for strategies without levels
    double* atr                 # what each bar adds to it, until the account comes by: then the ATR after the bar
    int64_t averaged            # bars before which `atr` is the average already
    int64_t room                # bars from the chunk's first to the end of the columns


cdef inline Columns columns_from(const Columns* x, int64_t start) noexcept nogil:
    cdef Columns part
    part.ts, part.open, part.high = x.ts + start, x.open + start, x.high + start
    part.low, part.close, part.volume = x.low + start, x.close + start, x.volume + start
    return part


cdef inline int64_t good_bars(const LaneState* s, const Columns* x, int64_t n, double* share) noexcept nogil:
    """Return the first bad bar of a chunk, or n; write what each good bar adds to the ATR."""
    cdef int64_t last_ts = s.last_ts
    cdef AtrState average = s.atr
    cdef int64_t i
    # The very first bar has no previous close: it and what is in doubt are looked at bar by bar.
    if average.count and n and x.ts[0] > last_ts and not ilc_look(
        x, n, average.a, average.previous_close, share
    ):
        return n
    for i in range(n):
        if x.ts[i] <= last_ts or not is_good_bar(x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i]):
            return i
        last_ts = x.ts[i]
        # Before the first bar the average is 0, and 0 times its weight adds nothing: as `atr_step` seeds it.
        share[i] = x.high[i] - x.low[i]
        if average.count:
            share[i] = average.a * true_range(x.high[i], x.low[i], average.previous_close)
        average.previous_close = x.close[i]
        average.count += 1
    return n


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
    cdef double old = side * s.stop, stop = old, near = side * s.target, trail = s.trail, most, level
    cdef int64_t i = start
    if s.partial > 0.0 and side * s.partial_target < near:
        near = side * s.partial_target
    if s.breakeven > 0.0 and side * s.breakeven < near:
        near = side * s.breakeven
    while i < end:
        most = side * best[i]
        if side * worst[i] <= stop or most >= near:
            break
        # Whether it trails is as good as random: a branch here costs more than the rest.
        level = most - trail
        stop = level if level > stop else stop
        i += 1
    if stop > old:
        s.stop, s.has_trailed = side * stop, 1
    return i


cdef inline void mark_quiet(
    LaneState* s, const Columns* x, int64_t start, int64_t end, int64_t room
) noexcept nogil:
    """The marks of [start, end) for an unchanged position; a flat one has only zeros to multiply."""
    ilc_mark(
        x.close + start, end - start, room - start, s.realised, <double>s.side * s.quantity, s.entry,
        s.entry_fee, s.equity + s.equity_count,
    )
    s.equity_count += end - start


cdef inline int64_t hold_quiet(
    LaneState* s, const Columns* x, const Answers* given, int64_t start, int64_t stop_before
) noexcept nogil:
    """Pass bars on which nothing can happen but marking and trailing; return the first of another kind.

    The same arithmetic as the full step, for nothing pending, no part exit and no funding in the trade.
    """
    cdef int64_t end = ilc_quiet(&given.turns, s.side, start, stop_before)
    if s.side:
        end = held_until(s, start, end)
        end = untouched_until(s, x, start, end) if s.is_bracket else end
    if end == start:
        return start
    if s.rules.keeps_equity:
        mark_quiet(s, x, start, end, given.room)
    s.last_close = x.close[end - 1]
    s.open_ts = s.last_ts = x.ts[end - 1]
    s.bars += end - start
    s.is_data_bad = 0
    return end


cdef inline void account_for(LaneState* s, const Columns* x, const Answers* given, int64_t n) noexcept nogil:
    """Move the account over `n` answered bars, and the ATR with it."""
    cdef int64_t i = 0, had_pending
    cdef int64_t ts
    cdef double c
    cdef Front front
    if n == 0:
        return
    front.at, front.value = given.averaged, s.atr.value
    while i < n:
        if s.rules.is_plain and s.pending:
            open_bar(s, x.ts[i], x.open[i])     # what fills here may be held quietly from this bar on
        if s.rules.is_plain and not s.exit_units:
            i = hold_quiet(s, x, given, i, n)
            ilc_advance(&front, x, n, i, s.atr.b, given.atr)
            if i == n:
                break
        ts, c = x.ts[i], x.close[i]
        open_bar(s, ts, x.open[i])
        had_pending = s.pending
        exits_bar(s, ts, x.open[i], x.high[i], x.low[i], c, x.volume[i])
        s.last_ts = ts
        ilc_advance(&front, x, n, i + 1, s.atr.b, given.atr)
        s.atr.value = given.atr[i]
        decide_step(s, ts, c, ilc_want(&given.turns, i, KEEP), had_pending, given.wish + i if given.wish != NULL else NULL)
        finish_step(s, ts, c)
        i += 1
    s.atr.value, s.atr.previous_close = given.atr[n - 1], x.close[n - 1]
    s.atr.count += n


cdef inline void cross_answers(
    LaneState* s, bint is_bracket, const Columns* x, signed char* want, int64_t n
) noexcept nogil:
    """What crossing averages want at each of `n` closes."""
    # Copies: behind a pointer each would be written and read again at every bar.
    cdef EmaState fast = s.ema_fast, slow = s.ema_slow
    cdef int64_t silent = s.rules.first_bar - s.bars
    cdef int64_t i
    for i in range(n):
        want[i] = <signed char>cross_signal(&fast, &slow, is_bracket, x.close[i])
    s.ema_fast, s.ema_slow = fast, slow
    if silent > 0:
        memset(want, KEEP, silent if silent < n else n)


cdef inline void compiled_answers(LaneState* s, const Columns* x, signed char* want, int64_t n) noexcept nogil:
    """What a built-in strategy wants at each of `n` closes; moves its indicators, and nothing of the account."""
    cdef int64_t i
    if s.rules.kind != KIND_EMA_CROSS:
        for i in range(n):
            want[i] = <signed char>compiled_signal(s, s.rules.kind, s.bars + i, x.close[i])
    elif s.rules.is_bracket:
        cross_answers(s, 1, x, want, n)
    else:
        cross_answers(s, 0, x, want, n)


cdef inline int64_t replay_bars(LaneState* lane, const Columns* x, int64_t n) noexcept nogil:
    """Step bars of a built-in strategy; return how many were good."""
    cdef LaneState local = lane[0]
    cdef signed char[CHUNK] want
    cdef double[CHUNK] atr
    cdef Answers given
    cdef Columns part
    cdef int64_t i = 0, size, good
    given.wish, given.atr, given.averaged = NULL, atr, 0
    while i < n:
        part = columns_from(x, i)
        size = CHUNK if i + CHUNK < n else n - i
        good = good_bars(&local, &part, size, atr)
        compiled_answers(&local, &part, want, good)
        ilc_turn(want, KEEP, &given.turns)
        given.room = n - i
        account_for(&local, &part, &given, good)
        i += good
        if good < size:
            break
    lane[0] = local
    return i
