"""The L2 book: price levels of one market, moved by batches of events (columns of `DEPTH_DTYPE`)."""

from libc.stdlib cimport calloc, free

import hashlib

import numpy as np

from native.depth import BEST_DTYPE, DEPTH_DTYPE, BookFault, DepthFault, OnCrossed


cdef int event_fault(const DepthEvent* e) noexcept nogil:
    """Return why an event cannot be applied (`DepthFault`), or 0."""
    if e.kind < SET_LEVEL or e.kind > TRUNCATE_SIDE:
        return BAD_KIND
    if e.side != 1 and e.side != -1 and e.kind != TRADED:
        return BAD_SIDE
    if e.lot < 0 or e.lot > <int64_t>1 << 53:
        return NEGATIVE_SIZE
    if e.tick <= -(<int64_t>1 << 56) or e.tick >= <int64_t>1 << 56:
        return BAD_TICK
    return 0


cdef int apply_slowly(Levels* sides, const DepthEvent* e) noexcept nogil:
    """Apply an event the fast step left: everything that walks, widens or is rare. Returns a fault or 0."""
    cdef int fault = event_fault(e)
    cdef Levels* s = sides + (e.side < 0)
    cdef int64_t key = e.tick * e.side
    if fault:
        return fault
    if e.kind == SET_LEVEL or e.kind == SNAPSHOT_LEVEL:
        if <uint64_t>key - <uint64_t>s.base < s.span and level_set(s, key, e.lot) == DONE:
            return 0
        return OUT_OF_MEMORY if levels_admit(s, key, e.lot) < 0 else 0
    if e.kind == CLEAR_THROUGH:
        levels_drop_from(s, key)
    elif e.kind == CLEAR_SIDE:
        levels_clear(s)
    elif e.kind == TRUNCATE_SIDE:
        levels_keep_best(s, e.lot)
    return OUT_OF_MEMORY if levels_settle(s) < 0 else 0


cdef inline int fast_set(Levels* sides, const DepthEvent* e) noexcept nogil:
    """Set or remove a level inside the window; SLOW for everything else."""
    if unlikely(not is_plain(e)):
        return SLOW
    return level_set(sides + (e.side < 0), e.tick * e.side, e.lot)


cdef int64_t run_events(
    BookState* b, const DepthEvent* events, int64_t start, int64_t count, Best* records, int64_t* recorded, int* fault
) noexcept nogil:
    """Apply events[start:count]; returns where it stopped, `fault` says why (0: at the end)."""
    cdef Levels sides[2]            # a local copy: the compiler knows that nothing else writes to it
    cdef const DepthEvent* e
    cdef int64_t i = start, made = recorded[0], bid = b.recorded_bid, ask = b.recorded_ask
    sides[0], sides[1] = b.sides[0], b.sides[1]
    fault[0] = 0
    while i < count:
        e = events + i
        if e.kind == TRADED:
            if unlikely(e.lot < 0):
                fault[0] = NEGATIVE_SIZE
                break
            b.traded_lots += e.lot
        elif unlikely(fast_set(sides, e) != DONE):
            b.sides[0], b.sides[1] = sides[0], sides[1]
            fault[0] = apply_slowly(b.sides, e)
            sides[0], sides[1] = b.sides[0], b.sides[1]
            if fault[0]:
                break
        i += 1
        if e.flags & IS_LAST:
            b.messages += 1
            if sides[0].best == bid and sides[1].best == ask:
                continue
            if sides[0].best == NO_KEY or sides[1].best == NO_KEY:
                continue
            bid, ask = sides[0].best, sides[1].best
            if unlikely(bid + ask >= 0) and not e.flags & MAY_CROSS:
                b.crossed_messages += 1
                if b.first_crossed < 0:
                    b.first_crossed = e.message
                if b.on_crossed:
                    fault[0] = CROSSED
                    i -= 1
                    break
            if records != NULL:
                records[made].ts_ns, records[made].bid, records[made].ask = e.ts_ns, bid, -ask
                made += 1
    b.sides[0], b.sides[1] = sides[0], sides[1]
    b.events += i - start
    b.recorded_bid, b.recorded_ask = bid, ask
    recorded[0] = made
    if i > start:
        b.ts_ns = events[i - 1].ts_ns
    return i


