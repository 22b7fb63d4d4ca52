"""The parts of the map that allocate; they run outside the loops over events."""

from libc.stdlib cimport calloc, free
from libc.string cimport memset


cdef int idmap_resize(IdMap* map, int64_t room) noexcept nogil:
    """Make place for `room` keys, less than half full; 0, or -1 without memory (the map is as before)."""
    cdef uint64_t size = 16, i
    cdef int bits = 4
    cdef IdMap fresh
    while size < <uint64_t>(2 * room):
        size, bits = size * 2, bits + 1
    fresh.entries = <IdEntry*>calloc(size, sizeof(IdEntry))
    if fresh.entries == NULL:
        return -1
    fresh.mask, fresh.shift, fresh.count = size - 1, 64 - bits, 0
    if map.entries != NULL:
        for i in range(map.mask + 1):
            if map.entries[i].value != 0:
                id_put(&fresh, id_find(&fresh, map.entries[i].key), map.entries[i].key, map.entries[i].value)
        free(map.entries)
    map[0] = fresh
    return 0


cdef void idmap_clear(IdMap* map) noexcept nogil:
    """Forget every key, keep the room."""
    if map.entries != NULL and map.count > 0:
        memset(map.entries, 0, (map.mask + 1) * sizeof(IdEntry))
    map.count = 0


cdef void idmap_free(IdMap* map) noexcept nogil:
    free(map.entries)
    map.entries = NULL
    map.count = 0
