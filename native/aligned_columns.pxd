"""What an aligned portfolio computes column by column, a chunk of bars at a time: good bars, indicators, marks."""

from libc.stdint cimport int8_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free

from native.account cimport open_result, open_result_c
from native.indicators cimport AtrState, EmaState, atr_step, il_adx, il_adx_step
from native.lane cimport compiled_signal, is_good_bar
from native.portfolio cimport Feed, Limits
from native.state cimport *

cdef extern from "portfolio_lanes.h" nogil:
    ctypedef struct ilp_columns:
        const double* high[4]
        const double* low[4]
        const double* close[4]
        const double* open[4]
        const double* volume[4]

    int ilp_is_wide()
    int ilp_doubt(int, const double*, const double*, const double*, const double*, const double*, int64_t, double, double)
    int ilp_first_set(uint64_t)
    void ilp_step_ranges(int, const ilp_columns*, AtrState**, il_adx**, int64_t, int64_t, double*, double*)
    void ilp_step_crosses(
        int, const ilp_columns*, EmaState**, EmaState**, int64_t, int64_t, int8_t*, uint64_t*, int
    )

cdef enum:
    SPAN = 256          # bars a chunk: what 20 lanes need of it stays in the second-level cache
    WIDTH = 4           # lanes whose indicators move together

# What the walk keeps of one lane during a chunk.
cdef struct Place:
    const double* open
    const double* high
    const double* low
    const double* close
    double* marks
    int64_t bars                # closed before the chunk
    int64_t marked              # bars of the chunk that are marked
    int64_t counts              # positions of the account that are this lane's: 0 or 1
    double rank                 # of the lane's candidate, before what breaks ties
    int64_t is_sized            # no close of the chunk can shut the size gate
    double cheapest             # between these closes that gate stays open
    double dearest


cdef struct Walk:
    LaneState* lanes
    Feed* feeds
    Account* account
    const Limits* limits
    const int64_t* by_symbol
    int64_t* found
    double* scores
    int64_t count
    int64_t groups
    int64_t words
    int64_t positions
    int64_t wishes              # lanes that are quiet with a wish refused; `wishing` has their bits
    int is_wide
    const int64_t* ts           # of the chunk, the first lane's: one column to keep in the cache
    Place* places
    double* atr                 # [group][bar][lane of the group]; `trend` and `want` too
    double* trend
    int8_t* want
    double* marks               # [lane][bar], where equity is not kept
    uint64_t* changed           # [word][bar]: lanes whose wish is another one than a bar before
    uint64_t* awake             # lanes that need a step at the next bar
    uint64_t* wishing
    uint64_t* active
    uint64_t* fresh             # lanes with a new candidate


cdef inline bint make_walk(Walk* w, int64_t count) noexcept:
    """Take the working memory for `count` lanes; False without."""
    cdef int64_t cells
    w.count, w.groups, w.words = count, (count + WIDTH - 1) // WIDTH, (count + 63) // 64
    cells = w.groups * SPAN * WIDTH
    w.places = <Place*>calloc(count, sizeof(Place))
    w.atr, w.trend = <double*>calloc(cells, sizeof(double)), <double*>calloc(cells, sizeof(double))
    w.marks, w.want = <double*>calloc(count * SPAN, sizeof(double)), <int8_t*>calloc(cells, 1)
    w.changed = <uint64_t*>calloc(w.words * (SPAN + 4), sizeof(uint64_t))
    w.is_wide = ilp_is_wide()
    if w.places == NULL or w.atr == NULL or w.trend == NULL or w.marks == NULL or w.want == NULL or w.changed == NULL:
        return False
    w.awake = w.changed + w.words * SPAN
    w.wishing, w.active, w.fresh = w.awake + w.words, w.awake + 2 * w.words, w.awake + 3 * w.words
    return True


cdef inline void free_walk(Walk* w) noexcept:
    free(w.places)
    free(w.atr)
    free(w.trend)
    free(w.marks)
    free(w.want)
    free(w.changed)


