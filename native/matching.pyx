"""The simulated exchange's arithmetic for Python callers (paper venue, reference, tests).

Sizes are micro-units (1e-6 of the base asset), slippage and fees basis points, prices quote currency.
"""

from libc.math cimport floor, isfinite

MICRO = 1_000_000


cdef _require(bint is_good, str message):
    if not is_good:
        raise ValueError(message)


def fill_price(double price, int side, double slippage_bps, double tick=0.0):
    """Return what a market order of `side` (+1, -1) pays at `price`: adverse slippage, tick against us."""
    _require(isfinite(price) and price > 0.0, "price must be finite and positive")
    _require(side == 1 or side == -1, "side must be +1 or -1")
    _require(0.0 <= slippage_bps < 10_000.0 and tick >= 0.0, "slippage or tick out of range")
    return fill_price_c(price, side, slippage_bps / 1e4, tick)


def fee(double price, long long units, double fee_bps):
    """Return the fee of a fill in quote currency."""
    _require(isfinite(price) and price > 0.0 and units >= 0, "price and units must be positive")
    return fee_c(price, units, fee_bps / 1e4)


def size_units(double notional_usd, double price, long long lot_units=1):
    """Return the micro-units a notional buys at `price`, rounded down to `lot_units`."""
    _require(isfinite(price) and price > 0.0 and lot_units >= 1, "price and lot must be positive")
    _require(isfinite(notional_usd) and notional_usd >= 0.0, "notional must be finite and not negative")
    return size_units_c(notional_usd, price, lot_units)


def lot_units(double lot):
    """Return a lot in micro-units; raises ValueError below 1e-6 or off that grid."""
    cdef double scaled = floor(lot * 1e6 + 0.5)
    _require(isfinite(lot) and 1.0 <= scaled < 9.0e15, "lot must be at least 1e-6")
    _require(abs(lot * 1e6 - scaled) < 1e-6 * scaled, "lot must be a multiple of 1e-6")
    return <long long>scaled


def round_price(double price, int side, double tick):
    """Round a price to the tick against us: up for a buy (+1), down for a sell (-1)."""
    _require(isfinite(price) and price > 0.0 and tick >= 0.0, "price must be finite and positive")
    return round_price_c(price, side, tick)
