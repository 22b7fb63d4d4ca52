"""What both books have: the counters, and the shell that Python calls."""

from libc.stdint cimport int64_t, uint32_t

cdef enum:
    IS_LAST = 1                 # mirrors of `depth.py`
    MAY_CROSS = 2

    BAD_KIND = 1
    BAD_SIDE = 2
    NEGATIVE_SIZE = 3
    BAD_TICK = 4
    CROSSED = 5
    OUT_OF_MEMORY = 6

cdef struct Counts:
    int64_t events
    int64_t messages
    int64_t crossed_messages
    int64_t first_crossed       # its message number, -1 without
    int64_t on_crossed
    int64_t ts_ns

cdef class Book:
    cdef Counts* counts

    cdef void open_counts(self, Counts* counts, on_crossed)
    cdef int64_t run(self, events, records) except -1
    cdef object walk(self, int side, int64_t depth)
    cdef object digits(self, int side, int64_t depth)
    cdef int64_t check_side(self, int side) except -1


cdef inline int note_crossed(Counts* c, uint32_t message) noexcept nogil:
    """Count a message that left the book crossed; returns the fault it is, or 0."""
    c.crossed_messages += 1
    if c.first_crossed < 0:
        c.first_crossed = message
    return CROSSED if c.on_crossed else 0
