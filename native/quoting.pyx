"""Quoting against a recorded L2 feed: two books (the exchange's and the one we see), latency, queue.

Four streams meet in time; at equal times in this order: the feed as we see it, answers reaching us, the
feed at the exchange, our requests reaching the exchange. A level that a newer price of the other side
has overtaken is passed over as best but kept, as raw feeds clear it later. Orders fill whole, at their
own price: by a trade through it, by the other side's best reaching it, or when the queue ahead is gone.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

import numpy as np

from native.quoting_step cimport *

from native.depth import DEPTH_DTYPE, BookFault, DepthFault
from native.quotes import FILL_DTYPE, QuoteResult


cdef inline int64_t least(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b


cdef bint advance(Simulation* s, int64_t target) noexcept nogil:
    """Let the world go on through `target`; False when the recording and all messages have ended."""
    cdef int64_t local, exchange, answer, request, until
    while not s.fault:
        local = s.local[s.local_at].ts_ns if s.local_at < s.local_count else NEVER
        exchange = s.exchange[s.exchange_at].ts_ns if s.exchange_at < s.exchange_count else NEVER
        answer, request = next_time(&s.answers), next_time(&s.requests)
        until = least(least(local, exchange), least(answer, request))
        if until == NEVER:
            return False
        if until > target:
            return True
        if local == until:
            until = least(least(exchange, target), least(answer, request))
            while s.local_at < s.local_count and s.local[s.local_at].ts_ns <= until and not s.fault:
                s.fault, s.fault_at = move_book(s.seen, s.local + s.local_at), s.local_at
                s.local_at += 1
        elif answer == until:
            take_answer(s, &s.answers.ring[s.answers.head % RING])
            s.answers.head += 1
        elif exchange == until:
            until = least(least(local - 1, target), least(answer - 1, request))
            while s.exchange_at < s.exchange_count and s.exchange[s.exchange_at].ts_ns <= until and not s.fault:
                exchange_event(s, s.exchange + s.exchange_at)
                s.fault_at, s.is_fault_at_exchange = s.exchange_at, s.fault != 0
                s.exchange_at += 1
                if s.answers.head != s.answers.tail:
                    until = least(until, next_time(&s.answers) - 1)
        else:
            take_request(s, &s.requests.ring[s.requests.head % RING])
            s.requests.head += 1
    return False


cdef class QuoteSimulation:
    """One quoting strategy against one recording, once.

    `local` are events in the order and at the times we received them, `exchange` the same events at the
    exchange's times (both `DEPTH_DTYPE`, sorted by `ts_ns`); `rules` is a `QuoteRules`.
    Raises ValueError where a column is not sorted.
    """

    cdef Simulation s
    cdef object rules
    cdef const DepthEvent[::1] local
    cdef const DepthEvent[::1] exchange
    cdef bint is_done

    def __init__(self, const DepthEvent[::1] local not None, const DepthEvent[::1] exchange not None, rules):
        if local.shape[0] == 0 or exchange.shape[0] == 0:
            raise ValueError("both feeds must have events")
        for name, column in (("local", local), ("exchange", exchange)):
            times = np.asarray(column)["ts_ns"]
            if (np.diff(times) < 0).any():
                raise ValueError(f"the {name} events are not sorted by ts_ns")
        self.local, self.exchange, self.rules = local, exchange, rules
        cdef Simulation* s = &self.s
        s.local, s.local_count = &local[0], local.shape[0]
        s.exchange, s.exchange_count = &exchange[0], exchange.shape[0]
        s.model, s.power = int(rules.queue_model), rules.queue_power
        s.order_lots, s.order_latency = rules.order_lots, rules.order_latency_ns
        s.response_latency, s.fee = rules.response_latency_ns, rules.fee_bps / 1e4
        s.tick_size, s.lot_size = rules.tick_size, rules.lot_size
        s.fill_room = 1024
        s.fills = <Fill*>calloc(s.fill_room, sizeof(Fill))
        if s.fills == NULL:
            raise MemoryError("no memory for fills")
        for side in range(2):
            if levels_open(&s.seen[side]) < 0 or levels_open(&s.real[side]) < 0:
                raise MemoryError("no memory for two books")

    def __dealloc__(self):
        for side in range(2):
            levels_free(&self.s.seen[side])
            levels_free(&self.s.real[side])
        free(self.s.fills)

    def run(self, quoter=None):
        """Run to the end; returns a `QuoteResult`.

        `quoter(best_bid, best_ask, position_lots)` returns (bid tick or None, ask tick or None) at each
        step; without it the built-in rule quotes. Raises `BookFault` for an event no book takes, and
        ValueError on a second run or for a quote that is no tick.
        """
        cdef Simulation* s = &self.s
        cdef int64_t half = self.rules.half_spread_ticks, skew = self.rules.skew_ticks
        cdef int64_t most = self.rules.max_units, interval = self.rules.interval_ns
        cdef int64_t now = least(s.local[0].ts_ns, s.exchange[0].ts_ns)
        if self.is_done:
            raise ValueError("a simulation runs once; make a new one")
        self.is_done = True
        if quoter is None:
            with nogil:
                while advance(s, now + interval):
                    now += interval
                    if look(s):
                        skewed_quote(s, now, half, skew, most)
        else:
            while advance(s, now + interval):
                now += interval
                if look(s):
                    bid, ask = quoter(s.seen[0].best, -s.seen[1].best, s.position)
                    quote(s, now, bid is not None, 0 if bid is None else bid, ask is not None, 0 if ask is None else ask)
        self._check_fault()
        return self._result()

    cdef _check_fault(self):
        cdef Simulation* s = &self.s
        cdef const DepthEvent* e
        if s.fault == OUT_OF_MEMORY:
            raise MemoryError("no memory to go on")
        if s.fault:
            e = (s.exchange if s.is_fault_at_exchange else s.local) + s.fault_at
            raise BookFault(DepthFault(s.fault), s.fault_at, e.message, e.ts_ns)

    cdef _result(self):
        cdef Simulation* s = &self.s
        held = <double>s.position * s.lot_size * s.last_mid * s.tick_size
        return QuoteResult(
            steps=s.steps, submits=s.submits, cancels=s.cancels, expired=s.expired, fills=s.fill_count,
            position_lots=s.position, balance=s.balance, fees=s.fees, equity=s.balance - s.fees + held,
        )  # fmt: skip

    def fills(self):
        """Return all fills at the exchange (`FILL_DTYPE`), in their order."""
        found = np.empty(self.s.fill_count, FILL_DTYPE)
        cdef Fill[::1] rows = found
        for i in range(self.s.fill_count):
            rows[i] = self.s.fills[i]
        return found


assert sizeof(DepthEvent) == DEPTH_DTYPE.itemsize and sizeof(Fill) == FILL_DTYPE.itemsize
