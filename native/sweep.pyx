"""Many parameter sets over the same bars, results only: trades, money, drawdown, Sharpe sums; no records kept.

`replay_cell` runs any kernel lane, draining its records as it goes; `FlipMarket.run` fills the same cells
for the ema_cross flip with vector lanes. Both give the final equity of the single run, bit for bit.
"""

import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from native.lane cimport is_good_bar, open_result
from native.lanes cimport LaneTable
from native.matching cimport fill_price_c, size_units_c
from native.state cimport LaneState, Trade

from native.intents import KernelConfig
from native.matching import lot_units

CELL_DTYPE = np.dtype(
    [("bars", "<i8"), ("trades", "<i8"), ("wins", "<i8"), ("side", "<i8"), ("is_inexact", "<i8"), ("fees", "<f8"),
     ("gross_profit", "<f8"), ("gross_loss", "<f8"), ("final_equity", "<f8"), ("return_sum", "<f8"),
     ("return_squares", "<f8"), ("low", "<f8"), ("low_peak", "<f8"), ("digest", "<u8")]
)
assert CELL_DTYPE.itemsize == sizeof(ilk_cell)
CHUNK_BARS = 1 << 14
WIDTHS = (128, 256, 512)
_KNOWN = ("cash", "notional_usd", "fee_bps", "slippage_bps", "seed", "stops", "keeps_equity", "max_slippage_bps",
          "stop_atr", "stop_fallback_bps", "min_notional_usd", "exchange", "guards", "sizing")


def lane_width():
    """Return the widest vector lanes that this processor has, in bits: 128, 256 or 512."""
    return ilk_width()


def is_plain(config):
    """Tell whether the flip lanes know every assumption of `config` (fixed slippage, whole fills at the open)."""
    known = KernelConfig(**{name: getattr(config, name) for name in _KNOWN})
    # A field that was added later and is switched on is one the lanes do not know.
    return config == known and config.is_plain and config.cash > 0.0


def replay_cell(LaneTable kernel, ts_ns, open, high, low, close, volume, *, bint closes=False):
    """Replay a fresh one-lane kernel and return its cell (`CELL_DTYPE`, scalar); records are drained on the way.

    `kernel` must keep equity. `closes`: what is open at the end is closed there (`Kernel.finish`). Compiled
    strategies leave the GIL. Raises ValueError at a bad bar or for a kernel that has stepped already or has more
    lanes.
    """
    cells = np.zeros(1, CELL_DTYPE)
    cdef uint64_t address = cells.ctypes.data
    cdef ilk_cell* cell = <ilk_cell*>address
    cdef ilk_exact exact
    cdef LaneState* s
    cdef double cash = kernel.config.cash
    cdef double previous = cash, peak = cash
    cdef int64_t first
    if kernel.count != 1 or kernel.states[0].bars or not kernel.config.keeps_equity:
        raise ValueError("a cell needs a fresh kernel of one lane that keeps equity")
    memset(&exact, 0, sizeof(exact))
    cell.low = cell.low_peak = cash
    for first in range(0, len(close), CHUNK_BARS):
        part = slice(first, first + CHUNK_BARS)
        kernel.replay(0, ts_ns[part], open[part], high[part], low[part], close[part], volume[part])
        if closes and part.stop >= len(close):
            kernel.finish(0)
        s = kernel.states
        with nogil:
            _drain(s, cell, &exact, cash, &previous, &peak)
    s = kernel.states
    cell.fees = s.fees
    ilk_finish(cell, &exact, cash, s.bars, s.side, s.entry_bar, <double>s.side * s.quantity,
               open_result(s, s.last_close))
    return cells[0]


cdef void _drain(
    LaneState* s, ilk_cell* cell, ilk_exact* exact, double cash, double* previous, double* peak
) noexcept nogil:
    """Add the new records up and forget them."""
    cdef int64_t i
    cdef Trade* t
    for i in range(s.trade_count):
        t = s.trades + i
        ilk_trade(cell, exact, t.entry_bar, t.exit_bar, <double>t.side * (<double>t.units / 1e6), t.pnl)
    ilk_mark_all(cell, previous, peak, cash, s.equity, s.equity_count)
    s.trade_count = s.decision_count = s.equity_count = 0


