"""The base of the indicators for strategy authors, and what their arguments must be."""

from libc.math cimport fabs
from libc.stdint cimport int64_t

cdef extern from *:
    """
    #define IL_LIMIT 1e100  /* beyond this a square could overflow, and infinity less infinity is NaN */
    """
    const double LIMIT "IL_LIMIT"


cdef class Indicator:
    cdef double* ring
    cdef int64_t room
    cdef const double* value_at
    cdef const int64_t* count_at
    cdef const int64_t* warmup_at

    cdef int _expose(self, const double* value, const int64_t* count, const int64_t* warmup, int64_t room) except -1


cdef int64_t whole(str name, value, int64_t low=*) except? -1


cdef inline int check(double x, str name) except -1:
    if not fabs(x) < LIMIT:
        raise ValueError(f"{name} is not finite (or beyond 1e100): {x}")
    return 0


cdef inline int check_bar(double high, double low, double close) except -1:
    if not (fabs(high) < LIMIT and fabs(low) < LIMIT and fabs(close) < LIMIT):
        raise ValueError(f"high, low or close is not finite (or beyond 1e100): {high}, {low}, {close}")
    return 0
