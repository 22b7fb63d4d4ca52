"""A portfolio whose symbols share their times, on the plain exchange: steps only where something happens.

Chunk by chunk: first every lane's indicators and wishes, column by column; then the times in order, at each of
them a step of `lane.pxd` for the lanes that need one; then the marks, column by column. A lane needs none while it
is quiet: nothing ordered, no level or longest holding time, the same wish as before, and that wish either held
already or refused for want of capacity alone, as it is refused again while there is none.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from native.aligned_columns cimport *
from native.entries cimport decide_step
from native.exits cimport ladder_step
from native.lane cimport open_step
from native.portfolio cimport enter_candidate, strength_rank
from native.replay cimport Columns
from native.state cimport *


# ---- time by time ----

cdef inline bint has_levels(const LaneState* s) noexcept nogil:
    return s.side != 0 and (s.is_bracket != 0 or s.hold_bars != 0)


cdef inline void step_lane(Walk* w, int64_t lane, int64_t t) noexcept nogil:
    """A whole bar of one lane, its indicators apart: `open_step`, then what `close_bar` does on the plain exchange."""
    cdef LaneState* s = w.lanes + lane
    cdef Place* p = w.places + lane
    cdef int64_t ts = w.ts[t]
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
    s.bars, s.last_close, s.last_ts = p.bars + t + 1, p.close[t], w.ts[t]
    s.atr.value = w.atr[cell(lane, t)]


cdef inline void rank_all(Walk* w, int64_t t) noexcept nogil:
    """There is room: serve new and waiting candidates as `rank_candidates` does, until there is none."""
    cdef int64_t i, j, lane, best, waiting = 0
    for i in range(w.count):
        lane = w.by_symbol[i]
        if (w.fresh[lane // 64] | w.wishing[lane // 64]) >> <uint64_t>(lane % 64) & 1:
            w.found[waiting] = lane
            w.scores[waiting] = w.places[lane].rank + w.trend[cell(lane, t)]
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
        w.fresh[word] = 0
        while bits:
            lane = word * 64 + ilp_first_set(bits)
            bits &= bits - 1
            # A new candidate is not among those that wait.
            w.wishes -= w.wishing[word] >> <uint64_t>(lane % 64) & 1
            w.wishing[word] &= ~(<uint64_t>1 << <uint64_t>(lane % 64))
            step_lane(w, lane, t)
            if w.lanes[lane].has_candidate:
                w.fresh[word] |= <uint64_t>1 << <uint64_t>(lane % 64)
                w.places[lane].rank = strength_rank(w.lanes[lane].candidate.strength) * 100.0
                fresh += 1
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
    """Indicators and wishes of the chunk; who was quiet stays so."""
    cdef int64_t lane, group, t
    cdef const Columns* x
    cdef LaneState* s
    cdef Place* p
    memset(w.changed, 0, w.words * SPAN * sizeof(uint64_t))
    w.ts = w.feeds[0].columns.ts + start
    for group in range(w.groups):
        step_group(w, group * WIDTH, start, n)
    for lane in range(w.count):
        s, p = w.lanes + lane, w.places + lane
        x = &w.feeds[lane].columns
        p.open, p.high, p.low, p.close = x.open + start, x.high + start, x.low + start, x.close + start
        p.marks = s.equity + s.equity_count if s.rules.keeps_equity else w.marks + lane * SPAN
        p.bars, p.marked = s.bars, 0
        if not p.is_sized:
            w.awake[lane // 64] |= <uint64_t>1 << <uint64_t>(lane % 64)
    # Only bits of lanes that are there: those that stand in have set theirs too.
    if w.count % 64:
        for t in range(n):
            w.changed[(w.words - 1) * SPAN + t] &= (<uint64_t>1 << <uint64_t>(w.count % 64)) - 1


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
    w.positions = w.wishes = 0
    memset(w.awake, 0, w.words * 4 * sizeof(uint64_t))
    for lane in range(w.count):
        size_bounds(w.lanes + lane, w.places + lane)
        w.places[lane].counts = 0
        # Every lane makes a whole first step, which finds out who is quiet.
        w.awake[lane // 64] |= <uint64_t>1 << <uint64_t>(lane % 64)
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
