"""The steps that move one strategy on one symbol.

Stepping (live, paper) and replay (back-test) call the same inline functions, so they cannot differ.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int16_t, int32_t, int64_t

from native.indicators cimport atr_step, ema_step, rsi_step, sma_step
from native.matching cimport fee_c, fill_price_c, size_units_c
from native.state cimport *


cdef inline void book_trade(LaneState* s, int64_t ts, int64_t reason) noexcept nogil:
    """The position is flat: write the trade, add its result, forget its levels."""
    cdef double quantity = <double>s.exit_units / 1e6
    cdef double pnl = (
        <double>s.side * quantity * (s.exit_average - s.entry) - s.entry_fee - s.exit_fee
    )
    cdef Trade* t
    if s.trade_count == s.trade_room:
        s.trades = <Trade*>grown(s, s.trades, &s.trade_room, sizeof(Trade))
    if not s.is_out_of_memory:
        t = s.trades + s.trade_count
        t.entry_bar, t.exit_bar, t.entry_ts_ns, t.exit_ts_ns = s.entry_bar, s.bars, s.entry_ts, ts
        t.units, t.entry_fill, t.exit_fill = s.exit_units, s.entry, s.exit_average
        t.fees, t.pnl = s.entry_fee + s.exit_fee, pnl
        t.lane, t.side, t.reason = <int32_t>s.rules.lane, <int16_t>s.side, <int16_t>reason
        s.trade_count += 1
    s.realised += pnl
    s.wins += pnl > 0.0
    s.side = s.units = s.exit_units = s.is_bracket = s.has_trailed = 0
    s.quantity = s.entry = s.entry_fee = s.exit_fee = s.exit_average = s.stop = s.target = s.trail = 0.0


cdef inline void apply_fill(
    LaneState* s, int64_t side, int64_t units, double price, double fee, int64_t ts, int64_t reason, Slot* slot
) noexcept nogil:
    """Book one execution: reduce what is opposite, then open or add with the rest."""
    cdef int64_t reduced
    cdef double part
    s.fees += fee
    if s.side == -side:
        reduced = units if units < s.units else s.units
        part = fee if reduced == units else fee * <double>reduced / <double>units
        if s.exit_units:
            s.exit_average = (
                s.exit_average * <double>s.exit_units + price * <double>reduced
            ) / <double>(s.exit_units + reduced)
        else:
            s.exit_average = price
        s.exit_units += reduced
        s.exit_fee += part
        s.units -= reduced
        s.quantity = <double>s.units / 1e6
        if s.units == 0:
            book_trade(s, ts, reason)
        units -= reduced
        fee -= part
        if units == 0:
            return
    if s.side == 0:
        s.side, s.units, s.entry, s.entry_fee = side, units, price, fee
        s.entry_bar, s.entry_ts = s.bars, ts
        if slot != NULL:
            s.is_bracket, s.stop, s.target, s.trail = slot.is_bracket, slot.stop, slot.target, slot.trail
    else:
        # The average runs over everything entered in this trade, also what has left again.
        s.entry = (
            s.entry * <double>(s.units + s.exit_units) + price * <double>units
        ) / <double>(s.units + s.exit_units + units)
        s.entry_fee += fee
        s.units += units
    s.quantity = <double>s.units / 1e6


cdef inline void note_fill(
    LaneState* s, int64_t step, int64_t offset, int64_t side, int64_t units, double price, double fee, int64_t ts,
    int64_t reason
) noexcept nogil:
    cdef FillNote* n
    if s.note_count == s.note_room:
        s.notes = <FillNote*>grown(s, s.notes, &s.note_room, sizeof(FillNote))
        if s.is_out_of_memory:
            return
    n = s.notes + s.note_count
    n.step, n.offset, n.side, n.units, n.ts_ns, n.reason = step, offset, side, units, ts, reason
    n.price, n.fee = price, fee
    s.note_count += 1


cdef inline void execute(
    LaneState* s, int64_t step, int64_t offset, int64_t side, int64_t units, double price, int64_t ts, int64_t reason,
    Slot* slot
) noexcept nogil:
    """Fill at the simulated exchange: adverse slippage, tick, fee."""
    cdef double paid = fill_price_c(price, side, s.rules.slip, s.rules.tick)
    cdef double fee = fee_c(paid, units, s.rules.fee)
    if s.is_noting:
        note_fill(s, step, offset, side, units, paid, fee, ts, reason)
    apply_fill(s, side, units, paid, fee, ts, reason, slot)


cdef inline void open_step(LaneState* s, int64_t ts, double price) noexcept nogil:
    """A bar opens: with internal matching what was decided at the last close fills here, closes first."""
    s.open_ts = ts
    if s.pending == 0 or s.rules.is_external:
        return
    if s.pending & 1:
        s.close_slot.is_active = 0
        execute(s, s.close_slot.step, 0, s.close_slot.side, s.close_slot.units, price, ts, s.close_slot.reason, NULL)
    if s.pending & 2:
        s.open_slot.is_active = 0
        execute(
            s, s.open_slot.step, 1, s.open_slot.side, s.open_slot.units, price, ts, s.open_slot.reason, &s.open_slot
        )
    s.pending = 0


cdef inline void order_close(LaneState* s, int64_t ts, double price, int64_t reason) noexcept nogil:
    """Order the whole position closed at the next opportunity; once."""
    if s.pending & 1:
        return
    s.close_slot.is_active, s.close_slot.step, s.close_slot.side = 1, s.bars, -s.side
    s.close_slot.units, s.close_slot.filled, s.close_slot.reason = s.units, 0, reason
    s.close_slot.price = price
    s.pending |= 1
    decide(s, ts, ACT_CLOSE, -s.side, s.units, price, reason, 0)


cdef inline void exit_at(LaneState* s, int64_t ts, double price, double close, int64_t reason) noexcept nogil:
    """Leave by a level: inside the bar at the simulated exchange, else decided now for the next open."""
    if s.rules.is_intrabar:
        decide(s, ts, ACT_EXIT_IN_BAR, -s.side, s.units, price, reason, 0)
        execute(s, s.bars, 2, -s.side, s.units, price, ts, reason, NULL)
    else:
        order_close(s, ts, close, reason)


cdef inline void exits_step(LaneState* s, int64_t ts, double o, double h, double l, double c) noexcept nogil:
    """Stop first, then target, then trail for the next bar; a gap through a level fills at the open."""
    cdef double level
    cdef int64_t why = WHY_TRAILING if s.has_trailed else WHY_STOP
    if s.side > 0:
        if l <= s.stop:
            exit_at(s, ts, o if o < s.stop else s.stop, c, why)
        elif h >= s.target:
            exit_at(s, ts, o if o > s.target else s.target, c, WHY_TARGET)
        else:
            level = h - s.trail
            if level > s.stop:
                s.stop, s.has_trailed = level, 1
    else:
        if h >= s.stop:
            exit_at(s, ts, o if o > s.stop else s.stop, c, why)
        elif l <= s.target:
            exit_at(s, ts, o if o < s.target else s.target, c, WHY_TARGET)
        else:
            level = l + s.trail
            if level < s.stop:
                s.stop, s.has_trailed = level, 1


cdef inline int64_t compiled_signal(LaneState* s, int64_t kind, double c) noexcept nogil:
    """Move the built-in strategy's indicators by one close and return what it wants."""
    cdef double fast, slow, was_fast, was_slow, rsi
    if kind == KIND_EMA_CROSS:
        was_fast, was_slow = s.ema_fast.value, s.ema_slow.value
        fast = ema_step(&s.ema_fast, c)
        slow = ema_step(&s.ema_slow, c)
        if s.bars < s.rules.first_bar:
            return KEEP
        if s.rules.is_bracket:
            if fast > slow and was_fast <= was_slow:
                return 1
            return -1 if fast < slow and was_fast >= was_slow else KEEP
        if fast > slow:
            return 1
        return -1 if fast < slow else KEEP
    if kind == KIND_RSI_MA_CROSS:
        fast = sma_step(&s.sma_fast, c)
        slow = sma_step(&s.sma_slow, c)
        rsi = rsi_step(&s.rsi, c)
        if s.bars < s.rules.first_bar:
            return KEEP
        if fast > slow and rsi < s.rules.rsi_buy_max:
            return 1
        return 0 if fast < slow and rsi > s.rules.rsi_sell_min else KEEP
    return 1


