"""What executions do to a lane: position, average entry, closed trades, the open result."""

from libc.math cimport fabs
from libc.stdint cimport int16_t, int32_t, int64_t

from native.matching cimport fee_c, fill_price_c
from native.state cimport *


cdef inline void book_trade(LaneState* s, int64_t ts, int64_t reason) noexcept nogil:
    """The position is flat: write the trade, add its result, forget its levels."""
    cdef double quantity = <double>s.exit_units / 1e6
    cdef double pnl = (
        <double>s.side * quantity * (s.exit_average - s.entry) - s.entry_fee - s.exit_fee + s.trade_funding
    )
    cdef Trade* t
    if s.trade_count == s.trade_room:
        s.trades = <Trade*>grown(s, s.trades, &s.trade_room, sizeof(Trade))
    if not s.is_out_of_memory:
        t = s.trades + s.trade_count
        t.entry_bar, t.exit_bar, t.entry_ts_ns, t.exit_ts_ns = s.entry_bar, s.bars, s.entry_ts, ts
        t.units, t.entry_fill, t.exit_fill = s.exit_units, s.entry, s.exit_average
        t.fees, t.pnl = s.entry_fee + s.exit_fee, pnl
        t.funding = s.trade_funding
        t.lane, t.side, t.reason = <int32_t>s.rules.lane, <int16_t>s.side, <int16_t>reason
        s.trade_count += 1
    s.realised += pnl
    s.closed += 1
    s.wins += pnl > 0.0
    s.won += pnl if pnl > 0.0 else 0.0
    s.lost -= 0.0 if pnl > 0.0 else pnl
    s.exit_side, s.exit_ts = 0 if reason == WHY_LONG or reason == WHY_SHORT else s.side, ts
    s.side = s.units = s.exit_units = s.is_bracket = s.has_trailed = s.hold_bars = 0
    s.quantity = s.entry = s.entry_fee = s.exit_fee = s.exit_average = s.stop = s.target = s.trail = 0.0
    s.partial = s.partial_target = s.breakeven = s.trade_funding = 0.0


cdef inline void apply_fill(
    LaneState* s, int64_t side, int64_t units, double price, double fee, int64_t ts, int64_t reason, Slot* slot
) noexcept nogil:
    """Book one execution: reduce what is opposite, then open or add with the rest."""
    cdef int64_t reduced
    cdef double part
    cdef double paid = <double>units / 1e6 * price
    s.fees += fee
    s.flow -= <double>side * paid + fee
    s.turnover += paid
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
            s.partial, s.partial_target, s.breakeven = slot.partial, slot.partial_target, slot.breakeven
            s.hold_bars = slot.hold_bars
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


cdef inline double slip_now(LaneState* s) noexcept nogil:
    """Slippage as a fraction: fixed, or ATR over the last close within its bounds."""
    cdef double slip
    if not s.extras.is_atr_slippage:
        return s.rules.slip
    slip = s.extras.slippage_atr * s.atr.value / s.last_close if s.last_close > 0.0 else s.extras.slippage_high
    if slip < s.extras.slippage_low:
        return s.extras.slippage_low
    return slip if slip < s.extras.slippage_high else s.extras.slippage_high


cdef inline void settle(
    LaneState* s, int64_t step, int64_t offset, int64_t side, int64_t units, double price, int64_t ts, int64_t reason,
    Slot* slot, int64_t is_maker, double extra_fee
) noexcept nogil:
    """Fill at the exchange that is not plain: a maker at its price, a taker with slippage up to its limit."""
    cdef double paid = price
    cdef double fee
    if not is_maker:
        paid = fill_price_c(price, side, slip_now(s), s.rules.tick)
        if slot != NULL and slot.limit > 0.0 and <double>side * paid > <double>side * slot.limit:
            paid = slot.limit
    fee = fee_c(paid, units, (s.extras.maker_fee if is_maker else s.rules.fee) + extra_fee)
    if s.is_noting:
        note_fill(s, step, offset, side, units, paid, fee, ts, reason)
    apply_fill(s, side, units, paid, fee, ts, reason, slot)


cdef inline double open_result_c(double held, double price, double entry, double entry_fee) noexcept nogil:
    """A whole position's result at `price`; `held` is its quantity with the side's sign."""
    return held * (price - entry) - entry_fee


cdef inline double open_result(LaneState* s, double price) noexcept nogil:
    """The open trade's result at `price`: entry fee and part exits paid, no cost of leaving."""
    cdef double result
    if s.side == 0:
        return 0.0
    result = open_result_c(<double>s.side * s.quantity, price, s.entry, s.entry_fee)
    if s.trade_funding:
        result += s.trade_funding
    if s.exit_units:
        result += <double>s.side * (<double>s.exit_units / 1e6) * (s.exit_average - s.entry) - s.exit_fee
    return result


cdef inline bint is_balanced(LaneState* s) noexcept nogil:
    """Whether realised and unrealised results, less fees plus funding, are what the cash that moved says (AQ-14).

    Fills and payments are added up twice, by trade and as bare cash; a NaN is out of balance, what has left the
    doubles on both sides alike is not.
    """
    cdef double booked = s.realised + open_result(s, s.last_close)
    cdef double moved = s.flow + <double>s.side * s.quantity * s.last_close
    cdef double held = s.quantity * s.last_close
    return booked == moved or fabs(booked - moved) <= 1e-6 + 1e-11 * (s.turnover + held + fabs(s.funding))
