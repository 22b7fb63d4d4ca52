"""The state of one strategy on one symbol, and its records.

Structs hold 8-byte fields only (no padding): their bytes are what the state hash covers. Reasons,
actions and gates mirror `codes.py`.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint64_t

from native.indicators cimport AtrState, EmaState, RsiState, SmaState
from native.rooms cimport more_room

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
    ACT_WITHDRAWN = 6
    ACT_REJECTED = 7
    ACT_LIQUIDATED = 8

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
    WHY_LIQUIDATION = 11
    WHY_END = 12

    GATE_WARMUP = 1
    GATE_OUTSTANDING = 2
    GATE_DATA = 4
    GATE_SIZE = 8
    GATE_COOLDOWN = 128
    GATE_CAPACITY = 256
    GATE_MARGIN = 512
    GATE_GAP = 1024
    GATE_LIQUIDATED = 2048
    GATE_EXPOSURE = 4096
    GATE_HEAT = 8192
    GATE_INTERLOCK = 16384

    SIZE_NOTIONAL = 0
    SIZE_EQUITY = 1
    SIZE_RISK = 2
    SIZE_KELLY = 3

    TIERS = 8


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
    double funding


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
    int64_t act_ns              # the first moment at which the order can act
    int64_t attempts
    int64_t is_resting          # a limit order that was in the book at an open
    int64_t until_bar           # withdrawn at the open of this bar; 0: never
    double limit                # 0: a market order


# What is not plain: see `native/rules.py` for meanings and bounds.
cdef struct Extras:
    uint64_t seed
    int64_t is_atr_slippage
    int64_t is_ioc
    int64_t limit_bars
    int64_t latency_ns
    int64_t jitter_ns
    int64_t timeout_ns
    int64_t max_gap_ns
    int64_t interval_ns
    int64_t cooldown_ns
    int64_t sizing
    int64_t kelly_min_trades
    int64_t tier_count
    double slippage_atr
    double slippage_low
    double slippage_high
    double maker_fee
    double entry_limit          # below zero: market orders
    double touch_probability
    double fill_share
    double reject_probability
    double timeout_probability
    double leverage
    double liquidation_fee
    double glitch_move
    double glitch_atr
    double fraction
    double kelly_multiplier
    double kelly_prior
    double max_notional
    double[TIERS] tier_from
    double[TIERS] tier_rate
    double[TIERS] tier_deduction


cdef packed struct Funding:
    int64_t ts_ns
    double rate                 # positive: longs pay shorts
    double mark


cdef struct Rules:
    int64_t is_plain
    double cash
    int64_t lane
    int64_t kind
    int64_t is_external
    int64_t is_intrabar
    int64_t keeps_equity
    int64_t lot_units
    int64_t max_units           # no entry is larger; 0: no cap. Strategies name it (`max_contracts`)
    int64_t min_hold            # bars; a time exit is never earlier
    int64_t max_hold            # bars; a position is never held longer. 0: no bound
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


# Sub-bars given for whole bars; the lane walks those inside each bar. The columns belong to the kernel.
cdef struct SubBars:
    const int64_t* ts
    const double* open
    const double* high
    const double* low
    const double* close
    const double* volume
    int64_t count
    int64_t next


# What the lanes of a portfolio share, as of the last close.
cdef struct Account:
    double equity
    double margin               # bound by positions and by entries on their way
    double maintained           # maintenance margin of all positions
    double notional             # of positions and of entries on their way
    int64_t positions
    int64_t entries             # accepted at this time
    double room                 # the most that the entry now in its turn may take


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
    int64_t closed              # trades closed; the records may have been drained
    double won
    double lost
    int64_t exit_side           # of the last exit that was no flip; 0 after a flip
    int64_t exit_ts
    double funding
    double trade_funding
    double flow                 # cash that fills and payments have moved: what the books must agree with
    double turnover
    Extras extras
    int64_t capacity            # micro-units that the segment can still fill
    double last_volume          # of the segment before
    int64_t segment_ts
    int64_t is_walked           # the bar's path came as sub-bars
    int64_t is_gap
    int64_t is_glitch
    int64_t is_liquidated
    int64_t has_best
    double best                 # best price of the bar while held
    Account* account            # NULL: the lane has the configured cash to itself
    int64_t is_collecting       # an entry becomes a candidate, to be ranked with others
    int64_t has_candidate
    int64_t candidate_pending
    int64_t candidate_bad       # the bar that the candidate was decided on followed bad data
    double mark                 # own result and maintenance margin at the account's last close
    double maintained
    Wish candidate
    SubBars subs
    Funding* fundings
    int64_t funding_count
    int64_t funding_next


cdef inline void* grown(LaneState* s, void* old, int64_t* room, size_t item) noexcept nogil:
    """Double a full buffer; on failure the old one stays and the lane is marked."""
    cdef int64_t wanted = room[0] * 2 if room[0] else 64
    cdef void* new
    # What outgrows malloc in a lane by itself mostly goes on growing: one large step saves four copies.
    if s.account == NULL and 256 << 10 < <size_t>wanted * item < 4 << 20:
        wanted = <int64_t>((4 << 20) / item)
    new = more_room(old, room[0], room, wanted, item)
    if new == NULL:
        s.is_out_of_memory = 1
        return old
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
