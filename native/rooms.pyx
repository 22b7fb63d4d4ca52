"""Buffers of records (`rooms.h`), in one module so that what one lane gives back another one takes."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

cdef extern from "rooms.h" nogil:
    size_t ilr_size(size_t)
    void* ilr_new(size_t)
    void ilr_free(void*, size_t)


cdef void* room_for(int64_t* room, int64_t wanted, size_t item) noexcept nogil:
    """Return room for at least `wanted` items, any content, and how many it takes; NULL without memory."""
    cdef size_t size = ilr_size(<size_t>wanted * item)
    cdef void* new = ilr_new(size)
    if new != NULL:
        room[0] = <int64_t>(size / item)
    return new


cdef void* more_room(void* old, int64_t used, int64_t* room, int64_t wanted, size_t item) noexcept nogil:
    """Move `used` items to a larger room; NULL without memory, and then the old one stays."""
    cdef int64_t old_room = room[0]
    cdef void* new = room_for(room, wanted, item)
    if new != NULL and old != NULL:
        memcpy(new, old, <size_t>used * item)
        drop_room(old, old_room, item)
    return new


cdef void drop_room(void* old, int64_t room, size_t item) noexcept nogil:
    """Give a room of `room` items back; NULL is none."""
    if old != NULL:
        ilr_free(old, <size_t>room * item)
