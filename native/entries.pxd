"""How a wish becomes orders: what is held the other way leaves, an entry passes gates and gets size and levels."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from native.exits cimport order_close
from native.matching cimport size_units_c
from native.state cimport *


cdef inline void set_levels(LaneState* s, Slot* slot, double c, const Wish* wish) noexcept nogil:
    """Levels that a wish names, as prices; where it names any, the stop is executed, else it only informs."""
    cdef double side = <double>slot.side
    slot.is_bracket = (
        wish.stop > 0.0 or wish.target > 0.0 or wish.trail > 0.0 or wish.partial > 0.0 or wish.breakeven > 0.0
    )
    slot.hold_bars = wish.hold_bars
    if wish.stop > 0.0:
        slot.stop = c - side * wish.stop
    if wish.target > 0.0:
        slot.target = c + side * wish.target
    if wish.trail > 0.0:
        slot.trail = wish.trail
    if wish.partial > 0.0:
        slot.partial = wish.partial
        slot.partial_target = c + side * wish.partial_target
    if wish.breakeven > 0.0:
        slot.breakeven = c + side * wish.breakeven


cdef inline double default_stop(LaneState* s, double c) noexcept nogil:
    """The distance of the stop where a strategy names none."""
    cdef double distance = s.rules.stop_atr * s.atr.value
    return distance if distance > 0.0 else c * s.rules.stop_fallback


cdef inline void enter(
    LaneState* s, int64_t ts, double c, int64_t want, int64_t had_pending, const Wish* wish
) noexcept nogil:
    """Gates, size and levels of an entry; a blocked wish is recorded when it or its gates change."""
    cdef int64_t units = size_units_c(s.rules.notional * s.multiplier, c, s.rules.lot_units)
    cdef int64_t gates = s.gates
    cdef int64_t why = WHY_LONG if want > 0 else WHY_SHORT
    cdef double side = <double>want
    cdef Slot* slot = &s.open_slot
    gates |= GATE_WARMUP if s.bars + 1 < s.rules.warmup_bars else 0
    gates |= GATE_OUTSTANDING if had_pending else 0
    gates |= GATE_DATA if s.is_data_bad else 0
    gates |= GATE_SIZE if units <= 0 or <double>units / 1e6 * c < s.rules.min_notional else 0
    if gates:
        if want != s.blocked_want or gates != s.blocked_gates:
            decide(s, ts, ACT_BLOCKED, want, units, c, why, gates)
            s.blocked_want, s.blocked_gates = want, gates
        return
    s.blocked_want = s.blocked_gates = 0
    slot.is_active, slot.step, slot.side, slot.units, slot.filled, slot.reason = 1, s.bars, want, units, 0, why
    slot.price, slot.is_bracket = c, 0
    slot.target, slot.trail, slot.hold_bars = side * INFINITY, INFINITY, 0
    slot.partial = slot.partial_target = slot.breakeven = 0.0
    if s.rules.kind == KIND_EMA_CROSS and s.rules.is_bracket:
        slot.is_bracket = 1
        slot.stop = c - side * s.rules.bracket_stop * s.atr.value
        slot.target = c + side * s.rules.bracket_target * s.atr.value
        slot.trail = s.rules.bracket_trail * s.atr.value if s.rules.bracket_trail > 0.0 else INFINITY
    else:
        slot.stop = c - side * default_stop(s, c)
        if wish != NULL:
            set_levels(s, slot, c, wish)
    s.pending |= 2
    decide(s, ts, ACT_OPEN, want, units, c, why, 0)


cdef inline void decide_step(
    LaneState* s, int64_t ts, double c, int64_t want, int64_t had_pending, const Wish* wish
) noexcept nogil:
    """Turn a wish into orders: close what is held the other way, then open; a flip is both."""
    cdef int64_t held = 0 if s.pending & 1 and not s.close_slot.is_part else s.side
    if want == KEEP or want == held:
        return
    if held:
        order_close(s, ts, c, WHY_LONG if want > 0 else (WHY_SHORT if want < 0 else WHY_FLAT))
    if want:
        enter(s, ts, c, want, had_pending, wish)