cdef inline int64_t cell(int64_t lane, int64_t t) noexcept nogil:
    return (lane // WIDTH * SPAN + t) * WIDTH + lane % WIDTH


cdef inline void size_bounds(const LaneState* s, Place* p) noexcept nogil:
    """Closes between which an entry's size surely passes its gate: a bound from below, rounding left room for."""
    cdef double notional = s.rules.notional * s.multiplier
    cdef double spare = notional * (1.0 - 1e-9) - s.rules.min_notional * (1.0 + 1e-9)
    # Rounding down to the lot takes less than a lot and a unit away; sizes are below 9e18 units.
    p.dearest = spare * 1e6 / (<double>s.rules.lot_units + 2.0) * (1.0 - 1e-9)
    p.cheapest = notional * 1e6 / 8e18


cdef inline int64_t good_bars(Walk* w, int64_t start, int64_t n) noexcept nogil:
    """Return the bars from `start` that are good on all lanes, at most n; mark the lanes that stop them."""
    cdef int64_t lane, i
    cdef int64_t good = n
    cdef int doubt
    cdef Feed* f
    cdef Place* p
    for lane in range(w.count):
        f, p = w.feeds + lane, w.places + lane
        doubt = ilp_doubt(
            w.is_wide, f.columns.open + start, f.columns.high + start, f.columns.low + start,
            f.columns.close + start, f.columns.volume + start, n, p.cheapest, p.dearest
        )
        p.is_sized = doubt & 2 == 0
        f.is_bad = 0
        if doubt & 1:
            for i in range(start, start + good):
                if not is_good_bar(
                    f.columns.open[i], f.columns.high[i], f.columns.low[i], f.columns.close[i], f.columns.volume[i]
                ):
                    good = i - start
                    break
    if good < n:
        i = start + good
        for lane in range(w.count):
            f = w.feeds + lane
            f.is_bad = not is_good_bar(
                f.columns.open[i], f.columns.high[i], f.columns.low[i], f.columns.close[i], f.columns.volume[i]
            )
    return good


cdef inline void step_alone(Walk* w, int64_t lane, int64_t start, int64_t n) noexcept nogil:
    """One lane's ATR and ADX, where a group is still warming up."""
    cdef Feed* f = w.feeds + lane
    cdef int64_t i
    for i in range(n):
        w.atr[cell(lane, i)] = atr_step(
            &w.lanes[lane].atr, f.columns.high[start + i], f.columns.low[start + i], f.columns.close[start + i]
        )
        w.trend[cell(lane, i)] = il_adx_step(
            &f.trend, f.columns.high[start + i], f.columns.low[start + i], f.columns.close[start + i]
        )


cdef inline void wish_alone(Walk* w, int64_t lane, int64_t start, int64_t n) noexcept nogil:
    """One lane's wishes, whatever its strategy."""
    cdef LaneState* s = w.lanes + lane
    cdef const double* close = w.feeds[lane].columns.close + start
    cdef uint64_t* changed = w.changed + lane // 64 * SPAN
    cdef uint64_t bit = <uint64_t>1 << <uint64_t>(lane % 64)
    cdef int64_t kind = s.rules.kind, i, want
    cdef int64_t before = w.want[cell(lane, SPAN - 1)]      # of the chunk before; at the first all are awake
    for i in range(n):
        want = compiled_signal(s, kind, s.bars + i, close[i])
        w.want[cell(lane, i)] = <int8_t>want
        if want != before:
            changed[i] |= bit
        before = want


cdef inline void step_group(Walk* w, int64_t first, int64_t start, int64_t n) noexcept nogil:
    """The indicators and wishes of four lanes from `first` on; the last lane stands in for those not there."""
    cdef ilp_columns x
    cdef AtrState* atrs[WIDTH]
    cdef il_adx* trends[WIDTH]
    cdef EmaState* fast[WIDTH]
    cdef EmaState* slow[WIDTH]
    cdef bint is_warm = True, is_cross = True
    cdef int64_t k, lane
    cdef LaneState* s
    cdef Feed* f
    cdef int64_t last = first + WIDTH if first + WIDTH < w.count else w.count
    for k in range(WIDTH):
        lane = first + k if first + k < last else last - 1
        s, f = w.lanes + lane, w.feeds + lane
        x.high[k], x.low[k], x.close[k] = f.columns.high, f.columns.low, f.columns.close
        x.open[k], x.volume[k] = f.columns.open, f.columns.volume
        atrs[k], trends[k], fast[k], slow[k] = &s.atr, &f.trend, &s.ema_fast, &s.ema_slow
        is_warm &= s.atr.count > 0 and f.trend.count >= 2 * f.trend.period
        is_cross &= s.rules.kind == KIND_EMA_CROSS and not s.rules.is_bracket and s.bars > s.rules.first_bar
        is_cross &= s.ema_fast.count > 0 and s.ema_slow.count > 0
    if is_warm:
        ilp_step_ranges(w.is_wide, &x, atrs, trends, start, n, w.atr + cell(first, 0), w.trend + cell(first, 0))
    else:
        for lane in range(first, last):
            step_alone(w, lane, start, n)
    if is_cross:
        ilp_step_crosses(
            w.is_wide, &x, fast, slow, start, n, w.want + cell(first, 0), w.changed + first // 64 * SPAN,
            <int>(first % 64)
        )
    else:
        for lane in range(first, last):
            wish_alone(w, lane, start, n)


cdef inline void mark_until(const LaneState* s, Place* p, int64_t end) noexcept nogil:
    """Mark the bars up to `end` with what the lane holds now, as `finish_step` does."""
    cdef double held = <double>s.side * s.quantity, realised = s.realised, entry = s.entry, fee = s.entry_fee
    cdef double* marks = p.marks
    cdef const double* close = p.close
    cdef int64_t i
    if s.side == 0:
        for i in range(p.marked, end):
            marks[i] = realised
    elif s.exit_units or s.trade_funding:
        for i in range(p.marked, end):
            marks[i] = realised + open_result(<LaneState*>s, close[i])
    else:
        for i in range(p.marked, end):
            marks[i] = realised + open_result_c(held, close[i], entry, fee)
    p.marked = end
