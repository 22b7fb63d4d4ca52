"""EMA, SMA, ATR and RSI for strategy authors: O(1) per bar, bit-identical to the compiled lanes."""

from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

MAX_PERIOD = 100_000


def _checked_period(period):
    if not 1 <= period <= MAX_PERIOD:
        raise ValueError(f"period must be between 1 and {MAX_PERIOD}, got {period}")
    return int(period)


cdef class Indicator:
    """Base: `period` in bars, `value` (0.0 before the first update; RSI 50.0), `is_warm`."""

    cdef readonly int64_t period

    def export_state(self):
        """Return the numbers that `import_state` needs to go on bit for bit."""
        return dict(self._dump())

    def import_state(self, state):
        """Take over an exported state; raises ValueError when its period differs."""
        if state["period"] != self.period:
            raise ValueError(f"state is of period {state['period']}, this is {self.period}")
        self._load(state)


cdef class EMA(Indicator):
    """Exponential average, a = 2/(period+1), seeded with the first close; warm after `period` closes."""

    cdef EmaState state

    def __init__(self, period):
        self.period = _checked_period(period)
        ema_init(&self.state, self.period)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a value that is not finite."""
        if not isfinite(close):
            raise ValueError("close is not finite")
        return ema_step(&self.state, close)

    @property
    def value(self):
        return self.state.value

    @property
    def is_warm(self):
        return self.state.count >= self.period

    def _dump(self):
        return {"period": self.period, "value": self.state.value, "count": self.state.count}

    def _load(self, state):
        self.state.value, self.state.count = state["value"], state["count"]


cdef class SMA(Indicator):
    """Plain average of the last `period` closes (of fewer while warming up)."""

    cdef SmaState state

    def __cinit__(self, period):
        self.period = _checked_period(period)
        self.state.period = self.period
        self.state.ring = <double*>calloc(self.period, sizeof(double))
        if self.state.ring == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.state.ring)

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a value that is not finite."""
        if not isfinite(close):
            raise ValueError("close is not finite")
        return sma_step(&self.state, close)

    @property
    def value(self):
        return self.state.value

    @property
    def is_warm(self):
        return self.state.count >= self.period

    def _dump(self):
        cdef int64_t i
        s = self.state
        return {"period": s.period, "total": s.total, "value": s.value, "position": s.position,
                "count": s.count, "ring": [self.state.ring[i] for i in range(self.period)]}

    def _load(self, state):
        cdef int64_t i
        if len(state["ring"]) != self.period or not 0 <= state["position"] < self.period:
            raise ValueError("damaged SMA state")
        for i in range(self.period):
            self.state.ring[i] = state["ring"][i]
        self.state.total, self.state.value = state["total"], state["value"]
        self.state.position, self.state.count = state["position"], state["count"]


cdef class RSI(Indicator):
    """Wilder's relative strength index, 0 to 100; warm after `period` changes."""

    cdef RsiState state

    def __init__(self, period=14):
        self.period = _checked_period(period)
        self.state.period = self.period
        self.state.value = 50.0

    cpdef double update(self, double close) except? -1.0:
        """Take one close; return the new value. Raises ValueError for a value that is not finite."""
        if not isfinite(close):
            raise ValueError("close is not finite")
        return rsi_step(&self.state, close)

    @property
    def value(self):
        return self.state.value

    @property
    def is_warm(self):
        return self.state.count > self.period

    def _dump(self):
        return dict(self.state)

    def _load(self, state):
        self.state.gain, self.state.loss, self.state.value = state["gain"], state["loss"], state["value"]
        self.state.previous_close, self.state.count = state["previous_close"], state["count"]


cdef class ATR(Indicator):
    """Wilder's average true range in price units, seeded with the first high - low."""

    cdef AtrState state

    def __init__(self, period=14):
        self.period = _checked_period(period)
        atr_init(&self.state, self.period)

    cpdef double update(self, double high, double low, double close) except? -1.0:
        """Take one bar; return the new value. Raises ValueError for a value that is not finite."""
        if not (isfinite(high) and isfinite(low) and isfinite(close)):
            raise ValueError("high, low or close is not finite")
        return atr_step(&self.state, high, low, close)

    @property
    def value(self):
        return self.state.value

    @property
    def is_warm(self):
        return self.state.count >= self.period

    def _dump(self):
        return {"period": self.period, "value": self.state.value, "count": self.state.count,
                "previous_close": self.state.previous_close}

    def _load(self, state):
        self.state.value, self.state.count = state["value"], state["count"]
        self.state.previous_close = state["previous_close"]
