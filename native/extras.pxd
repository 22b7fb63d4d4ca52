from libc.stdint cimport int64_t

from native.state cimport LaneState


cdef int fill_rules(LaneState* s, int index, object config, object spec, bint is_external) except -1
cdef int64_t cap_units(double contracts, int64_t lot) except -1
