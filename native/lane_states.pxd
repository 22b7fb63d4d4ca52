from native.lanes cimport LaneTable
from native.state cimport LaneState

from libc.stdint cimport int64_t


cdef class StoredLanes(LaneTable):
    cdef _export_lane(self, int64_t index, list parts, bint is_start)
    cdef _import_lanes(self, list heads, bytes text, int64_t offset)
    cdef _demand_fitting(self, list heads, bytes text, int64_t offset)
    cdef _import_lane(self, int64_t index, dict head, bytes body, int64_t offset)
