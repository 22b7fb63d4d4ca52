"""The state of one strategy on one symbol, and its records.

Structs hold 8-byte fields only (no padding): their bytes are what the state hash covers. Reasons,
actions and gates mirror `codes.py`.
"""

from libc.stdint cimport int16_t, int32_t, int64_t
from libc.stdlib cimport realloc

from native.indicators cimport AtrState, EmaState, RsiState, SmaState

cdef enum:
    KEEP = 2
    KIND_EMA_CROSS = 0
    KIND_RSI_MA_CROSS = 1
    KIND_BUY_AND_HOLD = 2
    KIND_PYTHON = 3
    KIND_FORGED = 4

    ACT_OPEN = 1
    ACT_CLOSE = 2
    ACT_EXIT_IN_BAR = 3
    ACT_BLOCKED = 4
    ACT_DROPPED = 5

    WHY_LONG = 1
    WHY_SHORT = 2
    WHY_FLAT = 3
    WHY_STOP = 4
    WHY_TRAILING = 5
    WHY_TARGET = 6
    WHY_DATA = 7
    WHY_EXTERNAL = 8
    WHY_PARTIAL = 9
    WHY_TIME = 10

    GATE_WARMUP = 1
    GATE_OUTSTANDING = 2
    GATE_DATA = 4
    GATE_SIZE = 8


cdef packed struct Trade:
    int64_t entry_bar
    int64_t exit_bar
    int64_t entry_ts_ns
    int64_t exit_ts_ns
    int64_t units
    double entry_fill
    double exit_fill
    double fees
    double pnl
    int32_t lane
    int16_t side
    int16_t reason


cdef packed struct Decision:
    int64_t ts_ns
    int64_t step
    int64_t units
    double price
    int32_t lane
    int32_t gates
    int16_t action
    int16_t side
    int32_t reason


cdef packed struct FillNote:
    int64_t step
    int64_t offset
    int64_t side
    int64_t units
    int64_t ts_ns
    int64_t reason
    double price
    double fee


# What a strategy wants at a close. Distances are prices away from the close; 0 means none.
cdef struct Wish:
    int64_t side                # -1, 0, +1 or KEEP
    int64_t hold_bars           # ordered out at the close of that many bars; 0: no limit
    double strength
    double stop
    double target
    double trail
    double partial              # share of the position that leaves at partial_target
    double partial_target
    double breakeven            # a profit of this much moves the stop to the entry
    double limit                # below zero: a market order


cdef struct Slot:
    int64_t is_active
    int64_t step
    int64_t side
    int64_t units
    int64_t filled
    int64_t reason
    int64_t is_bracket
    int64_t is_part             # a close of a part of the position
    int64_t hold_bars
    double price
    double stop
    double target
    double trail
    double partial
    double partial_target
    double breakeven


cdef struct Rules:
    int64_t lane
    int64_t kind
    int64_t is_external
    int64_t is_intrabar
    int64_t keeps_equity
    int64_t lot_units
    int64_t warmup_bars
    int64_t first_bar           # compiled strategies are silent before this bar
    int64_t is_bracket
    double notional
    double slip
    double fee
    double tick
    double min_notional
    double stop_atr
    double stop_fallback
    double bracket_stop
    double bracket_target
    double bracket_trail
    double rsi_buy_max
    double rsi_sell_min


cdef struct LaneState:
    Rules rules
    int64_t gates
    double multiplier
    int64_t is_data_bad
    int64_t is_noting           # fills are noted for `take_fills` (stepping), not in replay
    int64_t is_out_of_memory
    int64_t bars
    int64_t last_ts
    int64_t open_ts
    double last_close
    EmaState ema_fast
    EmaState ema_slow
    SmaState sma_fast
    SmaState sma_slow
    RsiState rsi
    AtrState atr
    int64_t side
    int64_t units
    double quantity
    double entry
    double entry_fee
    int64_t entry_bar
    int64_t entry_ts
    int64_t exit_units
    double exit_average
    double exit_fee
    int64_t is_bracket
    int64_t has_trailed
    double stop
    double target
    double trail
    double partial              # share still to leave at partial_target, a price; 0: none
    double partial_target
    double breakeven            # the price at which the stop goes to the entry; 0: none
    int64_t hold_bars
    int64_t pending             # bit 0: close slot, bit 1: open slot
    Slot close_slot
    Slot open_slot
    double realised
    double fees
    int64_t wins
    int64_t blocked_want
    int64_t blocked_gates
    Trade* trades
    int64_t trade_count
    int64_t trade_room
    Decision* decisions
    int64_t decision_count
    int64_t decision_room
    FillNote* notes
    int64_t note_count
    int64_t note_room
    double* equity
    int64_t equity_count
    int64_t equity_room


cdef inline void* grown(LaneState* s, void* old, int64_t* room, size_t item) noexcept nogil:
    """Double a buffer; on failure the old one stays and the lane is marked."""
    cdef int64_t wanted = room[0] * 2 if room[0] else 64
    cdef void* new = realloc(old, <size_t>wanted * item)
    if new == NULL:
        s.is_out_of_memory = 1
        return old
    room[0] = wanted
    return new


cdef inline void decide(
    LaneState* s, int64_t ts, int64_t action, int64_t side, int64_t units, double price, int64_t reason, int64_t gates
) noexcept nogil:
    """Append one decision record."""
    if s.decision_count == s.decision_room:
        s.decisions = <Decision*>grown(s, s.decisions, &s.decision_room, sizeof(Decision))
        if s.is_out_of_memory:
            return
    cdef Decision* d = s.decisions + s.decision_count
    d.ts_ns, d.step, d.units, d.price = ts, s.bars, units, price
    d.lane, d.gates = <int32_t>s.rules.lane, <int32_t>gates
    d.action, d.side, d.reason = <int16_t>action, <int16_t>side, <int32_t>reason
    s.decision_count += 1
