"""The steps that move an L3 book by one event; a level's queue is a chain of slots, first in priority first."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from native.book cimport BAD_KIND, BAD_SIDE, BAD_TICK, NEGATIVE_SIZE, OUT_OF_MEMORY
from native.book_l3 cimport *
from native.idmap cimport id_find, id_put, id_remove, idmap_clear
from native.levels cimport *


cdef inline int put_level(Levels* s, int64_t key, int64_t slot) noexcept nogil:
    """Set or remove (0) a level; the slow part is reached when it lies outside of the window."""
    if likely(level_set(s, key, slot) == DONE):
        return 0
    return levels_admit(s, key, slot)


cdef inline int64_t level_slot(Levels* s, int64_t key) noexcept nogil:
    cdef uint64_t i = <uint64_t>key - <uint64_t>s.base
    return s.values[i] if likely(i < s.span) else levels_value(s, key)


cdef inline int join(OrderBook* b, int32_t slot, int side, int64_t key, int64_t size) noexcept nogil:
    """Put an order at the end of its level's queue; -1 without memory."""
    cdef Order* o = b.orders + slot
    cdef int32_t at = <int32_t>level_slot(&b.sides[side], key)
    cdef Level* level
    if at == 0:
        at = b.free_level
        b.free_level = b.levels[at].side
        level = b.levels + at
        level.key, level.size, level.head, level.tail, level.count, level.side = key, 0, 0, 0, 0, side
        if put_level(&b.sides[side], key, at) < 0:
            return -1
    level = b.levels + at
    o.size, o.rank, o.next, o.prev, o.level = size, b.next_rank, 0, level.tail, at
    b.next_rank += 1
    if level.tail:
        b.orders[level.tail].next = slot
    else:
        level.head = slot
    level.tail = slot
    level.size += size
    level.count += 1
    return 0


cdef inline int leave(OrderBook* b, int32_t slot) noexcept nogil:
    """Take an order out of its queue; an empty level goes. -1 without memory."""
    cdef Order* o = b.orders + slot
    cdef Level* level = b.levels + o.level
    cdef int side = level.side
    if o.prev:
        b.orders[o.prev].next = o.next
    else:
        level.head = o.next
    if o.next:
        b.orders[o.next].prev = o.prev
    else:
        level.tail = o.prev
    level.size -= o.size
    level.count -= 1
    if level.count == 0:
        level.side, b.free_level = b.free_level, o.level
        return put_level(&b.sides[side], level.key, 0)
    return 0


cdef inline void shrink(OrderBook* b, int32_t slot, int64_t size) noexcept nogil:
    """Lower an order to `size`; it keeps its place."""
    cdef Order* o = b.orders + slot
    b.levels[o.level].size -= o.size - size
    o.size = size


cdef inline void notice_loss(OrderBook* b, const Order* o, int64_t lots) noexcept nogil:
    """`lots` of a resting order go: our orders behind it at its level move up."""
    cdef const Level* level = b.levels + o.level
    cdef Tracked* t
    for i in range(b.tracked_count):
        t = &b.tracked[i]
        if t.is_on and t.side == level.side and t.key == level.key and o.rank < t.rank:
            t.ahead -= lots


cdef inline void notice_fill(OrderBook* b, const Order* o, int64_t lots, int64_t ts) noexcept nogil:
    """`lots` of a resting order were hit: what came to orders behind ours would have come to ours."""
    cdef const Level* level = b.levels + o.level
    cdef Tracked* t
    for i in range(b.tracked_count):
        t = &b.tracked[i]
        if not t.is_on or t.side != level.side or t.filled == t.size:
            continue
        if t.key > level.key or (t.key == level.key and o.rank > t.rank):
            t.filled = t.filled + lots if t.filled + lots < t.size else t.size
            t.filled_ns = ts


cdef inline void free_order(OrderBook* b, int32_t slot) noexcept nogil:
    b.orders[slot].next, b.free_order = b.free_order, slot
    b.live -= 1


cdef inline int place(OrderBook* b, const OrderEvent* e) noexcept nogil:
    """Add an order, or give a known one a new place."""
    cdef int32_t slot
    cdef int64_t key = e.tick * e.side
    entry = id_find(&b.ids, e.order_id)
    if entry.value != 0:
        slot = <int32_t>entry.value
        if e.action == ADD:
            b.replaced += 1
        if b.tracked_count:
            notice_loss(b, b.orders + slot, b.orders[slot].size)
        if leave(b, slot) < 0:
            return OUT_OF_MEMORY
        if e.size == 0:
            id_remove(&b.ids, entry)
            free_order(b, slot)
            return 0
    elif e.size == 0:
        return 0
    else:
        slot = b.free_order
        b.free_order = b.orders[slot].next
        b.orders[slot].order_id = e.order_id
        id_put(&b.ids, entry, e.order_id, slot)
        b.live += 1
    return OUT_OF_MEMORY if join(b, slot, e.side < 0, key, e.size) < 0 else 0


