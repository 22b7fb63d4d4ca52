"""Many lanes under one account: what they share, and how candidates of one time are ranked for capacity."""

from libc.math cimport INFINITY, fabs
from libc.stdint cimport int64_t
from libc.string cimport memset

from native.account cimport open_result
from native.caps cimport Caps, at_risk, bind, bind_lane, cap_gates, least, slot_notional
from native.entries cimport enter
from native.exchange cimport maintenance
from native.indicators cimport il_adx
from native.lane cimport is_good_bar
from native.replay cimport Columns
from native.state cimport *

cdef enum:
    AHEAD = 16      # bars of a lane read ahead: many columns a page apart would evict each other from the cache
    MOMENTUM = 20   # bars over which a close is measured

    RANK_ADX = 0
    RANK_MOMENTUM = 1
    RANK_VOLATILITY = 2
    RANK_CALM = 3
    RANK_STRENGTH = 4

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
    double[MOMENTUM] closes     # the last closes, a ring; kept where momentum ranks
    int64_t closed
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
    int64_t rank
    Caps* caps                  # NULL: none


cdef inline void take_stock(LaneState* lanes, int64_t count, Account* a, const Limits* limits) noexcept nogil:
    """What the account is worth and has bound at the last closes, lanes in order."""
    cdef LaneState* s
    cdef int64_t i, tier
    cdef double notional
    a.equity, a.notional, a.maintained, a.positions, a.entries = limits.cash, 0.0, 0.0, 0, 0
    a.room = INFINITY
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
            a.notional += slot_notional(s)
            a.positions += s.side == 0 or (s.pending & 1) != 0
    a.margin = a.notional / limits.leverage if limits.leverage > 0.0 else 0.0
    if limits.caps != NULL:
        take_caps(lanes, count, limits.caps)


cdef inline void take_caps(LaneState* lanes, int64_t count, Caps* c) noexcept nogil:
    """What is bound by symbol, strategy and altcoins now, and at risk down to the stops."""
    cdef int64_t i
    # Symbols and strategies are at most as many as lanes.
    memset(c.by_symbol, 0, count * sizeof(double))
    memset(c.by_strategy, 0, count * sizeof(double))
    c.longs, c.shorts, c.risked, c.is_blind = 0.0, 0.0, 0.0, False
    for i in range(count):
        bind_lane(c, lanes + i, i)


cdef inline double strength_rank(double strength) noexcept nogil:
    """low 0, medium 1, high 2: the tiers 0.25, 0.5 and 1.0."""
    return 2.0 if strength >= 1.0 else (1.0 if strength >= 0.5 else 0.0)


cdef inline void enter_candidate(LaneState* s, Account* a, const Limits* limits) noexcept nogil:
    """One candidate in its turn: its own gates, then what is left of the account; what it takes is gone."""
    cdef int64_t own_gates = s.gates
    cdef int64_t had_open = s.pending & 2
    cdef int64_t lane = s.rules.lane
    cdef Caps* c = limits.caps
    cdef double notional
    # The lane has finished the bar on which it wished; the order belongs to that bar.
    s.bars -= 1
    s.is_data_bad = s.candidate_bad
    a.room = least(INFINITY, limits.max_notional, a.notional)
    if c != NULL:
        a.room = least(a.room, c.symbol_notional, c.by_symbol[c.symbol_of[lane]])
        a.room = least(a.room, c.strategy_notional, c.by_strategy[c.strategy_of[lane]])
    if a.entries >= limits.max_entries or a.positions >= limits.max_positions or a.room <= 0.0:
        s.gates |= GATE_CAPACITY
    # Of an entry that finds no room at all the record says what was wanted.
    a.room = a.room if a.room > 0.0 else INFINITY
    if c != NULL:
        s.gates |= cap_gates(c, s, lane, a.equity)
    enter(s, s.last_ts, s.last_close, s.candidate.side, s.candidate_pending, &s.candidate)
    s.gates, s.is_data_bad = own_gates, 0
    s.bars += 1
    if s.pending & 2 and not had_open:
        notional = slot_notional(s)
        a.entries += 1
        a.positions += 1
        a.notional += notional
        a.margin += notional / limits.leverage if limits.leverage > 0.0 else 0.0
        if c != NULL:
            bind_entry(c, s, lane, notional)


cdef inline void bind_entry(Caps* c, const LaneState* s, int64_t lane, double notional) noexcept nogil:
    """Count an entry just accepted."""
    bind(c, lane, s.open_slot.side, notional)
    if s.open_slot.is_bracket:
        c.risked += at_risk(s.open_slot.side, <double>s.open_slot.units / 1e6, s.last_close, s.open_slot.stop)
    else:
        c.is_blind = True


cdef inline void see_close(Feed* f, double c) noexcept nogil:
    """Keep a close for the momentum of later ones."""
    f.closes[f.closed % MOMENTUM] = c
    f.closed += 1


cdef inline double bounded(double x) noexcept nogil:
    """A number that is not negative, in its order, between 0 and 100."""
    return 100.0 * x / (1.0 + x)


cdef inline double measure(const LaneState* s, const Feed* f, int64_t rank) noexcept nogil:
    """What breaks ties of strength, 0 to 100, the higher first; 0 where it is not known yet."""
    cdef double move
    if rank == RANK_ADX:
        return f.trend.value
    if rank == RANK_MOMENTUM:
        # The ring's next place holds the oldest close, MOMENTUM - 1 bars before the last.
        if f.closed < MOMENTUM:
            return 0.0
        move = <double>s.candidate.side * 100.0 * (s.last_close / f.closes[f.closed % MOMENTUM] - 1.0)
        return 50.0 + 50.0 * move / (1.0 + fabs(move))
    if rank == RANK_STRENGTH or not s.atr.value > 0.0:
        return 0.0
    move = bounded(100.0 * s.atr.value / s.last_close)
    return move if rank == RANK_VOLATILITY else 100.0 - move


cdef inline void rank_candidates(
    LaneState* lanes, int64_t count, const Feed* feeds, const int64_t* order, int64_t* found, double* scores,
    Account* a, const Limits* limits
) noexcept nogil:
    """Serve the candidates of one time by strength rank * 100 + measure, ties by symbol (`order`).

    Ranked by strength alone it counts unrounded.
    """
    cdef int64_t i, j, best, waiting = 0
    for i in range(count):
        if lanes[order[i]].has_candidate:
            found[waiting] = order[i]
            if limits.rank == RANK_STRENGTH:
                scores[waiting] = lanes[order[i]].candidate.strength
            else:
                scores[waiting] = strength_rank(lanes[order[i]].candidate.strength) * 100.0 + measure(
                    lanes + order[i], feeds + order[i], limits.rank
                )
            lanes[order[i]].has_candidate = 0
            waiting += 1
    for i in range(waiting):
        best = 0
        for j in range(1, waiting):
            if scores[j] > scores[best]:
                best = j
        scores[best] = -1.0
        enter_candidate(lanes + found[best], a, limits)
