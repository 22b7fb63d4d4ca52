"""Buffers of records, shared by all modules of the kernel: see `rooms.h`."""

from libc.stdint cimport int64_t

cdef void* room_for(int64_t* room, int64_t wanted, size_t item) noexcept nogil
cdef void* more_room(void* old, int64_t used, int64_t* room, int64_t wanted, size_t item) noexcept nogil
cdef void drop_room(void* old, int64_t room, size_t item) noexcept nogil
