"""A portfolio whose symbols share their times, on the plain exchange: steps only where something happens.

Chunk by chunk: first every lane's indicators and wishes, column by column; then the times in order, at each of
them a step of `lane.pxd` for the lanes that need one; then the marks, column by column. A lane needs none while it
is quiet: nothing ordered, no level or longest holding time, the same wish as before, and that wish either held
already or refused for want of capacity alone, as it is refused again while there is none.
"""

from libc.stdint cimport int8_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from native.account cimport open_result, open_result_c
from native.entries cimport decide_step
from native.exits cimport ladder_step
from native.indicators cimport AtrState, EmaState, atr_step, il_adx, il_adx_step
from native.lane cimport compiled_signal, is_good_bar, open_step
from native.portfolio cimport Feed, Limits, enter_candidate, strength_rank
from native.state cimport *

cdef extern from "portfolio_lanes.h" nogil:
    ctypedef struct ilp_columns:
        const double* high[4]
        const double* low[4]
        const double* close[4]

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
    const int64_t* ts
    const double* open
    const double* high
    const double* low
    const double* close
    double* marks
    int64_t bars                # closed before the chunk
    int64_t marked              # bars of the chunk that are marked
    int64_t counts              # positions of the account that are this lane's: 0 or 1
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
    int64_t wishes              # lanes that are quiet with a wish refused
    int is_wide
    Place* places
    double* atr                 # [group][bar][lane of the group]; `trend` and `want` too
    double* trend
    int8_t* want
    double* marks               # [lane][bar], where equity is not kept
    uint64_t* changed           # [word][bar]: lanes whose wish is another one than a bar before
    uint64_t* awake             # lanes that need a step at the next bar
    uint64_t* wishing
    uint64_t* active


cdef inline bint make_walk(Walk* w, int64_t count) noexcept:
    """Take the working memory for `count` lanes; False without."""
    cdef int64_t cells
    w.count, w.groups, w.words = count, (count + WIDTH - 1) // WIDTH, (count + 63) // 64
    cells = w.groups * SPAN * WIDTH
    w.places = <Place*>calloc(count, sizeof(Place))
    w.atr, w.trend = <double*>calloc(cells, sizeof(double)), <double*>calloc(cells, sizeof(double))
    w.marks, w.want = <double*>calloc(count * SPAN, sizeof(double)), <int8_t*>calloc(cells, 1)
    w.changed = <uint64_t*>calloc(w.words * (SPAN + 3), sizeof(uint64_t))
    w.is_wide = ilp_is_wide()
    if w.places == NULL or w.atr == NULL or w.trend == NULL or w.marks == NULL or w.want == NULL or w.changed == NULL:
        return False
    w.awake = w.changed + w.words * SPAN
    w.wishing, w.active = w.awake + w.words, w.awake + 2 * w.words
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


# ---- column by column ----

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
    cdef int64_t bars = s.bars, kind = s.rules.kind, i, want
    cdef int64_t before = KEEP
    for i in range(n):
        want = compiled_signal(s, kind, close[i])
        w.want[cell(lane, i)] = <int8_t>want
        if want != before:
            changed[i] |= bit
        before = want
        s.bars += 1
    s.bars = bars


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
        atrs[k], trends[k], fast[k], slow[k] = &s.atr, &f.trend, &s.ema_fast, &s.ema_slow
        is_warm &= s.atr.count > 0 and f.trend.count >= 2 * f.trend.period
        is_cross &= s.rules.kind == KIND_EMA_CROSS and not s.rules.is_bracket and s.bars >= s.rules.first_bar
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


# ---- time by time ----

cdef inline bint has_levels(const LaneState* s) noexcept nogil:
    return s.side != 0 and (s.is_bracket != 0 or s.hold_bars != 0)


