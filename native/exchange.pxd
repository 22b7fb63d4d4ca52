"""The simulated exchange that is not plain: what happens at an open, along a bar's path, at its end.

Events of one bar in order: funding, open (orders that are due), path (resting entry, then liquidation, stop,
targets), close. Sub-bars are opens and paths inside their parent, walked in order, nothing interpolated.
"""

from libc.math cimport INFINITY, fabs, floor
from libc.stdint cimport int64_t

from native.account cimport open_result, settle
from native.chance cimport DRAW_REJECT, DRAW_TOUCH, chance
from native.exits cimport ladder_end, ladder_levels, withdraw
from native.state cimport *

cdef inline void pay_funding(LaneState* s, double rate, double mark) noexcept nogil:
    """Pay or receive: cash changes by -side * quantity * mark * rate; a positive rate costs a long."""
    cdef double amount
    if s.side == 0:
        return
    amount = -<double>s.side * s.quantity * mark * rate
    s.trade_funding += amount
    s.funding += amount
    s.flow += amount


cdef inline void pay_due(LaneState* s, int64_t until) noexcept nogil:
    """Pay all funding up to and with `until`, in order."""
    cdef Funding* f
    while s.funding_next < s.funding_count and s.fundings[s.funding_next].ts_ns <= until:
        f = s.fundings + s.funding_next
        pay_funding(s, f.rate, f.mark)
        s.funding_next += 1


cdef inline bint is_rejected(LaneState* s, Slot* slot, int64_t offset) noexcept nogil:
    slot.attempts += 1
    return s.extras.reject_probability > 0.0 and (
        chance(s.extras.seed, s.rules.lane, slot.step, offset, DRAW_REJECT, slot.attempts)
        < s.extras.reject_probability
    )


cdef inline void act_close(LaneState* s, int64_t ts, double price) noexcept nogil:
    """The exit acts: a rejected one is tried again at the next event, what cannot fill rests."""
    cdef Slot* slot = &s.close_slot
    cdef int64_t units = slot.units - slot.filled
    units = units if units < s.capacity else s.capacity
    if units <= 0:
        return
    if is_rejected(s, slot, 0):
        decide(s, ts, ACT_REJECTED, slot.side, slot.units - slot.filled, price, slot.reason, 0)
        return
    s.capacity -= units
    slot.filled += units
    if slot.filled >= slot.units:
        slot.is_active = 0
        s.pending &= 2
    settle(s, slot.step, 0, slot.side, units, price, ts, slot.reason, NULL, 0, 0.0)


cdef inline void fill_entry(LaneState* s, int64_t ts, double price, int64_t is_maker) noexcept nogil:
    """Fill what the segment can of the entry; the rest goes by its time in force."""
    cdef Slot* slot = &s.open_slot
    cdef int64_t units = slot.units - slot.filled
    units = units if units < s.capacity else s.capacity
    if units > 0:
        s.has_best = s.has_best and s.side
        s.capacity -= units
        slot.filled += units
        if slot.filled >= slot.units:
            slot.is_active = 0
            s.pending &= 1
        settle(s, slot.step, 1, slot.side, units, price, ts, slot.reason, slot, is_maker, 0.0)
    if s.pending & 2 and s.extras.is_ioc:
        withdraw(s, ts, price, ACT_WITHDRAWN, 0)


cdef inline void act_open(LaneState* s, int64_t ts, double price) noexcept nogil:
    """The entry acts at an open: rejected, filled as a taker, filled better through a gap, or rests."""
    cdef Slot* slot = &s.open_slot
    cdef double side = <double>slot.side
    if slot.until_bar and s.bars >= slot.until_bar:
        withdraw(s, ts, price, ACT_WITHDRAWN, 0)
        return
    if slot.attempts == 0 and is_rejected(s, slot, 1):
        withdraw(s, ts, price, ACT_REJECTED, 0)
        return
    if slot.limit == 0.0:
        fill_entry(s, ts, price, 0)
    elif slot.is_resting and side * price < side * slot.limit:
        fill_entry(s, ts, price, 1)
    elif not slot.is_resting and side * price <= side * slot.limit:
        fill_entry(s, ts, price, 0)
    elif s.extras.is_ioc:
        withdraw(s, ts, price, ACT_WITHDRAWN, 0)
    slot.is_resting = s.pending & 2 and slot.limit > 0.0


