from native.state cimport LaneState


cdef int fill_rules(LaneState* s, int index, object config, object spec, bint is_external) except -1
