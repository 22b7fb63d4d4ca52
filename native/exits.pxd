"""How a position is left: stop, trailing stop, partial and full target, time; ratchets never loosen."""

from libc.math cimport floor
from libc.stdint cimport int64_t

from native.account cimport execute, settle
from native.chance cimport DRAW_LATENCY, DRAW_TIMEOUT, chance
from native.state cimport *


cdef inline void send(LaneState* s, Slot* slot, int64_t offset, int64_t ts) noexcept nogil:
    """An order leaves for an exchange that is not plain: when it can act there."""
    cdef Extras* x = &s.extras
    slot.attempts = slot.is_resting = slot.until_bar = 0
    slot.act_ns = ts
    if s.rules.is_external or not (x.latency_ns or x.jitter_ns or x.timeout_probability > 0.0):
        return
    slot.act_ns = ts + x.interval_ns + x.latency_ns
    if x.jitter_ns:
        slot.act_ns += <int64_t>(
            chance(x.seed, s.rules.lane, slot.step, offset, DRAW_LATENCY, 0) * <double>x.jitter_ns
        )
    if x.timeout_probability > 0.0 and (
        chance(x.seed, s.rules.lane, slot.step, offset, DRAW_TIMEOUT, 0) < x.timeout_probability
    ):
        slot.act_ns += x.timeout_ns


cdef inline void withdraw(LaneState* s, int64_t ts, double price, int64_t action, int64_t gates) noexcept nogil:
    """What is left of the entry will not act any more; recorded."""
    if not s.pending & 2:
        return
    s.open_slot.is_active = 0
    s.pending &= 1
    decide(s, ts, action, s.open_slot.side, s.open_slot.units - s.open_slot.filled, price, s.open_slot.reason, gates)


cdef inline void order_units(
    LaneState* s, int64_t ts, double price, int64_t units, int64_t is_part, int64_t reason
) noexcept nogil:
    s.close_slot.is_active, s.close_slot.step, s.close_slot.side = 1, s.bars, -s.side
    s.close_slot.units, s.close_slot.filled, s.close_slot.reason = units, 0, reason
    s.close_slot.price, s.close_slot.is_part = price, is_part
    s.close_slot.act_ns = ts
    s.pending |= 1
    if not s.rules.is_plain:
        send(s, &s.close_slot, 0, ts)
    decide(s, ts, ACT_CLOSE, -s.side, units, price, reason, 0)


cdef inline void order_close(LaneState* s, int64_t ts, double price, int64_t reason) noexcept nogil:
    """Order the whole position closed at the next opportunity; once, but in place of a part ordered just now."""
    if s.pending & 1 and not (s.close_slot.is_part and s.close_slot.step == s.bars):
        return
    order_units(s, ts, price, s.units, 0, reason)


cdef inline void leave(
    LaneState* s, int64_t ts, double price, double c, int64_t offset, int64_t units, int64_t reason
) noexcept nogil:
    """Leave by a level inside the bar as far as the bar can fill; the rest is ordered and acts at the next event."""
    cdef int64_t now = units if units < s.capacity else s.capacity
    cdef int64_t is_part = units < s.units
    decide(s, ts, ACT_EXIT_IN_BAR, -s.side, units, price, reason, 0)
    if not is_part:
        s.pending &= 2
        s.close_slot.is_active = 0
        withdraw(s, ts, price, ACT_WITHDRAWN, 0)
    s.capacity -= now
    if now > 0:
        settle(s, s.bars, offset, -s.side, now, price, ts, reason, NULL, 0, 0.0)
    if now < units:
        order_units(s, ts, c, units - now, is_part, reason)
        s.close_slot.act_ns = ts


cdef inline void exit_at(LaneState* s, int64_t ts, double price, double close, int64_t reason) noexcept nogil:
    """Leave by a level: inside the bar at the simulated exchange, else decided now for the next open."""
    if not s.rules.is_intrabar:
        order_close(s, ts, close, reason)
    elif s.rules.is_plain:
        decide(s, ts, ACT_EXIT_IN_BAR, -s.side, s.units, price, reason, 0)
        execute(s, s.bars, 2, -s.side, s.units, price, ts, reason, NULL)
    else:
        leave(s, ts, price, close, 2, s.units, reason)


cdef inline int64_t part_units(LaneState* s) noexcept nogil:
    """The units that leave at the partial target: the share, rounded down to the lot."""
    cdef int64_t units = <int64_t>floor(<double>s.units * s.partial)
    return units - units % s.rules.lot_units


cdef inline void tighten(LaneState* s, double level) noexcept nogil:
    """Move the stop if that is nearer; never loosen it."""
    if <double>s.side * level > <double>s.side * s.stop:
        s.stop, s.has_trailed = level, 1


cdef inline void take_part(LaneState* s, int64_t ts, double price, double c) noexcept nogil:
    """Leave with a part at its target, once; the rest is stopped at the entry at worst."""
    cdef int64_t units = part_units(s)
    if s.pending & 1:
        return
    s.partial = 0.0
    tighten(s, s.entry)
    if units <= 0:
        return
    if not s.rules.is_intrabar:
        order_units(s, ts, c, units, 1, WHY_PARTIAL)
    elif s.rules.is_plain:
        decide(s, ts, ACT_EXIT_IN_BAR, -s.side, units, price, WHY_PARTIAL, 0)
        execute(s, s.bars, 3, -s.side, units, price, ts, WHY_PARTIAL, NULL)
    else:
        leave(s, ts, price, c, 3, units, WHY_PARTIAL)


cdef inline void ladder_levels(LaneState* s, int64_t ts, double o, double h, double l, double c) noexcept nogil:
    """The levels in their order: stop or trailing stop, part at its target, the rest at the full target."""
    cdef double side = <double>s.side
    cdef double worst = l if s.side > 0 else h
    cdef double best = h if s.side > 0 else l
    cdef bint has_target = side * best >= side * s.target
    if side * worst <= side * s.stop:
        exit_at(s, ts, o if side * o < side * s.stop else s.stop, c, WHY_TRAILING if s.has_trailed else WHY_STOP)
        return
    # Decided at the close there is one order to give: all of it where both targets are reached.
    if s.partial > 0.0 and side * best >= side * s.partial_target and (s.rules.is_intrabar or not has_target):
        take_part(s, ts, o if side * o > side * s.partial_target else s.partial_target, c)
    if has_target and s.side:
        exit_at(s, ts, o if side * o > side * s.target else s.target, c, WHY_TARGET)


cdef inline void ladder_end(LaneState* s, int64_t ts, double best, double c) noexcept nogil:
    """The bar's end: what its best price does to the stop from the next bar on, then the time exit."""
    cdef double side = <double>s.side
    if s.is_bracket:
        tighten(s, best - side * s.trail)
        if s.breakeven > 0.0 and side * best >= side * s.breakeven:
            s.breakeven = 0.0
            tighten(s, s.entry)
    if s.hold_bars and s.bars - s.entry_bar + 1 >= s.hold_bars:
        order_close(s, ts, c, WHY_TIME)


cdef inline bint is_leaving(LaneState* s) noexcept nogil:
    """Whether this close has ordered the whole position out already."""
    return s.pending & 1 and s.close_slot.step == s.bars and not s.close_slot.is_part


cdef inline void ladder_step(LaneState* s, int64_t ts, double o, double h, double l, double c) noexcept nogil:
    """One bar of a position with levels or a longest holding time."""
    cdef int64_t before = s.side
    if s.is_bracket:
        ladder_levels(s, ts, o, h, l, c)
    if s.side == before and not is_leaving(s):
        ladder_end(s, ts, h if before > 0 else l, c)
