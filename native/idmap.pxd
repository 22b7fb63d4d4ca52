"""A map from 64-bit keys to values that are never 0: open addressing, linear probing, no tombstones.

It never grows by itself; whoever owns it keeps it less than half full (`idmap_resize`).
"""

from libc.stdint cimport int64_t, uint64_t

cdef struct IdEntry:
    uint64_t key
    int64_t value           # 0: the place is free

cdef struct IdMap:
    IdEntry* entries
    uint64_t mask
    int shift
    int64_t count

cdef int idmap_resize(IdMap* map, int64_t room) noexcept nogil
cdef void idmap_free(IdMap* map) noexcept nogil
cdef void idmap_clear(IdMap* map) noexcept nogil


cdef inline uint64_t id_place(const IdMap* map, uint64_t key) noexcept nogil:
    """Where the search for a key starts: the top bits of its product with 2**64 / golden ratio."""
    return (key * <uint64_t>0x9E3779B97F4A7C15) >> map.shift


cdef inline IdEntry* id_find(const IdMap* map, uint64_t key) noexcept nogil:
    """Return the key's entry, or the free entry where it belongs (`value` is 0)."""
    cdef uint64_t i = id_place(map, key)
    while map.entries[i].value != 0 and map.entries[i].key != key:
        i = (i + 1) & map.mask
    return map.entries + i


cdef inline void id_put(IdMap* map, IdEntry* entry, uint64_t key, int64_t value) noexcept nogil:
    """Fill the entry that `id_find` returned."""
    map.count += entry.value == 0
    entry.key, entry.value = key, value


cdef inline void id_remove(IdMap* map, IdEntry* entry) noexcept nogil:
    """Free a full entry; those after it move up, so that a search still ends at the first free place."""
    cdef uint64_t hole = <uint64_t>(entry - map.entries), i = hole, home
    while True:
        i = (i + 1) & map.mask
        if map.entries[i].value == 0:
            break
        home = id_place(map, map.entries[i].key)
        if ((i - home) & map.mask) >= ((i - hole) & map.mask):
            map.entries[hole] = map.entries[i]
            hole = i
    map.entries[hole].value = 0
    map.count -= 1