cdef inline void begin_segment(LaneState* s, int64_t ts, double price) noexcept nogil:
    """A bar or sub-bar opens: funding, then orders that are due, exits first."""
    cdef double room
    s.segment_ts = ts
    pay_due(s, ts)
    s.capacity = <int64_t>1 << 62
    if s.extras.fill_share > 0.0:
        room = floor(s.extras.fill_share * s.last_volume * 1e6)
        if room < 9.0e18:
            s.capacity = <int64_t>room
    if s.pending & 1 and s.close_slot.act_ns <= ts:
        act_close(s, ts, price)
    # An entry waits until what it replaces has left.
    if s.pending & 2 and s.open_slot.act_ns <= ts and s.side != -s.open_slot.side:
        act_open(s, ts, price)


cdef inline void begin_bar(LaneState* s, int64_t ts, double price) noexcept nogil:
    """A bar opens; after a gap that is too long an entry decided before it does not act."""
    cdef bint is_gap = s.extras.max_gap_ns and s.bars and ts - s.last_ts > s.extras.max_gap_ns
    s.open_ts = ts
    s.is_gap, s.is_walked, s.has_best = is_gap, 0, 0
    if s.rules.is_external:
        return
    if is_gap:
        withdraw(s, ts, price, ACT_DROPPED, GATE_GAP)
    begin_segment(s, ts, price)


cdef inline double maintenance(LaneState* s, double notional, int64_t* tier) noexcept nogil:
    """The maintenance margin of a position's notional, and its tier."""
    cdef Extras* x = &s.extras
    cdef int64_t i = x.tier_count - 1
    while i > 0 and notional < x.tier_from[i]:
        i -= 1
    tier[0] = i
    return notional * x.tier_rate[i] - x.tier_deduction[i]


cdef inline double liquidation_price(LaneState* s, double worst) noexcept nogil:
    """Where equity meets the maintenance margin on the way to `worst`; 0.0 when it does not."""
    cdef Extras* x = &s.extras
    cdef double side = <double>s.side
    cdef double base = s.rules.cash + s.realised + open_result(s, s.entry)
    cdef int64_t i
    cdef double price
    if s.account != NULL:
        # The other positions stand as at their last closes, and their maintenance is not ours to use.
        base = s.account.equity - s.mark + base - s.rules.cash - (s.account.maintained - s.maintained)
    if base + side * s.quantity * (worst - s.entry) > maintenance(s, s.quantity * worst, &i):
        return 0.0
    for i in range(x.tier_count):
        price = (side * s.quantity * s.entry - base - x.tier_deduction[i]) / (s.quantity * (side - x.tier_rate[i]))
        if s.quantity * price >= x.tier_from[i] and (
            i + 1 == x.tier_count or s.quantity * price < x.tier_from[i + 1]
        ):
            return price if price > 0.0 else worst
    return worst


cdef inline bint is_bad_print(LaneState* s, double h, double l, double c) noexcept nogil:
    """Whether a bar reaches too far from the last close to be believed."""
    cdef double reach = fabs(h - s.last_close)
    reach = fabs(l - s.last_close) if fabs(l - s.last_close) > reach else reach
    if s.bars == 0:
        return False
    if s.extras.glitch_move > 0.0 and reach >= s.extras.glitch_move * s.last_close:
        return True
    return s.extras.glitch_atr > 0.0 and reach > s.extras.glitch_atr * s.atr.value


