"""The parts of a side that allocate or walk: they run outside the loops over events."""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from native.idmap cimport id_find, id_put, id_remove, idmap_clear, idmap_free, idmap_resize


cdef int _make_window(Levels* s, int64_t base, uint64_t span) noexcept nogil:
    """Give `s` a fresh, empty window; -1 without memory (then `s` is as before)."""
    cdef int64_t* values = <int64_t*>calloc(span, sizeof(int64_t))
    cdef uint64_t* bits = <uint64_t*>calloc(span >> 6, sizeof(uint64_t))
    cdef uint64_t* words = <uint64_t*>calloc(span >> 12, sizeof(uint64_t))
    if values == NULL or bits == NULL or words == NULL:
        free(values)
        free(bits)
        free(words)
        return -1
    s.values, s.bits, s.words, s.base, s.span, s.count = values, bits, words, base, span, 0
    return 0


cdef int levels_open(Levels* s) noexcept nogil:
    """Start an empty side; 0, or -1 without memory."""
    memset(s, 0, sizeof(Levels))
    s.best = NO_KEY
    if idmap_resize(&s.far, 64) < 0:
        return -1
    return _make_window(s, 0, SPAN_FIRST)


cdef void levels_free(Levels* s) noexcept nogil:
    free(s.values)
    free(s.bits)
    free(s.words)
    idmap_free(&s.far)
    s.values, s.bits, s.words = NULL, NULL, NULL


cdef void levels_clear(Levels* s) noexcept nogil:
    """Forget every level, keep the window where it is."""
    cdef int64_t key = level_below(s, s.base + <int64_t>s.span - 1)
    while key != NO_KEY:
        level_put(s, <uint64_t>(key - s.base), 0)
        key = level_below(s, key - 1)
    idmap_clear(&s.far)
    s.best = NO_KEY


cdef int64_t levels_total(const Levels* s) noexcept nogil:
    return s.count + s.far.count


cdef int64_t levels_value(const Levels* s, int64_t key) noexcept nogil:
    """Return the level's value wherever it is kept; 0 when there is none."""
    cdef uint64_t i = <uint64_t>key - <uint64_t>s.base
    return s.values[i] if i < s.span else id_find(&s.far, <uint64_t>key).value


cdef int64_t _far_next(const Levels* s, int64_t key) noexcept nogil:
    """Return the highest key of the map that is at most `key`, or NO_KEY."""
    cdef int64_t found = NO_KEY, each
    cdef uint64_t i
    if s.far.count:
        for i in range(s.far.mask + 1):
            each = <int64_t>s.far.entries[i].key
            if s.far.entries[i].value != 0 and found < each <= key:
                found = each
    return found


cdef int64_t levels_next(const Levels* s, int64_t key) noexcept nogil:
    """Return the highest key that is at most `key`, in window or map, or NO_KEY."""
    cdef int64_t near = level_below(<Levels*>s, key), far = _far_next(s, key)
    return near if near > far else far


cdef int64_t _lowest(const Levels* s) noexcept nogil:
    """Return the lowest key of the window, or NO_KEY."""
    cdef uint64_t w
    for w in range(s.span >> 6):
        if s.bits[w] != 0:
            return s.base + <int64_t>(w << 6) + top_bit(s.bits[w] & (~s.bits[w] + 1))
    return NO_KEY


cdef int64_t levels_worst(const Levels* s) noexcept nogil:
    """Return the lowest key, in window or map, or NO_KEY."""
    cdef int64_t key = _lowest(s), each
    cdef uint64_t i
    if s.far.count:
        for i in range(s.far.mask + 1):
            each = <int64_t>s.far.entries[i].key
            if s.far.entries[i].value != 0 and (each < key or key == NO_KEY):
                key = each
    return key