cdef inline void step_lane(Walk* w, int64_t lane, int64_t t) noexcept nogil:
    """A whole bar of one lane, its indicators apart: `open_step`, then what `close_bar` does on the plain exchange."""
    cdef LaneState* s = w.lanes + lane
    cdef Place* p = w.places + lane
    cdef int64_t ts = p.ts[t]
    cdef int64_t had_pending
    if s.pending or has_levels(s):
        mark_until(s, p, t)
    s.bars = p.bars + t
    open_step(s, ts, p.open[t])
    had_pending = s.pending
    if has_levels(s):
        ladder_step(s, ts, p.open[t], p.high[t], p.low[t], p.close[t])
    s.atr.value = w.atr[cell(lane, t)]
    decide_step(s, ts, p.close[t], w.want[cell(lane, t)], had_pending, NULL)
    s.last_close, s.last_ts, s.is_data_bad = p.close[t], ts, 0
    s.bars += 1
    w.positions -= p.counts
    p.counts = s.side != 0 and not (s.pending & 1 and not s.close_slot.is_part)
    w.positions += p.counts


cdef inline void settle_lane(Walk* w, int64_t lane, int64_t t) noexcept nogil:
    """Tell whether the lane needs a step at the next bar, and whether it goes on wishing in vain."""
    cdef LaneState* s = w.lanes + lane
    cdef uint64_t bit = <uint64_t>1 << <uint64_t>(lane % 64)
    cdef int64_t word = lane // 64
    cdef int64_t want = w.want[cell(lane, t)]
    cdef bint is_awake = s.pending != 0 or has_levels(s)
    cdef bint is_wishing = not is_awake and want != KEEP and want != s.side
    # Held, nothing ordered and yet not wanted as it is cannot be; whatever is not understood stays awake.
    if is_wishing and not (
        s.side == 0 and s.blocked_want == want and s.blocked_gates == s.gates | GATE_CAPACITY
        and s.bars >= s.rules.warmup_bars and w.places[lane].is_sized
    ):
        is_awake, is_wishing = True, False
    if is_awake:
        w.awake[word] |= bit
    else:
        w.awake[word] &= ~bit
    w.wishes += is_wishing - (w.wishing[word] >> <uint64_t>(lane % 64) & 1)
    if is_wishing:
        w.wishing[word] |= bit
    else:
        w.wishing[word] &= ~bit


cdef inline bint is_full(const Walk* w) noexcept nogil:
    return w.account.entries >= w.limits.max_entries or w.account.positions >= w.limits.max_positions


cdef inline void serve(Walk* w, int64_t lane) noexcept nogil:
    """One candidate's turn, and the room it takes."""
    cdef LaneState* s = w.lanes + lane
    s.has_candidate = 0
    enter_candidate(s, w.account, w.limits)
    if s.pending & 2:
        w.positions += 1 - w.places[lane].counts
        w.places[lane].counts = 1


cdef inline void wake(Walk* w, int64_t lane, int64_t t) noexcept nogil:
    """Bring a quiet lane to this close; its candidate is the one it had when it was refused last."""
    cdef LaneState* s = w.lanes + lane
    cdef Place* p = w.places + lane
    s.bars, s.last_close, s.last_ts = p.bars + t + 1, p.close[t], p.ts[t]
    s.atr.value = w.atr[cell(lane, t)]


