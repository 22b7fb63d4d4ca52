"""The kernel: lanes (one strategy on one symbol each) stepped bar by bar or replayed over columns."""

from libc.math cimport INFINITY, isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport realloc

from native.account cimport apply_fill, execute, is_balanced, open_result, settle
from native.entries cimport decide_step
from native.exchange cimport pay_funding, sub_step
from native.forged cimport Forged, forged_close, replay_forged
from native.indicators cimport atr_step
from native.lane cimport close_bar, exits_bar, finish_step, is_good_bar, open_bar
from native.lane_states cimport StoredLanes
from native.matching cimport round_price_c
from native.replay cimport Columns, replay_bars
from native.state cimport *
from native.strategy cimport Bar, read_wish

from native.codes import Reason
from native.intents import KernelConfig, KernelFill, LanePosition, LaneSpec, Matching, OrderIntent
from native.lanes import BUILTINS, DECISION_DTYPE, TRADE_DTYPE, builtin_params
from native.strategy import StrategyFailed, strategy_failed

_CODES = {int(reason): reason.code for reason in Reason}


cdef _raise_forged(Forged forged, int64_t error):
    """A forged strategy failed: the same exception as an interpreted one's, never a bad bar's."""
    try:
        forged._fail(error)
    except Exception as failure:
        raise StrategyFailed(str(failure)) from failure


