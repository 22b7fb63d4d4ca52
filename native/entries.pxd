"""How a wish becomes orders: what is held the other way leaves, an entry passes gates and gets size and levels."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memset

from native.exits cimport order_close, send, withdraw
from native.matching cimport round_price_c, size_units_c
from native.sizing cimport extra_gates, wanted_notional
from native.state cimport *


cdef inline int64_t within_window(const LaneState* s, int64_t bars) noexcept nogil:
    """A longest holding time within the account's window; a strategy that names none has the window's end."""
    if bars == 0 or 0 < s.rules.max_hold < bars:
        return s.rules.max_hold
    return s.rules.min_hold if bars < s.rules.min_hold else bars


cdef inline void set_levels(LaneState* s, Slot* slot, double c, const Wish* wish) noexcept nogil:
    """Levels that a wish names, as prices; where it names any, the stop is executed, else it only informs."""
    cdef double side = <double>slot.side
    slot.is_bracket = (
        wish.stop > 0.0 or wish.target > 0.0 or wish.trail > 0.0 or wish.partial > 0.0 or wish.breakeven > 0.0
    )
    slot.hold_bars = within_window(s, wish.hold_bars)
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


cdef inline double within_room(const LaneState* s, double notional) noexcept nogil:
    """At most what the shared account's caps leave."""
    return s.account.room if s.account != NULL and notional > s.account.room else notional


cdef inline int64_t entry_units(LaneState* s, double c, const Wish* wish) noexcept nogil:
    """Size in micro-units: what is wanted, shrunk by the envelope, rounded down to the lot; at most the cap."""
    cdef int64_t units = sized_units(s, c, wish)
    return s.rules.max_units if 0 < s.rules.max_units < units else units


cdef inline int64_t sized_units(LaneState* s, double c, const Wish* wish) noexcept nogil:
    """What is wanted, within the shared account's caps, shrunk by the envelope, rounded down to the lot."""
    cdef double distance
    if s.rules.is_plain:
        return size_units_c(within_room(s, s.rules.notional) * s.multiplier, c, s.rules.lot_units)
    if s.rules.kind == KIND_EMA_CROSS and s.rules.is_bracket:
        distance = s.rules.bracket_stop * s.atr.value
    else:
        distance = wish.stop if wish != NULL and wish.stop > 0.0 else default_stop(s, c)
    return size_units_c(within_room(s, wanted_notional(s, c, distance)) * s.multiplier, c, s.rules.lot_units)


cdef inline void set_limit(LaneState* s, Slot* slot, double c, const Wish* wish) noexcept nogil:
    """A resting entry's price, to the tick on the side that fills later, and its last bar."""
    cdef double distance = s.extras.entry_limit * c
    if wish != NULL and wish.limit >= 0.0:
        distance = wish.limit
    if s.extras.entry_limit < 0.0:
        return
    slot.limit = round_price_c(c - <double>slot.side * distance, -slot.side, s.rules.tick)
    slot.until_bar = s.bars + 1 + s.extras.limit_bars if s.extras.limit_bars else 0


cdef inline void enter(
    LaneState* s, int64_t ts, double c, int64_t want, int64_t had_pending, const Wish* wish
) noexcept nogil:
    """Gates, size and levels of an entry; a blocked wish is recorded when it or its gates change."""
    cdef int64_t units = entry_units(s, c, wish)
    cdef int64_t gates = s.gates
    cdef int64_t why = WHY_LONG if want > 0 else WHY_SHORT
    cdef double side = <double>want
    cdef Slot* slot = &s.open_slot
    gates |= GATE_WARMUP if s.bars + 1 < s.rules.warmup_bars else 0
    gates |= GATE_OUTSTANDING if had_pending else 0
    gates |= GATE_DATA if s.is_data_bad else 0
    gates |= GATE_SIZE if units <= 0 or <double>units / 1e6 * c < s.rules.min_notional else 0
    if not s.rules.is_plain:
        gates |= extra_gates(s, ts, c, want, units)
    if gates:
        if want != s.blocked_want or gates != s.blocked_gates:
            decide(s, ts, ACT_BLOCKED, want, units, c, why, gates)
            s.blocked_want, s.blocked_gates = want, gates
        return
    s.blocked_want = s.blocked_gates = 0
    slot.is_active, slot.step, slot.side, slot.units, slot.filled, slot.reason = 1, s.bars, want, units, 0, why
    slot.price, slot.is_bracket = c, 0
    slot.target, slot.trail, slot.hold_bars = side * INFINITY, INFINITY, s.rules.max_hold
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
    slot.limit = 0.0
    if not s.rules.is_plain:
        send(s, slot, 1, ts)
        set_limit(s, slot, c, wish)
    decide(s, ts, ACT_OPEN, want, units, c, why, 0)


cdef inline void collect(LaneState* s, int64_t want, int64_t had_pending, const Wish* wish) noexcept nogil:
    """Keep the wish until all symbols of this time have closed."""
    if wish != NULL:
        s.candidate = wish[0]
    else:
        memset(&s.candidate, 0, sizeof(Wish))
        s.candidate.strength, s.candidate.limit = 1.0, -1.0
    s.candidate.side, s.has_candidate, s.candidate_pending = want, 1, had_pending
    s.candidate_bad = s.is_data_bad


cdef inline void decide_step(
    LaneState* s, int64_t ts, double c, int64_t want, int64_t had_pending, const Wish* wish
) noexcept nogil:
    """Turn a wish into orders: close what is held the other way, then open; a flip is both."""
    cdef int64_t held = 0 if s.pending & 1 and not s.close_slot.is_part else s.side
    if not s.rules.is_plain and s.pending & 2 and want != KEEP and want != s.open_slot.side:
        if not s.rules.is_external:
            withdraw(s, ts, c, ACT_WITHDRAWN, 0)
            had_pending &= 1
    if want == KEEP or want == held:
        return
    if held:
        order_close(s, ts, c, WHY_LONG if want > 0 else (WHY_SHORT if want < 0 else WHY_FLAT))
    if want and s.is_collecting:
        collect(s, want, had_pending, wish)
    elif want:
        enter(s, ts, c, want, had_pending, wish)
