"""One side of a book: values by price in a flat window of ticks, the few far ones in a map.

A key is tick * side, so that the best price of either side is the highest key. `values[key - base]`
is 0 where there is no level: lots in L2, a pool's slot in L3. `bits` has a bit for each level of the
window; `words` has a bit for each word of `bits` that may be non-zero (bits set late are cleared by
the search that finds the word empty), so a search crosses 4096 ticks in one step.

Nothing here allocates in the loop over events: `level_set` says FAR, the caller leaves the loop,
`levels_admit` widens or moves the window or takes the level into the map, and the loop goes on.
"""

from libc.stdint cimport int64_t, uint64_t

from native.idmap cimport IdMap

cdef extern from *:
    """
    #define IL_LIKELY(x) __builtin_expect(!!(x), 1)
    #define IL_UNLIKELY(x) __builtin_expect(!!(x), 0)
    #define IL_TOP_BIT(x) (63 - __builtin_clzll(x))
    #define IL_NO_KEY (-(1LL << 60))
    """
    bint likely "IL_LIKELY" (bint) noexcept nogil
    bint unlikely "IL_UNLIKELY" (bint) noexcept nogil
    int top_bit "IL_TOP_BIT" (unsigned long long) noexcept nogil
    const int64_t NO_KEY "IL_NO_KEY"        # the best key of an empty side; -NO_KEY is above every key

cdef enum:
    DONE = 0
    FAR = -1
    SPAN_FIRST = 4096           # ticks; a power of two, at least 4096
    SPAN_LIMIT = 1 << 20        # beyond it deep levels go to the map: 8 MB a side
    SPAN_REFUSED = 1 << 26      # levels of one side so wide apart are a fault, not a book

cdef struct Levels:
    int64_t* values
    uint64_t* bits
    uint64_t* words
    int64_t base                # key of values[0]
    uint64_t span               # ticks in the window
    int64_t best                # highest key, NO_KEY when empty
    int64_t count               # levels in the window
    IdMap far                   # levels outside the window, by key

cdef int levels_open(Levels* s) noexcept nogil
cdef void levels_free(Levels* s) noexcept nogil
cdef void levels_clear(Levels* s) noexcept nogil
cdef int levels_admit(Levels* s, int64_t key, int64_t value) noexcept nogil
cdef int levels_settle(Levels* s) noexcept nogil
cdef void levels_drop_from(Levels* s, int64_t key) noexcept nogil
cdef void levels_keep_best(Levels* s, int64_t depth) noexcept nogil
cdef int64_t levels_worst(const Levels* s) noexcept nogil
cdef int64_t levels_next(const Levels* s, int64_t key) noexcept nogil
cdef int64_t levels_value(const Levels* s, int64_t key) noexcept nogil
cdef int64_t levels_total(const Levels* s) noexcept nogil


cdef inline int64_t level_below(Levels* s, int64_t key) noexcept nogil:
    """Return the highest key of the window that is at most `key`, or NO_KEY."""
    cdef int64_t i = key - s.base, w, v
    cdef uint64_t word, some
    if i < 0:
        return NO_KEY
    if i >= <int64_t>s.span:
        i = <int64_t>s.span - 1
    w = i >> 6
    word = s.bits[w] & (~<uint64_t>0 >> (63 - (i & 63)))
    if word != 0:
        return s.base + (w << 6) + top_bit(word)
    v = w >> 6
    some = s.words[v] & ((<uint64_t>1 << (w & 63)) - 1)
    while True:
        while some != 0:
            w = (v << 6) + top_bit(some)
            word = s.bits[w]
            if word != 0:
                return s.base + (w << 6) + top_bit(word)
            some ^= <uint64_t>1 << (w & 63)
            s.words[v] ^= <uint64_t>1 << (w & 63)
        v -= 1
        if v < 0:
            return NO_KEY
        some = s.words[v]


cdef inline void level_put(Levels* s, uint64_t i, int64_t value) noexcept nogil:
    """Store a value (0 removes) at a place of the window; the best key is not looked at.

    What was there is asked of `bits`, which stays in the nearest cache: `values` is only written, and
    nobody waits for a write. No branch depends on the values, which change at random.
    """
    cdef uint64_t w = i >> 6, at = i & 63, word = s.bits[w]
    cdef uint64_t had = (word >> at) & 1, has = value != 0
    s.values[i] = value
    s.bits[w] = word ^ ((had ^ has) << at)
    s.words[w >> 6] |= has << (w & 63)
    s.count += <int64_t>has - <int64_t>had


cdef inline int level_set(Levels* s, int64_t key, int64_t value) noexcept nogil:
    """Give the level a value, 0 removes it; FAR when the slow path must do it."""
    cdef uint64_t i = <uint64_t>key - <uint64_t>s.base
    cdef int64_t found
    if unlikely(i >= s.span):
        return FAR
    level_put(s, i, value)
    if value != 0:
        if key > s.best:
            s.best = key
    elif key == s.best:
        found = level_below(s, key - 1)
        if unlikely(found == NO_KEY) and s.far.count > 0:
            return FAR              # the level is gone; `levels_admit` looks for the next one in the map
        s.best = found
    return DONE