cdef inline void liquidate(LaneState* s, int64_t ts, double price) noexcept nogil:
    """The exchange closes the position whole; nothing is entered on this lane any more."""
    decide(s, ts, ACT_LIQUIDATED, -s.side, s.units, price, WHY_LIQUIDATION, 0)
    s.pending &= 2
    s.close_slot.is_active = 0
    withdraw(s, ts, price, ACT_WITHDRAWN, GATE_LIQUIDATED)
    s.is_liquidated = 1
    settle(s, s.bars, 2, -s.side, s.units, price, ts, WHY_LIQUIDATION, NULL, 0, s.extras.liquidation_fee)


cdef inline void walk_levels(
    LaneState* s, int64_t ts, double o, double h, double l, double c, bint is_fresh
) noexcept nogil:
    """Liquidation where it lies before the stop, then the ladder's levels; no target in the segment of a fill."""
    cdef double side = <double>s.side
    cdef double worst = l if s.side > 0 else h
    cdef double price
    if is_fresh:
        # From the fill on, the path has gone no further than the bar's worst price.
        o, h, l = s.open_slot.limit, worst, worst
    if s.extras.leverage > 0.0 and not s.rules.is_external:
        price = liquidation_price(s, worst)
        if price > 0.0 and not (s.is_bracket and s.rules.is_intrabar and side * s.stop >= side * price):
            liquidate(s, ts, o if side * o < side * price else price)
            return
    if not s.is_bracket:
        return
    ladder_levels(s, ts, o, h, l, c)


cdef inline void walk(LaneState* s, int64_t ts, double o, double h, double l, double c) noexcept nogil:
    """The path of a bar or sub-bar: the resting entry, then the position's levels."""
    cdef Slot* slot = &s.open_slot
    cdef double side, reach
    cdef bint is_fresh = False
    if s.pending & 2 and slot.is_resting and not s.rules.is_external and s.side != -slot.side:
        side = <double>slot.side
        reach = l if slot.side > 0 else h
        if side * reach < side * slot.limit or (
            reach == slot.limit and s.extras.touch_probability > 0.0
            and chance(s.extras.seed, s.rules.lane, slot.step, 1, DRAW_TOUCH, ts) < s.extras.touch_probability
        ):
            is_fresh = s.capacity > 0
            fill_entry(s, ts, slot.limit, 1)
    if s.side == 0:
        return
    if not s.is_glitch:
        walk_levels(s, ts, o, h, l, c, is_fresh)
    if s.side and not is_fresh:
        reach = h if s.side > 0 else l
        if not s.has_best or <double>s.side * reach > <double>s.side * s.best:
            s.best, s.has_best = reach, 1


cdef inline void sub_step(
    LaneState* s, int64_t ts, double o, double h, double l, double c, double v
) noexcept nogil:
    """One sub-bar inside the bar that has opened."""
    s.is_walked = 1
    s.is_glitch = is_bad_print(s, h, l, c)
    if ts > s.segment_ts:
        begin_segment(s, ts, o)
    walk(s, ts, o, h, l, c)
    s.last_volume = v


cdef inline void walk_subs(LaneState* s, int64_t ts) noexcept nogil:
    """Walk the given sub-bars that lie in the bar of `ts`."""
    cdef SubBars* x = &s.subs
    cdef int64_t i
    while x.next < x.count and x.ts[x.next] < ts + s.extras.interval_ns:
        i = x.next
        x.next += 1
        if x.ts[i] >= ts:
            sub_step(s, x.ts[i], x.open[i], x.high[i], x.low[i], x.close[i], x.volume[i])


cdef inline void path_step(LaneState* s, int64_t ts, double o, double h, double l, double c) noexcept nogil:
    """The rest of a bar up to its close: its path where no sub-bars were given, then its end."""
    if s.subs.count and not s.is_walked:
        walk_subs(s, ts)
    s.is_glitch = is_bad_print(s, h, l, c)
    if not s.is_walked:
        if s.extras.interval_ns:
            pay_due(s, ts + s.extras.interval_ns - 1)
        walk(s, ts, o, h, l, c)
    # Ordered out whole at this close already: nothing is left to trail or to time out.
    if s.side and not (s.pending & 1 and not s.close_slot.is_part):
        ladder_end(s, ts, s.best if s.has_best and not s.is_glitch else -<double>s.side * INFINITY, c)
