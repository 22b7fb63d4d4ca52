"""The price-level book's state and the one step that applies an event; books and simulations share it."""

from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t, uint64_t

from native.book cimport *
from native.levels cimport *

cdef enum:
    SET_LEVEL = 1               # mirrors of `depth.py`
    TRADED = 2
    CLEAR_THROUGH = 3
    SNAPSHOT_LEVEL = 4
    CLEAR_SIDE = 5
    TRUNCATE_SIDE = 6

    SLOW = -1                   # the event must be applied by `apply_slowly`

cdef packed struct DepthEvent:
    int64_t ts_ns
    int64_t tick
    int64_t lot
    uint8_t kind
    int8_t side
    uint8_t flags
    uint8_t spare
    uint32_t message

cdef packed struct Best:
    int64_t ts_ns
    int64_t bid
    int64_t ask

cdef struct BookState:
    Levels sides[2]             # bids, asks
    Counts counts
    int64_t traded_lots
    int64_t recorded_bid        # best keys as last recorded
    int64_t recorded_ask

cdef int event_fault(const DepthEvent* e) noexcept nogil
cdef int apply_slowly(Levels* sides, const DepthEvent* e) noexcept nogil


cdef inline bint is_plain(const DepthEvent* e) noexcept nogil:
    """True for the events the fast step knows, with values it may trust."""
    return (
        (e.kind == SET_LEVEL or e.kind == SNAPSHOT_LEVEL)
        and (e.side == 1 or e.side == -1)
        and <uint64_t>e.lot <= <uint64_t>1 << 53
    )