cdef inline void enter(
    LaneState* s, int64_t ts, double c, int64_t want, int64_t had_pending, double stop_distance, double target_distance
) noexcept nogil:
    """Gates, size and levels of an entry; a blocked wish is recorded when it or its gates change."""
    cdef int64_t units = size_units_c(s.rules.notional * s.multiplier, c, s.rules.lot_units)
    cdef int64_t gates = s.gates
    cdef int64_t why = WHY_LONG if want > 0 else WHY_SHORT
    cdef double side = <double>want
    cdef double distance
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
    slot.target, slot.trail = side * INFINITY, INFINITY
    if s.rules.kind == KIND_EMA_CROSS and s.rules.is_bracket:
        slot.is_bracket = 1
        slot.stop = c - side * s.rules.bracket_stop * s.atr.value
        slot.target = c + side * s.rules.bracket_target * s.atr.value
        slot.trail = s.rules.bracket_trail * s.atr.value if s.rules.bracket_trail > 0.0 else INFINITY
    else:
        # A target without a stop gets the default stop, executed; neither: the stop only informs.
        slot.is_bracket = stop_distance > 0.0 or target_distance > 0.0
        distance = stop_distance if stop_distance > 0.0 else s.rules.stop_atr * s.atr.value
        if not distance > 0.0:
            distance = c * s.rules.stop_fallback
        slot.stop = c - side * distance
        if target_distance > 0.0:
            slot.target = c + side * target_distance
    s.pending |= 2
    decide(s, ts, ACT_OPEN, want, units, c, why, 0)


