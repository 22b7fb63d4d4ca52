"""Caps of a shared account beyond places: by symbol, by strategy, altcoins by side, and the heat of all stops.

Caps on notional shrink an entry to what is left of them; altcoins' and heat block it. Fail closed: a symbol that
is not named among the majors counts as an altcoin, a position or entry without a stop that is executed has a
heat that nobody knows, and then no cap on heat lets anything in.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from native.entries cimport entry_units
from native.state cimport *

cdef struct Caps:
    bint is_on
    double symbol_notional      # of one symbol, of one strategy; 0: no cap
    double strategy_notional
    double alt_longs            # of all altcoins held long, held short; 0: no cap
    double alt_shorts
    double heat                 # share of equity lost if every stop fills at its price; 0: no cap
    int64_t* symbol_of          # by lane; so strategy_of and is_alt
    int64_t* strategy_of
    int64_t* is_alt
    double* by_symbol           # notional bound now, by number of the symbol, of the strategy
    double* by_strategy
    double longs                # altcoins bound now
    double shorts
    double risked               # quote currency between last closes and stops
    bint is_blind               # something held or on its way has no stop


cdef inline double slot_notional(const LaneState* s) noexcept nogil:
    return <double>(s.open_slot.units - s.open_slot.filled) / 1e6 * s.last_close


cdef inline void bind(Caps* c, int64_t lane, int64_t side, double notional) noexcept nogil:
    """Count what a lane holds or has ordered."""
    c.by_symbol[c.symbol_of[lane]] += notional
    c.by_strategy[c.strategy_of[lane]] += notional
    if c.is_alt[lane]:
        if side > 0:
            c.longs += notional
        else:
            c.shorts += notional


cdef inline double at_risk(int64_t side, double quantity, double price, double stop) noexcept nogil:
    """What is lost from here to the stop; nothing where the stop has passed the price."""
    cdef double distance = <double>side * (price - stop)
    return quantity * distance if distance > 0.0 else 0.0


cdef inline void bind_lane(Caps* c, const LaneState* s, int64_t lane) noexcept nogil:
    """Count a lane's position, unless it leaves whole, and its entry on the way."""
    if s.side and not (s.pending & 1 and not s.close_slot.is_part):
        bind(c, lane, s.side, s.quantity * s.last_close)
        if s.is_bracket:
            c.risked += at_risk(s.side, s.quantity, s.last_close, s.stop)
        else:
            c.is_blind = True
    if s.pending & 2:
        bind(c, lane, s.open_slot.side, slot_notional(s))
        if s.open_slot.is_bracket:
            c.risked += at_risk(
                s.open_slot.side, <double>(s.open_slot.units - s.open_slot.filled) / 1e6, s.last_close,
                s.open_slot.stop
            )
        else:
            c.is_blind = True


cdef inline double least(double room, double cap, double bound) noexcept nogil:
    """What is left of a cap where that is less; a cap of 0 is none."""
    if cap > 0.0 and cap - bound < room:
        return cap - bound
    return room


cdef inline int64_t cap_gates(const Caps* c, LaneState* s, int64_t lane, double equity) noexcept nogil:
    """The gates of altcoins and heat for the candidate in its turn."""
    cdef const Wish* wish = &s.candidate
    cdef int64_t units = entry_units(s, s.last_close, wish)
    cdef double quantity = <double>units / 1e6, distance
    cdef double notional = quantity * s.last_close
    cdef int64_t gates = 0
    if c.is_alt[lane]:
        if wish.side > 0 and c.alt_longs > 0.0 and c.longs + notional > c.alt_longs:
            gates |= GATE_EXPOSURE
        if wish.side < 0 and c.alt_shorts > 0.0 and c.shorts + notional > c.alt_shorts:
            gates |= GATE_EXPOSURE
    if c.heat > 0.0:
        distance = entry_risk(s, wish)
        # Written so that a NaN, and an account that is worth nothing, block.
        if c.is_blind or distance < 0.0 or not (c.risked + quantity * distance <= c.heat * equity):
            gates |= GATE_HEAT
    return gates


cdef inline double entry_risk(const LaneState* s, const Wish* wish) noexcept nogil:
    """The distance of the stop that the entry will have executed; below zero where it will have none."""
    if s.rules.kind == KIND_EMA_CROSS and s.rules.is_bracket:
        return s.rules.bracket_stop * s.atr.value
    if wish.stop > 0.0:
        return wish.stop
    if wish.target > 0.0 or wish.trail > 0.0 or wish.partial > 0.0 or wish.breakeven > 0.0:
        # Any level brings a stop at the default distance with it.
        return s.rules.stop_atr * s.atr.value if s.rules.stop_atr * s.atr.value > 0.0 else (
            s.last_close * s.rules.stop_fallback
        )
    return -1.0
