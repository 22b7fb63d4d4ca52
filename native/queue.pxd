"""Where our order stands in a level's queue when only the level's size is known.

Lots ahead of it start at the level's size when it arrives, fall with every trade at its price, and
fall with cancels by a model of where in the queue cancels happen:

- conservative: cancels are behind us as long as they can be; ahead = min(ahead, size).
- probabilistic: a cancel is behind us with probability f(behind) / (f(behind) + f(ahead)), with
  f(x) = x**power or f(x) = log(1 + x).  Source: E. Rigtorp, "Estimating order queue position" (2013).

With every order known (L3) nothing is estimated: `L3Book.track`.
"""

from libc.math cimport log, pow
from libc.stdint cimport int64_t

cdef enum:
    CONSERVATIVE = 0
    POWER = 1
    LOGARITHM = 2

cdef struct Place:
    double ahead                # lots; below zero: lots that traded beyond what was ahead
    double traded               # lots traded at the price since the level's last update


cdef inline void place_at_end(Place* p, int64_t level_lots) noexcept nogil:
    p.ahead, p.traded = <double>level_lots, 0.0


cdef inline void place_after_trade(Place* p, int64_t lots) noexcept nogil:
    p.ahead -= <double>lots
    p.traded += <double>lots


cdef inline double weight(int64_t model, double power, double lots) noexcept nogil:
    if lots <= 0.0:
        return 0.0
    return pow(lots, power) if model == POWER else log(1.0 + lots)


cdef inline void place_after_update(
    Place* p, int64_t model, double power, int64_t old_lots, int64_t new_lots
) noexcept nogil:
    """The level went from `old_lots` to `new_lots`; what was traded is part of that and known already."""
    cdef double gone = <double>(old_lots - new_lots) - p.traded
    cdef double behind, front, back, share, left
    p.traded = 0.0
    if model != CONSERVATIVE and gone > 0.0:
        behind = <double>old_lots - p.ahead
        back, front = weight(model, power, behind), weight(model, power, p.ahead)
        share = back / (back + front) if back + front > 0.0 else 1.0
        left = behind - share * gone            # more than was behind us cannot go behind us
        p.ahead = p.ahead - (1.0 - share) * gone + (left if left < 0.0 else 0.0)
    if p.ahead > <double>new_lots:
        p.ahead = <double>new_lots


cdef inline bint place_is_hit(const Place* p) noexcept nogil:
    """At least half a lot traded beyond what was ahead."""
    return p.ahead <= -0.5
