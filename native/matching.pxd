"""The simulated exchange's arithmetic, shared by the kernel and the paper venue."""

from libc.math cimport ceil, floor
from libc.stdint cimport int64_t


cdef inline double round_price_c(double price, int64_t side, double tick) noexcept nogil:
    """Round to the tick against us: up for a buy, down for a sell; tick 0 leaves the price alone."""
    if tick <= 0.0:
        return price
    # A price within a millionth of a tick of the grid is on the grid: 100.1/0.1 is not exactly 1001.
    cdef double steps = price / tick
    if side > 0:
        return ceil(steps - 1e-6) * tick
    return floor(steps + 1e-6) * tick


cdef inline double fill_price_c(double price, int64_t side, double slip, double tick) noexcept nogil:
    """price * (1 + side*slip), slip as a fraction, then to the tick against us."""
    return round_price_c(price * (1.0 + <double>side * slip), side, tick)


cdef inline int64_t size_units_c(double notional, double price, int64_t lot_units) noexcept nogil:
    """Micro-units that a notional buys, rounded down to the lot."""
    cdef double raw = notional / price * 1e6
    if not raw < 9.0e18:
        return 0
    # Rounded down without a call: without SSE4 `floor` is one.
    cdef int64_t units = <int64_t>raw
    units -= <double>units > raw
    # A division of whole numbers is as long as the rest of this; the usual lot is one unit.
    return units - units % lot_units if lot_units > 1 else units


cdef inline double fee_c(double price, int64_t units, double fee_fraction) noexcept nogil:
    return price * (<double>units / 1e6) * fee_fraction
