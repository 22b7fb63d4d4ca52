"""Windows, bands, oscillators and volume for strategy authors: classes around the C states of `indicators.h`."""

from libc.stdint cimport int64_t

from native.indicator cimport Indicator, check, check_bar, whole
from native.indicators cimport *


cdef class StDev(Indicator):
    """Standard deviation of the last `period` values with divisor n - `ddof`; ready after `period`."""

    cdef il_stdev state

    def __cinit__(self, period, ddof=0):
        if ddof not in (0, 1):
            raise ValueError(f"ddof must be 0 or 1, got {ddof}")
        il_stdev_init(&self.state, whole("period", period), ddof)
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_stdev_step(&self.state, self.ring, close)

    @property
    def mean(self):
        return self.state.mean

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class ZScore(Indicator):
    """(close - mean) / population deviation over the last `period` closes; 0 where nothing varies."""

    cdef il_zscore state

    def __cinit__(self, period):
        il_zscore_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_zscore_step(&self.state, self.ring, close)

    @property
    def mean(self):
        return self.state.mean

    @property
    def stdev(self):
        return self.state.stdev

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class Bollinger(Indicator):
    """Mean (`value`) with bands at +- `deviations` population deviations; `width` = (upper - lower) / close.

    Ready after `period` closes, of fewer before.
    """

    cdef il_bollinger state

    def __cinit__(self, period=20, deviations=2.0):
        if not 0.0 < deviations <= 100.0:
            raise ValueError(f"deviations must be above 0 and at most 100, got {deviations}")
        il_bollinger_init(&self.state, whole("period", period), deviations)
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_bollinger_step(&self.state, self.ring, close)

    @property
    def upper(self):
        return self.state.upper

    @property
    def lower(self):
        return self.state.lower

    @property
    def width(self):
        return self.state.width

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class Donchian(Indicator):
    """Highest high (`upper`) and lowest low (`lower`) of the last `period` bars, this one included.

    `value` is their middle. To see a bar break the channel, read it before updating.
    """

    cdef il_donchian state

    def __cinit__(self, period=20):
        il_donchian_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.window.period)

    cpdef double update(self, double high, double low) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        check(high, "high")
        check(low, "low")
        return il_donchian_step(&self.state, self.ring, high, low)

    @property
    def upper(self):
        return self.state.upper

    @property
    def lower(self):
        return self.state.lower

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class MACD(Indicator):
    """EMA `fast` - EMA `slow` (value), its EMA over `signal` bars, and the difference (`histogram`).

    Ready after slow + signal - 1 closes.
    """

    cdef il_macd state

    def __cinit__(self, fast=12, slow=26, signal=9):
        if not fast < slow:
            raise ValueError(f"fast={fast} must be below slow={slow}")
        il_macd_init(&self.state, whole("fast", fast), whole("slow", slow), whole("signal", signal))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_macd_step(&self.state, close)

    @property
    def signal(self):
        return self.state.signal

    @property
    def histogram(self):
        return self.state.histogram

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class StochRSI(Indicator):
    """Where RSI stands in its own range, 0 to 1: averaged over `k` bars (value), again over `d` bars (`d`).

    Ready after period + stoch + k - 1 closes; 0.5 before RSI is ready and where it does not move.
    """

    cdef il_stochrsi state

    def __cinit__(self, period=14, stoch=14, k=3, d=3):
        il_stochrsi_init(
            &self.state, whole("period", period), whole("stoch", stoch), whole("k", k), whole("d", d)
        )
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, il_stochrsi_room(period, stoch, k, d))

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_stochrsi_step(&self.state, self.ring, close)

    @property
    def d(self):
        return self.state.d

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class VWAP(Indicator):
    """Volume-weighted typical price of the last `period` bars; the typical price where nothing was traded."""

    cdef il_vwap state

    def __cinit__(self, period):
        il_vwap_init(&self.state, whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.money.period)

    cpdef double update(self, double high, double low, double close, double volume) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        check_bar(high, low, close)
        check(volume, "volume")
        return il_vwap_step(&self.state, self.ring, high, low, close, volume)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class SessionVWAP(Indicator):
    """Volume-weighted typical price since the session began (default: the UTC day); ready at once."""

    cdef il_session_vwap state

    def __cinit__(self, session_s=86_400):
        if not 1 <= session_s <= 10**9 or session_s != int(session_s):
            raise ValueError(f"session_s must be a whole number of seconds, got {session_s}")
        il_session_vwap_init(&self.state, int(session_s))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, int64_t ts_ns, double high, double low, double close, double volume) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        check_bar(high, low, close)
        check(volume, "volume")
        return il_session_vwap_step(&self.state, ts_ns, high, low, close, volume)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class Percentile(Indicator):
    """The `percent` percentile of the last `period` values, linear between neighbours; O(log period)."""

    cdef il_percentile state

    def __cinit__(self, period, percent=50.0):
        if not 0.0 <= percent <= 100.0:
            raise ValueError(f"percent must be between 0 and 100, got {percent}")
        il_percentile_init(&self.state, whole("period", period), percent)
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 3 * self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_percentile_step(&self.state, self.ring, close)

    def _check_ring(self, state, ring):
        """The heaps index the ring: raise ValueError unless they hold each value once."""
        window = state["window"]
        period, held = window["period"], min(window["count"], window["period"])
        if not 0 <= window["below"] <= held:
            raise ValueError("damaged Percentile state: heap sizes")
        slots = [*range(window["below"]), *range(period - held + window["below"], period)]
        if sorted(ring[period + slot] for slot in slots) != list(range(held)):
            raise ValueError("damaged Percentile state: heap")
        if any(ring[2 * period + int(ring[period + slot])] != slot for slot in slots):
            raise ValueError("damaged Percentile state: heap index")

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class RealisedVol(Indicator):
    """Yearly volatility as a fraction: sqrt(mean squared simple return * bars per year of 365.25 days).

    `period` returns of bars of `interval_s` seconds; ready after period + 1 closes, 0 before the second.
    """

    cdef il_realised_vol state

    def __cinit__(self, period, interval_s):
        if not 0.0 < interval_s <= 1e9:
            raise ValueError(f"interval_s must be above 0, got {interval_s}")
        il_realised_vol_init(&self.state, whole("period", period), interval_s)
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        check(close, "close")
        return il_realised_vol_step(&self.state, self.ring, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state