cdef int _move_window(Levels* s, int64_t base, uint64_t span) noexcept nogil:
    """Carry all levels into a window at `base`; those that are outside of it go to the map."""
    cdef Levels old = s[0]
    cdef IdMap far
    cdef int64_t key
    cdef uint64_t i
    memset(&far, 0, sizeof(IdMap))
    if idmap_resize(&far, old.count + old.far.count + 64) < 0:
        return -1
    if _make_window(s, base, span) < 0:
        idmap_free(&far)
        return -1
    s.far = far
    key = level_below(&old, old.base + <int64_t>old.span - 1)
    while key != NO_KEY:
        _carry(s, key, old.values[key - old.base])
        key = level_below(&old, key - 1)
    for i in range(old.far.mask + 1):
        if old.far.entries[i].value != 0:
            _carry(s, <int64_t>old.far.entries[i].key, old.far.entries[i].value)
    levels_free(&old)
    return 0


cdef void _carry(Levels* s, int64_t key, int64_t value) noexcept nogil:
    cdef uint64_t i = <uint64_t>key - <uint64_t>s.base
    if i < s.span:
        level_put(s, i, value)
    else:
        id_put(&s.far, id_find(&s.far, <uint64_t>key), <uint64_t>key, value)


cdef int _cover(Levels* s, int64_t low, int64_t high) noexcept nogil:
    """Move the window so that it holds low..high, with room above for a quarter of its span."""
    cdef uint64_t span = s.span
    while span < SPAN_REFUSED and <int64_t>(span - span // 4) <= high - low:
        span *= 2
    if <int64_t>(span - span // 4) <= high - low:
        return -1
    return _move_window(s, high - <int64_t>(span - span // 4), span)


cdef int levels_admit(Levels* s, int64_t key, int64_t value) noexcept nogil:
    """Set a level that is outside the window: widen it, move it, or use the map. -1 without memory."""
    cdef IdMap* far = &s.far
    cdef int64_t top, low
    entry = id_find(far, <uint64_t>key)
    if value == 0 or entry.value != 0:
        if value != 0:
            entry.value = value
        elif entry.value != 0:
            id_remove(far, entry)
        if s.best == key and value == 0:
            s.best = levels_next(s, key - 1)
        return levels_settle(s)
    top = level_below(s, s.base + <int64_t>s.span - 1)
    if key >= s.base + <int64_t>s.span or top == NO_KEY:
        low = key                       # the price runs away upwards, or the first level of all
        if top != NO_KEY and key - s.base < SPAN_LIMIT // 2:
            low = s.base                # what is held now stays in the window
        if _cover(s, low, key) < 0:
            return -1
    elif top - key < SPAN_LIMIT // 2:
        if _cover(s, key, top) < 0:
            return -1
    if level_set(s, key, value) != FAR:
        return 0
    if <uint64_t>far.count * 2 >= far.mask and idmap_resize(far, 2 * far.count) < 0:
        return -1
    id_put(far, id_find(far, <uint64_t>key), <uint64_t>key, value)
    if key > s.best:
        s.best = key
    return levels_settle(s)


cdef int levels_settle(Levels* s) noexcept nogil:
    """Bring the best level into the window when it is in the map. -1 without memory."""
    if s.best == NO_KEY or <uint64_t>s.best - <uint64_t>s.base < s.span:
        return 0
    return _cover(s, s.best, s.best)


cdef void levels_drop_from(Levels* s, int64_t key) noexcept nogil:
    """Remove every level at or above `key`."""
    cdef int64_t each = level_below(s, s.base + <int64_t>s.span - 1)
    while each >= key and each != NO_KEY:
        level_put(s, <uint64_t>(each - s.base), 0)
        each = level_below(s, each - 1)
    each = _far_next(s, -NO_KEY)
    while each >= key and each != NO_KEY:
        id_remove(&s.far, id_find(&s.far, <uint64_t>each))
        each = _far_next(s, each - 1)
    s.best = levels_next(s, -NO_KEY)


cdef void levels_keep_best(Levels* s, int64_t depth) noexcept nogil:
    """Remove the worst levels until `depth` are left."""
    cdef int64_t key
    cdef uint64_t i
    while s.count + s.far.count > depth:
        key = levels_worst(s)
        i = <uint64_t>key - <uint64_t>s.base
        if i < s.span:
            level_put(s, i, 0)
        else:
            id_remove(&s.far, id_find(&s.far, <uint64_t>key))
        if key == s.best:
            s.best = NO_KEY
