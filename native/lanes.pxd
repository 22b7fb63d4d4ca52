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
    cdef list carried           # per lane: the exact sum of results closed before it started from a state
    cdef Bar bar

    cdef _prepare(self, int64_t index, spec)
    cdef _prepare_builtin(self, LaneState* s, spec)
    cdef LaneState* _lane(self, int64_t lane) except NULL
    cdef _make_room(self, LaneState* s, int64_t bars)
    cdef _export_lane(self, int64_t index, list parts, bint is_start)
    cdef _import_lanes(self, list heads, bytes text, int64_t offset)
    cdef _demand_fitting(self, list heads, bytes text, int64_t offset)
    cdef _import_lane(self, int64_t index, dict head, bytes body, int64_t offset)