cdef inline int cancel(OrderBook* b, const OrderEvent* e) noexcept nogil:
    cdef int32_t slot
    cdef int64_t lost
    entry = id_find(&b.ids, e.order_id)
    if entry.value == 0:
        b.unknown += 1
        return 0
    slot = <int32_t>entry.value
    lost = e.size if e.size < b.orders[slot].size else b.orders[slot].size
    if b.tracked_count:
        notice_loss(b, b.orders + slot, lost)
    if lost < b.orders[slot].size:
        shrink(b, slot, b.orders[slot].size - lost)
        return 0
    id_remove(&b.ids, entry)
    kept = leave(b, slot)
    free_order(b, slot)
    return OUT_OF_MEMORY if kept < 0 else 0


cdef inline int modify(OrderBook* b, const OrderEvent* e) noexcept nogil:
    """At the same price and not larger the order keeps its place; else it goes to the end of a queue."""
    cdef Order* o
    cdef Level* level
    entry = id_find(&b.ids, e.order_id)
    if entry.value != 0 and e.size > 0:
        o = b.orders + entry.value
        level = b.levels + o.level
        if level.side == (e.side < 0) and level.key == e.tick * e.side and e.size <= o.size:
            if b.tracked_count:
                notice_loss(b, o, o.size - e.size)
            shrink(b, <int32_t>entry.value, e.size)
            return 0
    return place(b, e)


cdef inline void clear_book(OrderBook* b) noexcept nogil:
    """All orders go; our tracked ones lose their queue and are switched off."""
    cdef int64_t slot
    levels_clear(&b.sides[0])
    levels_clear(&b.sides[1])
    idmap_clear(&b.ids)
    b.free_order = b.free_level = 0
    for slot in range(b.room, 0, -1):
        b.orders[slot].next, b.free_order = b.free_order, <int32_t>slot
        b.levels[slot].side, b.free_level = b.free_level, <int32_t>slot
    b.live = 0
    for slot in range(b.tracked_count):
        b.tracked[slot].is_on = 0


cdef inline int event_fault(const OrderEvent* e) noexcept nogil:
    if e.action < ADD or e.action > TRUNCATE:
        return BAD_KIND
    if (e.action == ADD or e.action == MODIFY or e.action == TRUNCATE) and e.side != 1 and e.side != -1:
        return BAD_SIDE
    if <uint64_t>e.size > <uint64_t>1 << 53:
        return NEGATIVE_SIZE
    if e.tick <= -(<int64_t>1 << 56) or e.tick >= <int64_t>1 << 56:
        return BAD_TICK
    return 0


cdef inline int step(OrderBook* b, const OrderEvent* e) noexcept nogil:
    """Apply one event; returns a fault or 0."""
    cdef int fault = event_fault(e)
    if unlikely(fault != 0):
        return fault
    if unlikely(b.free_order == 0 or b.free_level == 0) and grow(b, 2 * b.room) < 0:
        return OUT_OF_MEMORY
    if e.action == ADD:
        return place(b, e)
    if e.action == CANCEL:
        return cancel(b, e)
    if e.action == MODIFY:
        return modify(b, e)
    if e.action == FILL:
        if b.tracked_count:
            entry = id_find(&b.ids, e.order_id)
            if entry.value != 0:
                notice_fill(b, b.orders + entry.value, e.size, e.ts_ns)
    elif e.action == CLEAR:
        clear_book(b)
    elif e.action == TRUNCATE and keep_best(b, e.side < 0, e.size) < 0:
        return OUT_OF_MEMORY
    return 0


cdef inline bint note_top(OrderBook* b, int64_t ts) noexcept nogil:
    """Remember the best levels of both sides; True when they are not what was remembered."""
    cdef const Level* bid
    cdef const Level* ask
    cdef Top* last = &b.last
    if b.sides[0].best == NO_KEY or b.sides[1].best == NO_KEY:
        return False
    bid = b.levels + level_slot(&b.sides[0], b.sides[0].best)
    ask = b.levels + level_slot(&b.sides[1], b.sides[1].best)
    if (
        bid.key == last.bid and bid.size == last.bid_size and bid.count == last.bid_orders
        and -ask.key == last.ask and ask.size == last.ask_size and ask.count == last.ask_orders
    ):
        return False
    last.ts_ns, last.bid, last.bid_size, last.bid_orders = ts, bid.key, bid.size, bid.count
    last.ask, last.ask_size, last.ask_orders = -ask.key, ask.size, ask.count
    return True