cdef class L2Book:
    """Price levels of one market. Prices are ticks, sizes lots; the reader of the source knows both.

    `on_crossed` says what a message that leaves best bid >= best ask does (`OnCrossed`).
    """

    cdef BookState* b

    def __cinit__(self, on_crossed=OnCrossed.COUNT):
        self.b = <BookState*>calloc(1, sizeof(BookState))
        if self.b == NULL or levels_open(&self.b.sides[0]) < 0 or levels_open(&self.b.sides[1]) < 0:
            raise MemoryError("no memory for a book")
        self.b.on_crossed = int(OnCrossed(on_crossed))
        self.b.recorded_bid = self.b.recorded_ask = NO_KEY
        self.b.first_crossed = -1

    def __dealloc__(self):
        if self.b != NULL:
            levels_free(&self.b.sides[0])
            levels_free(&self.b.sides[1])
            free(self.b)

    def apply(self, const DepthEvent[::1] events not None):
        """Apply events in their order; returns how many. Raises `BookFault`; events before it stay applied."""
        self._run(events, None)
        return events.shape[0]

    def replay(self, const DepthEvent[::1] events not None, out=None):
        """As `apply`; returns the best prices after each message that changed them (`BEST_DTYPE`).

        They are written into `out` where it is given; it must have room for a record an event.
        """
        records = np.empty(events.shape[0], BEST_DTYPE) if out is None else out
        made = self._run(events, records)
        return records[:made].copy() if out is None else out[:made]

    cdef int64_t _run(self, const DepthEvent[::1] events, Best[::1] records) except -1:
        cdef int64_t count = events.shape[0], made = 0, stopped
        cdef int fault = 0
        cdef Best* out = NULL
        if count == 0:
            return 0
        if records is not None:
            if records.shape[0] < count:
                raise ValueError("out has less room than there are events")
            out = &records[0]
        with nogil:
            stopped = run_events(self.b, &events[0], 0, count, out, &made, &fault)
        if fault:
            raise BookFault(DepthFault(fault), stopped, events[stopped].message, events[stopped].ts_ns)
        return made

    def best(self):
        """Return (bid tick, bid lots, ask tick, ask lots); None and 0 for an empty side."""
        cdef Levels* bids = &self.b.sides[0]
        cdef Levels* asks = &self.b.sides[1]
        has_bid, has_ask = bids.best != NO_KEY, asks.best != NO_KEY
        return (
            bids.best if has_bid else None, levels_value(bids, bids.best) if has_bid else 0,
            -asks.best if has_ask else None, levels_value(asks, asks.best) if has_ask else 0,
        )  # fmt: skip

    def snapshot(self, int64_t depth=-1):
        """Return (bids, asks), best first: int64 arrays of shape (levels, 2) with tick and lots."""
        return self._walk(0, depth), self._walk(1, depth)

    cdef _walk(self, int side, int64_t depth):
        cdef Levels* s = &self.b.sides[side]
        cdef int64_t total = levels_total(s), key = -NO_KEY, sign = 1 - 2 * side, i
        if 0 <= depth < total:
            total = depth
        found = np.empty((total, 2), np.int64)
        cdef int64_t[:, ::1] rows = found
        for i in range(total):
            key = levels_next(s, key - 1)
            rows[i, 0], rows[i, 1] = key * sign, levels_value(s, key)
        return found

    def checksum_input(self, int64_t depth=10):
        """Return the digits that venues put through CRC32: asks then bids, best first, tick and lots.

        Prices and sizes at their full precision without dot and leading zeros are ticks and lots as
        integers, where a tick and a lot are one unit of that precision (Kraken's rule).
        """
        bids, asks = self.snapshot(depth)
        return "".join(f"{tick}{lot}" for side in (asks, bids) for tick, lot in side.tolist()).encode()

    def state_hash(self):
        """Return the sha256 of all levels: "b,tick,lots" lines from high to low, then "a,..." low to high."""
        bids, asks = self.snapshot()
        lines = [f"b,{tick},{lot}\n" for tick, lot in bids.tolist()]
        lines += [f"a,{tick},{lot}\n" for tick, lot in asks.tolist()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def clear(self):
        """Forget all levels; the counters stay."""
        levels_clear(&self.b.sides[0])
        levels_clear(&self.b.sides[1])

    def check(self):
        """Walk the whole book and raise AssertionError where it contradicts itself (tests, debugging)."""
        cdef Levels* s
        cdef int64_t key, seen
        for side in range(2):
            s, seen, key = &self.b.sides[side], 0, levels_next(&self.b.sides[side], -NO_KEY)
            assert s.best == key, f"best {s.best} of side {side} is not its highest level {key}"
            while key != NO_KEY:
                assert levels_value(s, key) > 0, f"level {key} of side {side} is not positive"
                seen, key = seen + 1, levels_next(s, key - 1)
            assert seen == levels_total(s), f"side {side} counts {levels_total(s)} levels and has {seen}"

    @property
    def levels(self):
        return levels_total(&self.b.sides[0]) + levels_total(&self.b.sides[1])

    @property
    def traded_lots(self):
        return self.b.traded_lots

    @property
    def events(self):
        return self.b.events

    @property
    def messages(self):
        return self.b.messages

    @property
    def crossed_messages(self):
        return self.b.crossed_messages

    @property
    def first_crossed(self):
        """The message number of the first crossed message, or None."""
        return None if self.b.first_crossed < 0 else self.b.first_crossed


assert sizeof(DepthEvent) == DEPTH_DTYPE.itemsize and sizeof(Best) == BEST_DTYPE.itemsize
