"""Seeded draws without a state: the same order of the same seed always has the same fate."""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    DRAW_REJECT = 1
    DRAW_TIMEOUT = 2
    DRAW_LATENCY = 3
    DRAW_TOUCH = 4


cdef inline uint64_t mixed(uint64_t z) noexcept nogil:
    """The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014)."""
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline double chance(
    uint64_t seed, int64_t lane, int64_t step, int64_t offset, int64_t draw, int64_t count
) noexcept nogil:
    """Return the `count`-th draw of a kind for the order (lane, step, offset): uniform in [0, 1)."""
    cdef uint64_t z = seed
    z = mixed(z + <uint64_t>0x9E3779B97F4A7C15 + <uint64_t>lane)
    z = mixed(z + <uint64_t>0x9E3779B97F4A7C15 + <uint64_t>step)
    z = mixed(z + <uint64_t>0x9E3779B97F4A7C15 + <uint64_t>(offset * 8 + draw))
    z = mixed(z + <uint64_t>0x9E3779B97F4A7C15 + <uint64_t>count)
    return <double>(z >> 11) * (1.0 / 9007199254740992.0)
