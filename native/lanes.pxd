from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t

from native.state cimport LaneState
from native.strategy cimport Bar


cdef class LaneTable:
    cdef LaneState* states
    cdef int64_t count
    cdef readonly object config
    cdef readonly tuple lanes
    cdef readonly str matching
    cdef readonly str run_id
    cdef list strategies
    cdef dict kept              # arrays that lanes point into
    cdef const unsigned char[::1] page   # shared state; None: no interlock byte is read
    cdef int64_t heeded         # the lane whose byte was read for the close to come; -1: none
    cdef list carried           # per lane: the exact sum of results closed before it started from a state
    cdef Bar bar

    cdef _prepare(self, int64_t index, spec)
    cdef _prepare_builtin(self, LaneState* s, spec)
    cdef LaneState* _lane(self, int64_t lane) except NULL
    cdef _make_room(self, LaneState* s, int64_t bars)


cdef inline bytes record_bytes(const void* start, int64_t count, size_t item):
    return PyBytes_FromStringAndSize(<const char*>start, <Py_ssize_t>(count * <int64_t>item))


cdef void drop_records(LaneState* s) noexcept