cdef class FlipMarket:
    """Bars prepared for the flip lanes: what an order pays at each open, what size each close decides.

    Arguments are columns of equal length. Raises ValueError for a bad bar, for a configuration that the
    lanes do not know (`is_plain`) and where a close cannot size an entry: use `replay_cell` there.
    """

    cdef readonly int64_t bars
    cdef readonly object config
    cdef object close
    cdef object buy
    cdef object sell
    cdef object quantity

    def __init__(self, config, double lot, double tick, const int64_t[::1] ts_ns, const double[::1] open,
                 const double[::1] high, const double[::1] low, const double[::1] close, const double[::1] volume):
        cdef int64_t n = close.shape[0], i
        cdef int64_t step = lot_units(lot), units = 0, last = -(1 << 62)
        cdef double slip = config.slippage_bps / 1e4, notional = config.notional_usd
        cdef double least = config.min_notional_usd
        cdef double[::1] buy, sell, quantity
        if not is_plain(config):
            raise ValueError("the flip lanes do not know this configuration")
        if not ts_ns.shape[0] == open.shape[0] == high.shape[0] == low.shape[0] == volume.shape[0] == n or n == 0:
            raise ValueError("columns are empty or differ in length")
        self.config, self.bars = config, n
        self.close, self.buy = np.array(close), np.empty(n)
        self.sell, self.quantity = np.empty(n), np.empty(n)
        buy, sell, quantity = self.buy, self.sell, self.quantity
        for i in range(n):
            if ts_ns[i] <= last or not is_good_bar(open[i], high[i], low[i], close[i], volume[i]):
                raise ValueError(f"bar {i} refused at {ts_ns[i]}")
            last = ts_ns[i]
            units = size_units_c(notional, close[i], step)
            if units <= 0 or <double>units / 1e6 * close[i] < least:
                raise ValueError(f"bar {i}: {notional:g} buys less than a lot or the least notional")
            quantity[i] = <double>units / 1e6
            buy[i] = fill_price_c(open[i], 1, slip, tick)
            sell[i] = fill_price_c(open[i], -1, slip, tick)

    def run(self, fast, slow, bint has_marks=True, int width=0):
        """Return the cells (`CELL_DTYPE`, one for each pair of periods), without the GIL.

        `fast`, `slow` are whole periods in bars with 1 <= fast < slow. Without marks the drawdown ends and
        the return sums stay 0. `width` 0 takes the widest lanes. Cells with `is_inexact` need `replay_cell`.
        """
        pairs = np.array([fast, slow], dtype=np.int64)
        if pairs.ndim != 2 or (len(pairs[0]) and (pairs[0].min() < 1 or (pairs[0] >= pairs[1]).any())):
            raise ValueError("periods must be pairs with 1 <= fast < slow")
        if width not in (0, *WIDTHS) or width > ilk_width():
            raise ValueError(f"width must be 0 or one of {WIDTHS}, at most {ilk_width()} here")
        periods, numbers = np.unique(pairs, return_inverse=True)
        numbers = np.ascontiguousarray(numbers.reshape(pairs.shape), dtype=np.int64)
        padded = (len(periods) + 7) // 8 * 8
        cells = np.zeros(pairs.shape[1], CELL_DTYPE)
        if not len(cells):
            return cells
        a, b = _aligned(padded), _aligned(padded)
        a[: len(periods)] = 2.0 / (periods.astype(np.float64) + 1.0)
        b[: len(periods)] = 1.0 - a[: len(periods)]
        first_bar = np.ascontiguousarray(pairs[1] - 1)
        cdef ilk_flips job
        cdef const double[::1] view = self.close
        cdef const double[::1] column
        cdef const int64_t[::1] number
        cdef uint64_t address = cells.ctypes.data
        cdef int width_bits = width or ilk_width(), failed
        job.bars, job.close = self.bars, &view[0]
        column = self.buy
        job.buy = &column[0]
        column = self.sell
        job.sell = &column[0]
        column = self.quantity
        job.quantity = &column[0]
        column = a
        job.a = &column[0]
        column = b
        job.b = &column[0]
        job.fee, job.cash = self.config.fee_bps / 1e4, self.config.cash
        job.periods, job.combos, job.has_marks = len(periods), len(cells), has_marks
        number = numbers[0]
        job.fast = &number[0]
        number = numbers[1]
        job.slow = &number[0]
        number = first_bar
        job.first_bar = &number[0]
        job.cells = <ilk_cell*>address
        with nogil:
            failed = ilk_sweep_flips(width_bits, &job)
        if failed:
            raise MemoryError("no memory for the lanes' columns")
        return cells


def _aligned(count):
    """Return `count` zeros that start at a multiple of 64 bytes, as the widest lanes are loaded."""
    room = np.zeros(count + 8)
    skip = (-room.ctypes.data % 64) // 8
    return room[skip : skip + count]
