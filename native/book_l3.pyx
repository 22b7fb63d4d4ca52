"""The L3 book: every order of one market in price and time priority, moved by batches of `ORDER_DTYPE`."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

import hashlib

import numpy as np

from native.book cimport IS_LAST, MAY_CROSS, Book, note_crossed
from native.idmap cimport id_find, id_remove, idmap_free, idmap_resize
from native.levels cimport *
from native.order_step cimport clear_book, free_order, leave, note_top, step

from native.depth import ORDER_DTYPE, TOP_DTYPE, BookFault, DepthFault, OnCrossed

FIRST_ROOM = 1 << 12


cdef int grow(OrderBook* b, int64_t room) noexcept nogil:
    """Make the pools and the index larger; 0, or -1 without memory (the book is as before)."""
    cdef Order* orders
    cdef Level* levels
    cdef int64_t slot
    # A slot has 31 bits. Asked first: a room whose bytes pass 64 bits would make the pools smaller.
    if room >= <int64_t>1 << 31:
        return -1
    orders = <Order*>realloc(b.orders, (room + 1) * sizeof(Order))
    if orders == NULL:
        return -1
    b.orders = orders
    levels = <Level*>realloc(b.levels, (room + 1) * sizeof(Level))
    if levels == NULL:
        return -1
    b.levels = levels
    if idmap_resize(&b.ids, room) < 0:
        return -1
    for slot in range(room, b.room, -1):
        orders[slot].next, b.free_order = b.free_order, <int32_t>slot
        levels[slot].side, b.free_level = b.free_level, <int32_t>slot
    b.room = room
    return 0


cdef int keep_best(OrderBook* b, int side, int64_t depth) noexcept nogil:
    """Take out the orders of the worst levels until `depth` are left; -1 without memory.

    What stands there is out of sight from now on, not gone: our tracked orders there are switched off.
    """
    cdef Levels* s = &b.sides[side]
    cdef Tracked* t
    cdef int64_t key
    cdef int32_t slot, behind
    while levels_total(s) > depth:
        key = levels_worst(s)
        slot = b.levels[levels_value(s, key)].head
        while slot:
            behind = b.orders[slot].next
            id_remove(&b.ids, id_find(&b.ids, b.orders[slot].order_id))
            if leave(b, slot) < 0:
                return -1
            free_order(b, slot)
            slot = behind
        for i in range(b.tracked_count):
            t = &b.tracked[i]
            if t.side == side and t.key <= key:
                t.is_on = 0
    return 0


cdef int64_t run_orders(
    OrderBook* b, const OrderEvent* events, int64_t count, Top* records, int64_t* made, int* fault
) noexcept nogil:
    """Apply events; returns where it stopped, `fault` says why (0: at the end)."""
    cdef const OrderEvent* e
    cdef int64_t i = 0
    while i < count:
        e = events + i
        fault[0] = step(b, e)
        if unlikely(fault[0] != 0):
            break
        b.counts.ts_ns = e.ts_ns
        i += 1
        if e.flags & IS_LAST:
            b.counts.messages += 1
            if note_top(b, e.ts_ns):
                if records != NULL:
                    records[made[0]] = b.last
                    made[0] += 1
                if unlikely(b.last.bid >= b.last.ask) and not e.flags & MAY_CROSS:
                    fault[0] = note_crossed(&b.counts, e.message)
                    if fault[0]:
                        i -= 1
                        break
    b.counts.events += i
    return i


cdef class L3Book(Book):
    """Orders of one market by price and time. See `Book`."""

    cdef OrderBook* b
    RECORDS = TOP_DTYPE

    def __cinit__(self, on_crossed=OnCrossed.COUNT):
        self.b = <OrderBook*>calloc(1, sizeof(OrderBook))
        if self.b == NULL or levels_open(&self.b.sides[0]) < 0 or levels_open(&self.b.sides[1]) < 0:
            raise MemoryError("no memory for a book")
        if grow(self.b, FIRST_ROOM) < 0:
            raise MemoryError("no memory for a book")
        self.open_counts(&self.b.counts, on_crossed)
        self.b.next_rank = 1

    def __dealloc__(self):
        if self.b != NULL:
            levels_free(&self.b.sides[0])
            levels_free(&self.b.sides[1])
            idmap_free(&self.b.ids)
            free(self.b.orders)
            free(self.b.levels)
            free(self.b)

    def reserve(self, int64_t orders):
        """Make room for that many orders at once, so that nothing grows during a replay."""
        if orders > self.b.room and grow(self.b, orders) < 0:
            raise MemoryError("no memory for that many orders")

    cdef int64_t run(self, events, records) except -1:
        cdef const OrderEvent[::1] rows = events
        cdef Top[::1] made_rows = records
        cdef int64_t count = rows.shape[0], made = 0, stopped
        cdef int fault = 0
        cdef Top* out = NULL if made_rows is None or count == 0 else &made_rows[0]
        if count == 0:
            return 0
        with nogil:
            stopped = run_orders(self.b, &rows[0], count, out, &made, &fault)
        if fault:
            raise BookFault(DepthFault(fault), stopped, rows[stopped].message, rows[stopped].ts_ns)
        return made

    cdef Level* _best(self, int side):
        cdef Levels* s = &self.b.sides[side]
        return NULL if s.best == NO_KEY else self.b.levels + levels_value(s, s.best)

    def best(self):
        """Return (bid tick, bid lots, ask tick, ask lots); None and 0 for an empty side."""
        cdef Level* bid = self._best(0)
        cdef Level* ask = self._best(1)
        return (
            bid.key if bid != NULL else None, bid.size if bid != NULL else 0,
            -ask.key if ask != NULL else None, ask.size if ask != NULL else 0,
        )  # fmt: skip

    cdef object walk(self, int side, int64_t depth):
        cdef Levels* s = &self.b.sides[side]
        cdef int64_t total = levels_total(s), key = -NO_KEY, i
        cdef Level* level
        if 0 <= depth < total:
            total = depth
        found = np.empty((total, 3), np.int64)
        cdef int64_t[:, ::1] rows = found
        for i in range(total):
            key = levels_next(s, key - 1)
            level = self.b.levels + levels_value(s, key)
            rows[i, 0], rows[i, 1], rows[i, 2] = key * (1 - 2 * side), level.size, level.count
        return found

    cdef object digits(self, int side, int64_t depth):
        ticks = self.walk(side, depth)[:, 0].tolist()
        return [f"{tick}{lot}" for tick in ticks for _, lot in self.queue(1 - 2 * side, tick)]

    def queue(self, int side, int64_t tick):
        """Return the orders of a level, first in priority first: a list of (order id, lots)."""
        cdef int64_t at = levels_value(&self.b.sides[side < 0], tick * side)
        cdef int32_t slot
        slot = self.b.levels[at].head if at else 0
        found = []
        while slot:
            found.append((self.b.orders[slot].order_id, self.b.orders[slot].size))
            slot = self.b.orders[slot].next
        return found

    def order(self, uint64_t order_id):
        """Return (side, tick, lots, lots ahead of it, orders ahead of it), or None. The position is exact."""
        cdef int32_t slot = <int32_t>id_find(&self.b.ids, order_id).value
        cdef int64_t lots = 0, orders = 0
        cdef int32_t each
        if slot == 0:
            return None
        each = self.b.orders[slot].prev
        while each:
            lots, orders, each = lots + self.b.orders[each].size, orders + 1, self.b.orders[each].prev
        cdef Level* level = self.b.levels + self.b.orders[slot].level
        side = 1 - 2 * level.side
        return side, level.key * side, self.b.orders[slot].size, lots, orders

    def track(self, int side, int64_t tick, int64_t size):
        """Follow an order of ours that the recording does not know, from the end of the queue there now.

        Returns its handle. It does not change the book. Raises ValueError for more than 16 of them.
        """
        cdef Tracked* t
        cdef int64_t at
        if side not in (1, -1) or not 0 < size <= 1 << 53:
            raise ValueError("side must be +1 or -1 and size positive")
        for handle in range(MAX_TRACKED):
            if not self.b.tracked[handle].is_on:
                break
        else:
            raise ValueError(f"at most {MAX_TRACKED} orders can be tracked; untrack one")
        t = &self.b.tracked[handle]
        at = levels_value(&self.b.sides[side < 0], tick * side)
        t.key, t.rank, t.size = tick * side, self.b.next_rank, size
        t.ahead = self.b.levels[at].size if at else 0
        t.filled, t.filled_ns, t.side, t.is_on = 0, 0, side < 0, 1
        self.b.next_rank += 1
        self.b.tracked_count = max(self.b.tracked_count, handle + 1)
        return handle

    def tracked(self, int handle):
        """Return (lots ahead, lots filled, time of the last fill in ns); None after a clear or untrack.

        Filled is what the recording's aggressors gave to orders with less priority than ours.
        """
        if not 0 <= handle < MAX_TRACKED or not self.b.tracked[handle].is_on:
            return None
        cdef Tracked* t = &self.b.tracked[handle]
        return t.ahead, t.filled, t.filled_ns

    def untrack(self, int handle):
        """Forget a tracked order."""
        if 0 <= handle < MAX_TRACKED:
            self.b.tracked[handle].is_on = 0
        while self.b.tracked_count and not self.b.tracked[self.b.tracked_count - 1].is_on:
            self.b.tracked_count -= 1

    def state_hash(self):
        """Return the sha256 of all orders in priority: "side,tick,order id,lots" lines, bids first."""
        lines = []
        for side, rows in zip((1, -1), self.snapshot()):
            for tick in rows[:, 0].tolist():
                lines += [f"{side},{tick},{order_id},{size}\n" for order_id, size in self.queue(side, tick)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def clear(self):
        """Forget all orders; the counters stay."""
        clear_book(self.b)

    def check(self):
        """See `Book`."""
        seen = self.check_side(0) + self.check_side(1)
        assert seen == self.b.live == self.b.ids.count, f"{seen} orders in queues, {self.b.live} counted"

    cdef int64_t check_side(self, int side) except -1:
        cdef Levels* s = &self.b.sides[side]
        cdef int64_t key = levels_next(s, -NO_KEY), seen = 0, lots, count, rank
        cdef Level* level
        cdef int32_t slot, before
        assert s.best == key, f"best {s.best} of side {side} is not its highest level {key}"
        while key != NO_KEY:
            level = self.b.levels + levels_value(s, key)
            slot, before, lots, count, rank = level.head, 0, 0, 0, 0
            while slot:
                assert self.b.orders[slot].prev == before and self.b.orders[slot].size > 0
                assert self.b.orders[slot].rank > rank, f"level {key}: a later order stands before an earlier"
                lots, count, rank = lots + self.b.orders[slot].size, count + 1, self.b.orders[slot].rank
                before, slot = slot, self.b.orders[slot].next
            assert (lots, count, before) == (level.size, level.count, level.tail), f"level {key}"
            assert level.key == key and level.side == side
            seen, key = seen + count, levels_next(s, key - 1)
        return seen

    @property
    def live_orders(self):
        return self.b.live

    @property
    def unknown(self):
        """Cancels of orders that were not there."""
        return self.b.unknown

    @property
    def replaced(self):
        """Adds of ids that were there already."""
        return self.b.replaced


assert sizeof(OrderEvent) == ORDER_DTYPE.itemsize and sizeof(Top) == TOP_DTYPE.itemsize
