"""Many lanes under one account: what they share, and how candidates of one time are ranked for capacity."""

from libc.stdint cimport int64_t

from native.account cimport open_result
from native.entries cimport enter
from native.exchange cimport maintenance
from native.indicators cimport il_adx
from native.lane cimport is_good_bar
from native.replay cimport Columns
from native.state cimport *

cdef enum:
    AHEAD = 16      # bars of a lane read ahead: many columns a page apart would evict each other from the cache

cdef struct Candle:
    int64_t ts
    double open
    double high
    double low
    double close
    double volume

cdef struct Feed:
    Candle[AHEAD] candles
    Columns columns
    il_adx trend                # ADX(14) at the last close stepped
    int64_t at                  # next candle here
    int64_t count               # good candles here
    int64_t read                # bars of the columns read
    int64_t end
    int64_t is_bad              # the bar after those here is refused
    int64_t last_ts


cdef inline bint has_candle(Feed* f) noexcept nogil:
    """Whether a good candle is left, after reading ahead where that is needed."""
    cdef const Columns* x = &f.columns
    cdef Candle* candle
    cdef int64_t i
    if f.at < f.count:
        return True
    f.at = f.count = 0
    while f.count < AHEAD and f.read < f.end and not f.is_bad:
        i, candle = f.read, f.candles + f.count
        if x.ts[i] <= f.last_ts or not is_good_bar(x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i]):
            f.is_bad = 1
            break
        candle.ts, candle.open, candle.high, candle.low = x.ts[i], x.open[i], x.high[i], x.low[i]
        candle.close, candle.volume = x.close[i], x.volume[i]
        f.last_ts = candle.ts
        f.count += 1
        f.read += 1
    return f.count > 0


cdef struct Limits:
    double cash
    double leverage
    double max_notional         # of all positions together; 0: no bound
    int64_t max_entries         # a time
    int64_t max_positions


cdef inline void take_stock(LaneState* lanes, int64_t count, Account* a, const Limits* limits) noexcept nogil:
    """What the account is worth and has bound at the last closes, lanes in order."""
    cdef LaneState* s
    cdef int64_t i, tier
    cdef double notional
    a.equity, a.notional, a.maintained, a.positions, a.entries = limits.cash, 0.0, 0.0, 0, 0
    for i in range(count):
        s = lanes + i
        s.mark, s.maintained = s.realised, 0.0
        if s.side:
            s.mark += open_result(s, s.last_close)
            notional = s.quantity * s.last_close
            if limits.leverage > 0.0:
                s.maintained = maintenance(s, notional, &tier)
                a.maintained += s.maintained
            if not (s.pending & 1 and not s.close_slot.is_part):
                a.notional += notional
                a.positions += 1
        a.equity += s.mark
        if s.pending & 2:
            a.notional += <double>(s.open_slot.units - s.open_slot.filled) / 1e6 * s.last_close
            a.positions += s.side == 0 or (s.pending & 1) != 0
    a.margin = a.notional / limits.leverage if limits.leverage > 0.0 else 0.0


cdef inline double strength_rank(double strength) noexcept nogil:
    """low 0, medium 1, high 2: the tiers 0.25, 0.5 and 1.0."""
    return 2.0 if strength >= 1.0 else (1.0 if strength >= 0.5 else 0.0)


cdef inline void enter_candidate(LaneState* s, Account* a, const Limits* limits) noexcept nogil:
    """One candidate in its turn: its own gates, then what is left of the account; what it takes is gone."""
    cdef int64_t own_gates = s.gates
    cdef int64_t had_open = s.pending & 2
    cdef double notional
    # The lane has finished the bar on which it wished; the order belongs to that bar.
    s.bars -= 1
    s.is_data_bad = s.candidate_bad
    if a.entries >= limits.max_entries or a.positions >= limits.max_positions or (
        limits.max_notional > 0.0 and a.notional >= limits.max_notional
    ):
        s.gates |= GATE_CAPACITY
    enter(s, s.last_ts, s.last_close, s.candidate.side, s.candidate_pending, &s.candidate)
    s.gates, s.is_data_bad = own_gates, 0
    s.bars += 1
    if s.pending & 2 and not had_open:
        notional = <double>s.open_slot.units / 1e6 * s.last_close
        a.entries += 1
        a.positions += 1
        a.notional += notional
        a.margin += notional / limits.leverage if limits.leverage > 0.0 else 0.0


cdef inline void rank_candidates(
    LaneState* lanes, int64_t count, const Feed* feeds, const int64_t* order, int64_t* found, double* scores,
    Account* a, const Limits* limits
) noexcept nogil:
    """Serve the candidates of one time by strength rank * 100 + tie measure, ties by symbol (`order`)."""
    cdef int64_t i, j, best, waiting = 0
    for i in range(count):
        if lanes[order[i]].has_candidate:
            found[waiting] = order[i]
            scores[waiting] = strength_rank(lanes[order[i]].candidate.strength) * 100.0 + feeds[order[i]].trend.value
            lanes[order[i]].has_candidate = 0
            waiting += 1
    for i in range(waiting):
        best = 0
        for j in range(1, waiting):
            if scores[j] > scores[best]:
                best = j
        scores[best] = -1.0
        enter_candidate(lanes + found[best], a, limits)