cdef class Kernel(StoredLanes):
    """Lanes under one configuration. Times are the bars' open times in UTC ns; sizes micro-units.

    `matching` "internal" fills at the next open in the simulated exchange; "external" waits for
    `fill` and `reject`. Both give the same decisions when fills come at the next open.
    """

    cdef _refuse(self, LaneState* s, int64_t ts, str message):
        """A bad bar: block the next entry, drop an entry that has not reached the simulated exchange."""
        s.is_data_bad = 1
        if s.pending & 2 and not s.rules.is_external:
            decide(s, ts, ACT_DROPPED, s.open_slot.side, s.open_slot.units, s.open_slot.price, WHY_DATA, GATE_DATA)
            s.open_slot.is_active = 0
            s.pending &= 1
        raise ValueError(message)

    def open(self, lane, ts_ns, double price):
        """A bar opens at `price`; return the fills of what was decided at the last close (internal only).

        Raises ValueError for a time that is not after the last close or a price that is no price.
        """
        cdef LaneState* s = self._lane(lane)
        cdef int64_t ts = ts_ns
        if ts <= s.last_ts or not (isfinite(price) and price > 0.0):
            self._refuse(s, ts, f"lane {lane}: open refused at {ts}: price {price}, last close {s.last_ts}")
        s.is_noting = 1
        open_bar(s, ts, price)
        s.is_noting = 0
        self._check(s)
        return self.take_fills(lane)

    def close(self, lane, ts_ns, double open, double high, double low, double close, double volume=0.0):
        """A bar closes; return the orders decided now. Raises ValueError for a bad bar, which is not used."""
        cdef LaneState* s = self._lane(lane)
        cdef int64_t ts = ts_ns
        if ts <= s.last_ts or ts < s.open_ts or not is_good_bar(open, high, low, close, volume):
            self._refuse(s, ts, f"lane {lane}: bar refused at {ts}: {open}, {high}, {low}, {close}, {volume}")
        if self.heeded != lane:
            self.heed(lane)
        self.heeded = -1
        self._make_room(s, 1)
        s.is_noting = 1
        self._close(lane, ts, open, high, low, close, volume)
        s.is_noting = 0
        self._check(s)
        return self._new_intents(s)

    cdef int _close(
        self, int64_t lane, int64_t ts, double open, double high, double low, double close, double volume
    ) except -1:
        """Close a good bar under whatever strategy the lane has."""
        cdef LaneState* s = self.states + lane
        if s.rules.kind == KIND_PYTHON:
            self._step_python(s, self.strategies[lane].on_bar, ts, open, high, low, close, volume)
        elif s.rules.kind == KIND_FORGED:
            self._step_forged(s, self.strategies[lane], ts, open, high, low, close, volume)
        else:
            close_bar(s, ts, open, high, low, close, volume)
        return 0

    cdef int _step_python(
        self, LaneState* s, on_bar, int64_t ts, double o, double h, double l, double c, double v
    ) except -1:
        """One close under an interpreted strategy: the same inline steps around a Python call."""
        cdef int64_t had_pending = s.pending
        cdef int64_t want = KEEP
        cdef Wish wish
        cdef const Wish* named = NULL
        cdef Bar bar = self.bar
        exits_bar(s, ts, o, h, l, c, v)
        s.last_ts = ts      # a strategy that raises cannot be stepped over the same bar again
        atr_step(&s.atr, h, l, c)
        bar.ts_ns, bar.index, bar.side, bar.volume = ts, s.bars, s.side, v
        bar.open, bar.high, bar.low, bar.close = o, h, l, c
        try:
            answer = on_bar(bar)
            if answer is not None:
                if isinstance(answer, tuple):
                    read_wish(&wish, answer)
                    want, named = wish.side, &wish
                    if wish.limit >= 0.0 and s.extras.entry_limit < 0.0:
                        raise ValueError("a limit entry needs exchange.entry_limit_bps in the configuration")
                else:
                    try:                # what is no whole number is refused below, never rounded
                        want = KEEP if isinstance(answer, float) and not answer.is_integer() else answer
                    except TypeError:
                        want = KEEP
                if not -1 <= want <= 1:
                    raise ValueError(f"on_bar must return None, -1, 0, +1 or a Signal, got {answer!r}")
        except Exception as error:
            raise strategy_failed(on_bar, error) from error
        decide_step(s, ts, c, want, had_pending, named)
        finish_step(s, ts, c)
        return 0

    cdef int _step_forged(
        self, LaneState* s, Forged forged, int64_t ts, double o, double h, double l, double c, double v
    ) except -1:
        cdef int64_t error = forged_close(s, &forged.calls, ts, o, h, l, c, v)
        if error:
            _raise_forged(forged, error)
        return 0

    cdef _check(self, LaneState* s):
        """What must hold after every step and replay. Raises MemoryError, or AssertionError for broken books."""
        if s.is_out_of_memory:
            raise MemoryError("the kernel's record buffers could not grow")
        if not is_balanced(s):
            raise AssertionError(
                f"lane {s.rules.lane}: results {s.realised + open_result(s, s.last_close)!r} are not what its "
                f"cash says, {s.flow + s.side * s.quantity * s.last_close!r}"
            )

    cdef _new_intents(self, LaneState* s):
        """Build the intents that the close just stepped has decided."""
        intents = []
        if s.pending & 1 and s.close_slot.step == s.bars - 1:
            intents.append(self._intent(s, 0, &s.close_slot))
        if s.pending & 2 and s.open_slot.step == s.bars - 1:
            intents.append(self._intent(s, 1, &s.open_slot))
        return intents

    def outstanding(self, lane):
        """Return the orders that the lane has decided and waits for, as they were decided."""
        cdef LaneState* s = self._lane(lane)
        slots = []
        if s.close_slot.is_active:
            slots.append(self._intent(s, 0, &s.close_slot))
        if s.open_slot.is_active:
            slots.append(self._intent(s, 1, &s.open_slot))
        return slots

    cdef _intent(self, LaneState* s, int64_t offset, Slot* slot):
        cdef double slip = self.config.max_slippage_bps / 1e4
        cdef double collar = round_price_c(slot.price * (1.0 + slot.side * slip), slot.side, s.rules.tick)
        if offset == 1 and slot.limit > 0.0:
            collar = slot.limit
        cdef bint has_target = offset == 1 and slot.is_bracket and isfinite(slot.target)
        return OrderIntent(
            intent_id=f"{self.run_id}:{slot.step}:{s.rules.lane}:{offset}", lane=s.rules.lane, step=slot.step,
            offset=offset, symbol=self.lanes[s.rules.lane].symbol, side=slot.side, units=slot.units,
            quantity=slot.units / 1e6, reason=_CODES[slot.reason], decision_price=slot.price, limit_price=collar,
            stop_price=slot.stop if offset == 1 else None, target_price=slot.target if has_target else None,
            reduce_only=offset == 0, decided_ts_ns=s.last_ts,
        )

    def take_fills(self, lane):
        """Return and forget the internal fills made since the last call (in-bar exits come this way)."""
        cdef LaneState* s = self._lane(lane)
        cdef FillNote* n
        cdef int64_t i
        symbol = self.lanes[lane].symbol
        fills = []
        for i in range(s.note_count):
            n = s.notes + i
            fills.append(KernelFill(
                intent_id=f"{self.run_id}:{n.step}:{lane}:{n.offset}", lane=lane, symbol=symbol, side=n.side,
                units=n.units, price=n.price, fee=n.fee, ts_ns=n.ts_ns, reason=_CODES[n.reason],
                reduce_only=n.offset != 1,
            ))
        s.note_count = 0
        return fills

    cdef Slot* _slot(self, LaneState* s, intent_id) except? NULL:
        """Find the outstanding intent by id or offset; NULL where there is none."""
        cdef Slot* slot
        cdef int64_t offset
        for offset in range(2):
            slot = &s.open_slot if offset else &s.close_slot
            if slot.is_active and (
                intent_id == offset or intent_id == f"{self.run_id}:{slot.step}:{s.rules.lane}:{offset}"
            ):
                return slot
        return NULL

    def fill(self, lane, intent_id, units, double price, double fee, ts_ns, side=None):
        """Book an execution that a venue reported (external matching); part fills add up.

        `intent_id` is the intent's id or its offset. A fill of an intent no longer outstanding is a
        fact too: give `side`. Raises KeyError for an unknown intent without side, ValueError for nonsense.
        """
        cdef LaneState* s = self._lane(lane)
        cdef Slot* slot = self._slot(s, intent_id)
        if not s.rules.is_external:
            raise ValueError("fills come from outside only with external matching")
        if units <= 0 or not (isfinite(price) and price > 0.0 and isfinite(fee)) or side not in (None, -1, 1):
            raise ValueError(f"fill refused: units {units}, price {price}, fee {fee}, side {side}")
        if slot == NULL:
            if side is None:
                raise KeyError(f"lane {lane} has no outstanding intent {intent_id}")
            apply_fill(s, side, units, price, fee, ts_ns, WHY_EXTERNAL, NULL)
        else:
            if side is not None and side != slot.side:
                raise ValueError(f"fill of {intent_id} has side {side}, the intent {slot.side}")
            apply_fill(s, slot.side, units, price, fee, ts_ns, slot.reason, slot)
            slot.filled += units
            if slot.filled >= slot.units:
                self._release(s, slot)
        self._check(s)

    cdef _release(self, LaneState* s, Slot* slot):
        slot.is_active = 0
        s.pending &= 1 if slot == &s.open_slot else 2

    def reject(self, lane, intent_id, code):
        """The rest of an outstanding intent will never act (rejected, cancelled, expired, refused by us)."""
        cdef LaneState* s = self._lane(lane)
        cdef Slot* slot = self._slot(s, intent_id)
        if slot == NULL:
            raise KeyError(f"lane {lane} has no outstanding intent {intent_id} to reject ({code})")
        self._release(s, slot)

    def replay(self, lane, const int64_t[::1] ts_ns, const double[::1] open, const double[::1] high,
               const double[::1] low, const double[::1] close, const double[::1] volume):
        """Step the lane over columns of equal length; return the bars stepped. Raises ValueError at a bad bar.

        Compiled strategies run without the GIL. The bars before a bad one have been stepped.
        """
        cdef LaneState* s = self._lane(lane)
        cdef int64_t n = close.shape[0]
        cdef int64_t done, i
        cdef int64_t error = 0
        cdef Columns columns
        cdef Forged forged
        if s.rules.is_external:
            raise ValueError("replay needs internal matching; use warm")
        if not ts_ns.shape[0] == open.shape[0] == high.shape[0] == low.shape[0] == volume.shape[0] == n:
            raise ValueError("columns differ in length")
        if n == 0:
            return 0
        self._make_room(s, n)
        if s.rules.kind == KIND_PYTHON:
            on_bar = self.strategies[lane].on_bar
            done = n
            for i in range(n):
                if ts_ns[i] <= s.last_ts or not is_good_bar(open[i], high[i], low[i], close[i], volume[i]):
                    done = i
                    break
                open_bar(s, ts_ns[i], open[i])
                self._step_python(s, on_bar, ts_ns[i], open[i], high[i], low[i], close[i], volume[i])
        else:
            columns.ts, columns.open, columns.high = &ts_ns[0], &open[0], &high[0]
            columns.low, columns.close, columns.volume = &low[0], &close[0], &volume[0]
            if s.rules.kind == KIND_FORGED:
                forged = self.strategies[lane]
                with nogil:
                    done = replay_forged(s, &forged.calls, &columns, n, &error)
            else:
                with nogil:
                    done = replay_bars(s, &columns, n)
        self._check(s)
        if error:
            _raise_forged(forged, error)
        if done < n:
            self._refuse(s, ts_ns[done], f"lane {lane}: bar {done} refused at {ts_ns[done]}: {open[done]}, "
                         f"{high[done]}, {low[done]}, {close[done]}, {volume[done]}, last close {s.last_ts}")
        return done

    def set_sub_bars(self, lane, const int64_t[::1] ts_ns, const double[::1] open, const double[::1] high,
                     const double[::1] low, const double[::1] close, const double[::1] volume):
        """Give finer bars of the whole replay: those inside a bar are its path, walked in order.

        Needs `exchange.has_sub_bars`. Raises ValueError for columns that are not good bars in time order.
        """
        cdef LaneState* s = self._lane(lane)
        cdef int64_t n = close.shape[0]
        cdef int64_t i
        if not self.config.exchange.has_sub_bars or s.rules.is_external:
            raise ValueError("sub-bars need exchange.has_sub_bars and internal matching")
        if n == 0 or not ts_ns.shape[0] == open.shape[0] == high.shape[0] == low.shape[0] == volume.shape[0] == n:
            raise ValueError("sub-bar columns are empty or differ in length")
        for i in range(n):
            if (i and ts_ns[i] <= ts_ns[i - 1]) or not is_good_bar(open[i], high[i], low[i], close[i], volume[i]):
                raise ValueError(f"lane {lane}: sub-bar {i} refused at {ts_ns[i]}")
        self.kept[lane] = (ts_ns, open, high, low, close, volume)
        s.subs.ts, s.subs.open, s.subs.high = &ts_ns[0], &open[0], &high[0]
        s.subs.low, s.subs.close, s.subs.volume, s.subs.count = &low[0], &close[0], &volume[0], n

    def sub_bar(self, lane, ts_ns, double open, double high, double low, double close, double volume=0.0):
        """Step one sub-bar of the bar that has opened (instead of `set_sub_bars`); return its fills."""
        cdef LaneState* s = self._lane(lane)
        cdef int64_t ts = ts_ns
        if not self.config.exchange.has_sub_bars or s.rules.is_external:
            raise ValueError("sub-bars need exchange.has_sub_bars and internal matching")
        if ts < s.segment_ts or ts <= s.last_ts or not is_good_bar(open, high, low, close, volume):
            self._refuse(s, ts, f"lane {lane}: sub-bar refused at {ts}: {open}, {high}, {low}, {close}, {volume}")
        s.is_noting = 1
        sub_step(s, ts, open, high, low, close, volume)
        s.is_noting = 0
        self._check(s)
        return self.take_fills(lane)

    def set_funding(self, lane, const int64_t[::1] ts_ns, const double[::1] rate, const double[::1] mark):
        """Give the funding events of the whole replay, in time order: rate per event, mark price.

        A positive rate is paid by longs: cash changes by -side * quantity * mark * rate. Needs
        `exchange.has_funding`. Raises ValueError for times that do not rise or numbers that are none.
        """
        cdef LaneState* s = self._lane(lane)
        cdef int64_t n = ts_ns.shape[0]
        cdef int64_t i
        cdef Funding* events
        if not self.config.exchange.has_funding or s.rules.is_external:
            raise ValueError("funding events need exchange.has_funding and internal matching")
        if not rate.shape[0] == mark.shape[0] == n:
            raise ValueError("funding columns differ in length")
        for i in range(n):
            if (i and ts_ns[i] <= ts_ns[i - 1]) or not (isfinite(rate[i]) and isfinite(mark[i]) and mark[i] > 0.0):
                raise ValueError(f"lane {lane}: funding {i} refused at {ts_ns[i]}: rate {rate[i]}, mark {mark[i]}")
        events = <Funding*>realloc(s.fundings, max(n, 1) * sizeof(Funding))
        if events == NULL:
            raise MemoryError
        for i in range(n):
            events[i].ts_ns, events[i].rate, events[i].mark = ts_ns[i], rate[i], mark[i]
        s.fundings, s.funding_count = events, n

    def pay_funding(self, lane, ts_ns, double rate, double mark):
        """Book one funding event on what the lane holds now; return the amount received (below zero: paid)."""
        cdef LaneState* s = self._lane(lane)
        cdef double before = s.funding
        if not (isfinite(rate) and isfinite(mark) and mark > 0.0):
            raise ValueError(f"funding refused: rate {rate}, mark {mark}")
        pay_funding(s, rate, mark)
        return s.funding - before

    def finish(self, lane):
        """Close what the lane holds at its last close, with slippage and fee; the last equity mark follows.

        Internal matching only; a lane that holds nothing is left as it is.
        """
        cdef LaneState* s = self._lane(lane)
        if s.rules.is_external:
            raise ValueError("an external account is closed at its venue")
        if s.side == 0:
            return
        s.bars -= 1
        s.pending = 0
        s.close_slot.is_active = s.open_slot.is_active = 0
        decide(s, s.last_ts, ACT_CLOSE, -s.side, s.units, s.last_close, WHY_END, 0)
        if s.rules.is_plain:
            execute(s, s.bars, 2, -s.side, s.units, s.last_close, s.last_ts, WHY_END, NULL)
        else:
            settle(s, s.bars, 2, -s.side, s.units, s.last_close, s.last_ts, WHY_END, NULL, 0, 0.0)
        s.bars += 1
        if s.equity_count:
            s.equity[s.equity_count - 1] = s.realised
        self._check(s)

    def warm(self, lane, ts_ns, open, high, low, close, volume):
        """Step over history with entries blocked by the warm-up gate, on either matching."""
        cdef LaneState* s = self._lane(lane)
        cdef int64_t was_external = s.rules.is_external
        cdef int64_t gates = s.gates
        if s.side or s.pending:
            raise ValueError("a lane that holds or waits cannot be warmed")
        s.rules.is_external, s.gates = 0, gates | GATE_WARMUP
        try:
            return self.replay(lane, ts_ns, open, high, low, close, volume)
        finally:
            s.rules.is_external, s.gates = was_external, gates
