"""Averages, ranges and trend for strategy authors: one class around each C state of `averages.h`."""

from libc.stdint cimport int64_t

from native.indicator cimport Indicator, check, check_bar, whole
from native.indicators cimport *


cdef class EMA(Indicator):
    """Exponential average, a = 2/(period+1), seeded with the first value; ready after `period` values."""

    cdef EmaState state

    def __cinit__(self, period):
        ema_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return ema_step(&self.state, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class SMA(Indicator):
    """Plain average of the last `period` values, closes or volumes; ready after `period`, of fewer before."""

    cdef il_sma state

    def __cinit__(self, period):
        il_sma_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, self.state.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_sma_step(&self.state, self.ring, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class WMA(Indicator):
    """Linearly weighted average, newest weight `period`; ready after `period` closes, of fewer before."""

    cdef il_wma state

    def __cinit__(self, period):
        il_wma_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_wma_step(&self.state, self.ring, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class RSI(Indicator):
    """Wilder's relative strength index, 0 to 100; ready after `period` changes, 50 where nothing moved."""

    cdef RsiState state

    def __cinit__(self, period=14):
        rsi_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return rsi_step(&self.state, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class ATR(Indicator):
    """Wilder's average true range in price units, seeded with the first high - low; ready after `period` bars."""

    cdef AtrState state

    def __cinit__(self, period=14):
        atr_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double high, double low, double close) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        check_bar(high, low, close)
        return atr_step(&self.state, high, low, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class ADX(Indicator):
    """Wilder's average directional index, 0 to 100, with +DI, -DI and its change per bar (`slope`).

    Ready after 2 * `period` bars; 0 before. The slope is 0 until the bar after.
    """

    cdef il_adx state

    def __cinit__(self, period=14):
        il_adx_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double high, double low, double close) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        check_bar(high, low, close)
        return il_adx_step(&self.state, high, low, close)

    @property
    def slope(self):
        return self.state.slope

    @property
    def plus_di(self):
        return self.state.plus_di

    @property
    def minus_di(self):
        return self.state.minus_di

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state
