from libc.stdint cimport int64_t

from native.state cimport Wish


cdef class Bar:
    cdef readonly int64_t ts_ns
    cdef readonly int64_t index
    cdef readonly double open
    cdef readonly double high
    cdef readonly double low
    cdef readonly double close
    cdef readonly double volume
    cdef readonly int64_t side


cdef int read_wish(Wish* wish, object signal) except -1
