"""The market-by-order book's state: orders and levels in pools, queues as links between slots."""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

from native.book cimport Counts
from native.idmap cimport IdMap
from native.levels cimport Levels

cdef enum:
    ADD = 1                     # mirrors of `depth.py`
    CANCEL = 2
    MODIFY = 3
    AGGRESSOR = 4
    FILL = 5
    CLEAR = 6
    TRUNCATE = 7

    MAX_TRACKED = 16

cdef packed struct OrderEvent:
    int64_t ts_ns
    uint64_t order_id
    int64_t tick
    int64_t size
    uint8_t action
    int8_t side
    uint8_t flags
    uint8_t spare
    uint32_t message

cdef struct Order:              # slots count from 1; 0 is no order
    uint64_t order_id
    int64_t size
    int64_t rank                # when it got its place; earlier ranks are hit first
    int32_t next                # behind it in the queue, or the next free slot
    int32_t prev
    int32_t level
    int32_t spare

cdef struct Level:              # slots count from 1; they are the values of `Levels`
    int64_t key
    int64_t size
    int32_t head                # first in priority
    int32_t tail
    int32_t count
    int32_t side                # 0 bids, 1 asks; or the next free slot

cdef packed struct Top:
    int64_t ts_ns
    int64_t bid
    int64_t bid_size
    int64_t bid_orders
    int64_t ask
    int64_t ask_size
    int64_t ask_orders

cdef struct Tracked:            # an order of ours that the recording does not know
    int64_t key
    int64_t rank
    int64_t ahead               # lots that will be hit before it
    int64_t size
    int64_t filled
    int64_t filled_ns
    int32_t side
    int32_t is_on

cdef struct OrderBook:
    Levels sides[2]
    IdMap ids                   # order id -> slot
    Order* orders
    Level* levels
    int64_t room                # slots in either pool
    int32_t free_order
    int32_t free_level
    int64_t live
    int64_t next_rank
    int64_t unknown             # cancels of orders that are not there
    int64_t replaced            # adds of orders that were there
    Counts counts
    Top last
    int64_t tracked_count
    Tracked tracked[MAX_TRACKED]

cdef int grow(OrderBook* b, int64_t room) noexcept nogil
cdef int keep_best(OrderBook* b, int side, int64_t depth) noexcept nogil
