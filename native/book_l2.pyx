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
            b.counts.messages += 1
            if sides[0].best == bid and sides[1].best == ask:
                continue
            if sides[0].best == NO_KEY or sides[1].best == NO_KEY:
                continue
            bid, ask = sides[0].best, sides[1].best
            if unlikely(bid + ask >= 0) and not e.flags & MAY_CROSS:
                fault[0] = note_crossed(&b.counts, e.message)
                if fault[0]:
                    i -= 1
                    break
            if records != NULL:
                records[made].ts_ns, records[made].bid, records[made].ask = e.ts_ns, bid, -ask
                made += 1
    b.sides[0], b.sides[1] = sides[0], sides[1]
    b.counts.events += i - start
    b.recorded_bid, b.recorded_ask = bid, ask
    recorded[0] = made
    if i > start:
        b.counts.ts_ns = events[i - 1].ts_ns
    return i


cdef class L2Book(Book):
    """Price levels of one market; the reader of the source knows what a tick and a lot are. See `Book`."""

    cdef BookState* b
    RECORDS = BEST_DTYPE

    def __cinit__(self, on_crossed=OnCrossed.COUNT):
        self.b = <BookState*>calloc(1, sizeof(BookState))
        if self.b == NULL or levels_open(&self.b.sides[0]) < 0 or levels_open(&self.b.sides[1]) < 0:
            raise MemoryError("no memory for a book")
        self.open_counts(&self.b.counts, on_crossed)
        self.b.recorded_bid = self.b.recorded_ask = NO_KEY

    def __dealloc__(self):
        if self.b != NULL:
            levels_free(&self.b.sides[0])
            levels_free(&self.b.sides[1])
            free(self.b)

    cdef int64_t run(self, events, records) except -1:
        cdef const DepthEvent[::1] rows = events
        cdef Best[::1] made_rows = records
        cdef int64_t count = rows.shape[0], made = 0, stopped
        cdef int fault = 0
        cdef Best* out = NULL if made_rows is None or count == 0 else &made_rows[0]
        if count == 0:
            return 0
        with nogil:
            stopped = run_events(self.b, &rows[0], 0, count, out, &made, &fault)
        if fault:
            raise BookFault(DepthFault(fault), stopped, rows[stopped].message, rows[stopped].ts_ns)
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

    cdef object walk(self, int side, int64_t depth):
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

    cdef object digits(self, int side, int64_t depth):
        return [f"{tick}{lot}" for tick, lot in self.walk(side, depth).tolist()]

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

    cdef int64_t check_side(self, int side) except -1:
        cdef Levels* s = &self.b.sides[side]
        cdef int64_t seen = 0, key = levels_next(s, -NO_KEY)
        assert s.best == key, f"best {s.best} of side {side} is not its highest level {key}"
        while key != NO_KEY:
            assert levels_value(s, key) > 0, f"level {key} of side {side} is not positive"
            seen, key = seen + 1, levels_next(s, key - 1)
        assert seen == levels_total(s), f"side {side} counts {levels_total(s)} levels and has {seen}"
        return seen

    @property
    def levels(self):
        return levels_total(&self.b.sides[0]) + levels_total(&self.b.sides[1])

    @property
    def traded_lots(self):
        return self.b.traded_lots


assert sizeof(DepthEvent) == DEPTH_DTYPE.itemsize and sizeof(Best) == BEST_DTYPE.itemsize
