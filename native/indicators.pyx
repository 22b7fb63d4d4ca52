"""Indicators for strategy authors: one class around each C state of `indicators.h`, O(1) per bar."""

from libc.math cimport fabs
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

MAX_PERIOD = 100_000
_SETTINGS = ("period", "warmup", "a", "b", "ddof", "deviations", "session_ns", "bars_per_year", "fraction")

cdef double LIMIT = 1e100       # beyond this a square could overflow, and infinity less infinity is NaN


cdef int64_t _whole(str name, value, int64_t low=1) except? -1:
    if not low <= value <= MAX_PERIOD or value != int(value):
        raise ValueError(f"{name} must be a whole number between {low} and {MAX_PERIOD}, got {value}")
    return int(value)


cdef inline int _check(double x, str name) except -1:
    if not fabs(x) < LIMIT:
        raise ValueError(f"{name} is not finite (or beyond 1e100): {x}")
    return 0


cdef inline int _check_bar(double high, double low, double close) except -1:
    if not (fabs(high) < LIMIT and fabs(low) < LIMIT and fabs(close) < LIMIT):
        raise ValueError(f"high, low or close is not finite (or beyond 1e100): {high}, {low}, {close}")
    return 0


cdef class Indicator:
    """Base: `value`, `count` bars taken, `warmup_bars` until `is_ready`.

    Before that `value` is the class's stated neutral or its formula over fewer bars; it is never NaN.
    """

    cdef double* ring
    cdef int64_t room
    cdef const double* value_at
    cdef const int64_t* count_at
    cdef const int64_t* warmup_at

    def __dealloc__(self):
        free(self.ring)

    cdef int _expose(self, const double* value, const int64_t* count, const int64_t* warmup, int64_t room) except -1:
        """Point at the state's common fields and make room; the ring is cleared, so equal states are equal bytes."""
        self.value_at, self.count_at, self.warmup_at, self.room = value, count, warmup, room
        if room:
            self.ring = <double*>calloc(room, sizeof(double))
            if self.ring == NULL:
                raise MemoryError
        return 0

    @property
    def value(self):
        return self.value_at[0]

    @property
    def count(self):
        return self.count_at[0]

    @property
    def warmup_bars(self):
        return self.warmup_at[0]

    @property
    def is_ready(self):
        return self.count_at[0] >= self.warmup_at[0]

    def export_state(self):
        """Return the numbers that `import_state` needs to go on bit for bit."""
        return {"state": self._dump(), "ring": [self.ring[i] for i in range(self.room)]}

    def import_state(self, state):
        """Take over an exported state; raises ValueError when it is damaged or of other arguments."""
        cdef int64_t i
        ring = [float(x) for x in state["ring"]]
        if len(ring) != self.room or not all(abs(x) < 1e300 for x in ring):
            raise ValueError(f"damaged {type(self).__name__} state: ring")
        _agree(state["state"], self._dump(), type(self).__name__)
        self._check_ring(state["state"], ring)
        self._load(state["state"])
        for i in range(self.room):
            self.ring[i] = ring[i]

    def _check_ring(self, state, ring):
        pass


def _agree(saved, present, name):
    """Raise ValueError unless `saved` has the fields and arguments of `present` and sane positions."""
    if set(saved) != set(present):
        raise ValueError(f"damaged {name} state: it has {sorted(saved)}, not {sorted(present)}")
    for key, value in saved.items():
        if isinstance(present[key], dict):
            _agree(value, present[key], name)
        elif key in _SETTINGS and value != present[key]:
            raise ValueError(f"state is of a {name} with {key} {value}, this one has {present[key]}")
        elif not abs(value) < 1e300:
            raise ValueError(f"damaged {name} state: {key} is {value}")
    if "position" in saved and (saved["count"] < 0 or saved["position"] != saved["count"] % saved["period"]):
        raise ValueError(f"damaged {name} state: position {saved['position']} at count {saved['count']}")


cdef class EMA(Indicator):
    """Exponential average, a = 2/(period+1), seeded with the first value; ready after `period` values."""

    cdef EmaState state

    def __cinit__(self, period):
        ema_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
        return ema_step(&self.state, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class SMA(Indicator):
    """Plain average of the last `period` values, closes or volumes; ready after `period`, of fewer before."""

    cdef il_sma state

    def __cinit__(self, period):
        il_sma_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, self.state.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
        return il_sma_step(&self.state, self.ring, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class WMA(Indicator):
    """Linearly weighted average, newest weight `period`; ready after `period` closes, of fewer before."""

    cdef il_wma state

    def __cinit__(self, period):
        il_wma_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
        return il_wma_step(&self.state, self.ring, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class RSI(Indicator):
    """Wilder's relative strength index, 0 to 100; ready after `period` changes, 50 where nothing moved."""

    cdef RsiState state

    def __cinit__(self, period=14):
        rsi_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
        return rsi_step(&self.state, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state


cdef class ATR(Indicator):
    """Wilder's average true range in price units, seeded with the first high - low; ready after `period` bars."""

    cdef AtrState state

    def __cinit__(self, period=14):
        atr_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double high, double low, double close) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        _check_bar(high, low, close)
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
        il_adx_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double high, double low, double close) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        _check_bar(high, low, close)
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


cdef class StDev(Indicator):
    """Standard deviation of the last `period` values with divisor n - `ddof`; ready after `period`."""

    cdef il_stdev state

    def __cinit__(self, period, ddof=0):
        if ddof not in (0, 1):
            raise ValueError(f"ddof must be 0 or 1, got {ddof}")
        il_stdev_init(&self.state, _whole("period", period), ddof)
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
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
        il_zscore_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
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
        il_bollinger_init(&self.state, _whole("period", period), deviations)
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
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
        il_donchian_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.window.period)

    cpdef double update(self, double high, double low) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        _check(high, "high")
        _check(low, "low")
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
        il_macd_init(&self.state, _whole("fast", fast), _whole("slow", slow), _whole("signal", signal))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 0)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
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
            &self.state, _whole("period", period), _whole("stoch", stoch), _whole("k", k), _whole("d", d)
        )
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, il_stochrsi_room(period, stoch, k, d))

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
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
        il_vwap_init(&self.state, _whole("period", period))
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 2 * self.state.money.period)

    cpdef double update(self, double high, double low, double close, double volume) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a number that is not finite."""
        _check_bar(high, low, close)
        _check(volume, "volume")
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
        _check_bar(high, low, close)
        _check(volume, "volume")
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
        il_percentile_init(&self.state, _whole("period", period), percent)
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, 3 * self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
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
        il_realised_vol_init(&self.state, _whole("period", period), interval_s)
        self._expose(&self.state.value, &self.state.count, &self.state.warmup, self.state.window.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a number that is not finite."""
        _check(close, "close")
        return il_realised_vol_step(&self.state, self.ring, close)

    def _dump(self):
        return self.state

    def _load(self, state):
        self.state = state
