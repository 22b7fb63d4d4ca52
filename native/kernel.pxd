from libc.stdint cimport int64_t

from native.forged cimport Forged
from native.lane_states cimport StoredLanes
from native.state cimport LaneState, Slot


cdef class Kernel(StoredLanes):
    cdef _refuse(self, LaneState* s, int64_t ts, str message)
    cdef int _close(
        self, int64_t lane, int64_t ts, double open, double high, double low, double close, double volume
    ) except -1
    cdef int _step_python(
        self, LaneState* s, on_bar, int64_t ts, double o, double h, double l, double c, double v
    ) except -1
    cdef int _step_forged(
        self, LaneState* s, Forged forged, int64_t ts, double o, double h, double l, double c, double v
    ) except -1
    cdef _check(self, LaneState* s)
    cdef _new_intents(self, LaneState* s)
    cdef _intent(self, LaneState* s, int64_t offset, Slot* slot)
    cdef Slot* _slot(self, LaneState* s, intent_id) except? NULL
    cdef _release(self, LaneState* s, Slot* slot)