cdef inline void rank_all(Walk* w, int64_t t) noexcept nogil:
    """There is room: serve new and waiting candidates as `rank_candidates` does, until there is none."""
    cdef LaneState* s
    cdef int64_t i, j, lane, best, waiting = 0
    for i in range(w.count):
        lane = w.by_symbol[i]
        s = w.lanes + lane
        if s.has_candidate or w.wishing[lane // 64] >> <uint64_t>(lane % 64) & 1:
            w.found[waiting] = lane
            w.scores[waiting] = strength_rank(s.candidate.strength) * 100.0 + w.trend[cell(lane, t)]
            waiting += 1
    for i in range(waiting):
        if is_full(w):
            break
        best = 0
        for j in range(1, waiting):
            if w.scores[j] > w.scores[best]:
                best = j
        w.scores[best] = -1.0
        lane = w.found[best]
        if not w.lanes[lane].has_candidate:
            wake(w, lane, t)
        serve(w, lane)
        settle_lane(w, lane, t)


cdef inline int64_t step_active(Walk* w, int64_t t) noexcept nogil:
    """Step the lanes that need it; return the new candidates."""
    cdef int64_t word, lane, fresh = 0
    cdef uint64_t bits
    for word in range(w.words):
        bits = w.active[word] = w.awake[word] | w.changed[word * SPAN + t]
        while bits:
            lane = word * 64 + ilp_first_set(bits)
            bits &= bits - 1
            # A new candidate is not among those that wait.
            w.wishes -= w.wishing[word] >> <uint64_t>(lane % 64) & 1
            w.wishing[word] &= ~(<uint64_t>1 << <uint64_t>(lane % 64))
            step_lane(w, lane, t)
            fresh += w.lanes[lane].has_candidate
    return fresh


cdef inline void settle_active(Walk* w, int64_t t) noexcept nogil:
    """Refuse the new candidates that are left, by their gates and for want of capacity; order does not matter."""
    cdef int64_t word, lane
    cdef uint64_t bits
    for word in range(w.words):
        bits = w.active[word]
        while bits:
            lane = word * 64 + ilp_first_set(bits)
            bits &= bits - 1
            if w.lanes[lane].has_candidate:
                serve(w, lane)
            settle_lane(w, lane, t)


cdef inline void walk_times(Walk* w, int64_t n) noexcept nogil:
    cdef int64_t t, fresh
    for t in range(n):
        fresh = step_active(w, t)
        if fresh or w.wishes:
            w.account.entries, w.account.positions = 0, w.positions
            if not is_full(w):
                rank_all(w, t)
        settle_active(w, t)


# ---- chunk by chunk ----

cdef inline void begin_chunk(Walk* w, int64_t start, int64_t n) noexcept nogil:
    """Indicators and wishes of the chunk; every lane makes a whole first step, which finds out who is quiet."""
    cdef int64_t lane, group, t
    cdef LaneState* s
    cdef Place* p
    memset(w.changed, 0, w.words * (SPAN + 3) * sizeof(uint64_t))
    w.wishes = 0
    for group in range(w.groups):
        step_group(w, group * WIDTH, start, n)
    for lane in range(w.count):
        s, p = w.lanes + lane, w.places + lane
        p.ts, p.open, p.close = w.feeds[lane].columns.ts + start, w.feeds[lane].columns.open + start, (
            w.feeds[lane].columns.close + start
        )
        p.high, p.low = w.feeds[lane].columns.high + start, w.feeds[lane].columns.low + start
        p.marks = s.equity + s.equity_count if s.rules.keeps_equity else w.marks + lane * SPAN
        p.bars, p.marked = s.bars, 0
        w.awake[lane // 64] |= <uint64_t>1 << <uint64_t>(lane % 64)
    # Only bits of lanes that are there: those that stand in have set theirs too.
    for t in range(n):
        w.changed[(w.words - 1) * SPAN + t] &= w.awake[w.words - 1]


cdef inline void end_chunk(Walk* w, int64_t n, double* curve) noexcept nogil:
    """Mark what is not marked, bring every lane to the last close, add up the account."""
    cdef int64_t lane, t
    cdef double* marks
    cdef LaneState* s
    cdef Place* p
    for t in range(n):
        curve[t] = w.limits.cash
    for lane in range(w.count):
        s, p = w.lanes + lane, w.places + lane
        mark_until(s, p, n)
        wake(w, lane, n - 1)
        s.open_ts, s.is_data_bad = s.last_ts, 0
        s.equity_count += n if s.rules.keeps_equity else 0
        marks = p.marks
        for t in range(n):
            curve[t] += marks[t]


cdef inline int64_t walk_aligned(Walk* w, double* curve, int64_t times) noexcept nogil:
    """Step plain compiled lanes over columns that share their times; return the times stepped."""
    cdef int64_t lane, n, good, done = 0
    w.positions = 0
    for lane in range(w.count):
        size_bounds(w.lanes + lane, w.places + lane)
        w.places[lane].counts = 0
    while done < times:
        n = SPAN if done + SPAN < times else times - done
        good = good_bars(w, done, n)
        if good:
            begin_chunk(w, done, good)
            walk_times(w, good)
            end_chunk(w, good, curve + done)
        done += good
        if good < n:
            break
    return done