cdef inline void decide_step(
    LaneState* s, int64_t ts, double c, int64_t want, int64_t had_pending, double stop_distance, double target_distance
) noexcept nogil:
    """Turn a wish into orders: close what is held the other way, then open; a flip is both."""
    cdef int64_t held = 0 if s.pending & 1 else s.side
    if want == KEEP or want == held:
        return
    if held:
        order_close(s, ts, c, WHY_LONG if want > 0 else (WHY_SHORT if want < 0 else WHY_FLAT))
    if want:
        enter(s, ts, c, want, had_pending, stop_distance, target_distance)


cdef inline double open_result_c(double held, double price, double entry, double entry_fee) noexcept nogil:
    """A whole position's result at `price`; `held` is its quantity with the side's sign."""
    return held * (price - entry) - entry_fee


cdef inline double open_result(LaneState* s, double price) noexcept nogil:
    """The open trade's result at `price`: entry fee and part exits paid, no cost of leaving."""
    cdef double result
    if s.side == 0:
        return 0.0
    result = open_result_c(<double>s.side * s.quantity, price, s.entry, s.entry_fee)
    if s.exit_units:
        result += <double>s.side * (<double>s.exit_units / 1e6) * (s.exit_average - s.entry) - s.exit_fee
    return result


cdef inline void finish_step(LaneState* s, int64_t ts, double c) noexcept nogil:
    """Mark the bar: result so far into the curve (room was made by the caller), counters forward."""
    if s.rules.keeps_equity:
        s.equity[s.equity_count] = s.realised + open_result(s, c)
        s.equity_count += 1
    s.last_close = c
    s.last_ts = ts
    s.is_data_bad = 0
    s.bars += 1


cdef inline void close_step(
    LaneState* s, int64_t kind, int64_t ts, double o, double h, double l, double c
) noexcept nogil:
    """A bar closes under a compiled strategy: exits, indicators, wish, orders, mark."""
    cdef int64_t had_pending = s.pending
    cdef int64_t want
    if s.is_bracket and s.side:
        exits_step(s, ts, o, h, l, c)
    atr_step(&s.atr, h, l, c)
    want = compiled_signal(s, kind, c)
    decide_step(s, ts, c, want, had_pending, 0.0, 0.0)
    finish_step(s, ts, c)


cdef inline bint is_good_bar(double o, double h, double l, double c, double v) noexcept nogil:
    """Finite and positive, high >= low, volume not negative; every comparison with NaN is false."""
    return l > 0.0 and o > 0.0 and c > 0.0 and h >= l and h < INFINITY and o < INFINITY and c < INFINITY and v >= 0.0 and v < INFINITY
