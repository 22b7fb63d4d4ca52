"""Incremental indicators: one C step each, used by compiled lanes and by the Python classes alike."""

from libc.math cimport fabs
from libc.stdint cimport int64_t


cdef struct EmaState:
    double a
    double b
    double value
    int64_t count


cdef struct SmaState:
    double* ring        # `period` doubles, owned by whoever initialised the state
    double total
    double value
    int64_t period
    int64_t position
    int64_t count


cdef struct AtrState:
    double a
    double b
    double value
    double previous_close
    int64_t count


cdef struct RsiState:
    double gain
    double loss
    double previous_close
    double value
    int64_t period
    int64_t count       # closes seen


cdef inline void ema_init(EmaState* s, int64_t period) noexcept nogil:
    s.a = 2.0 / (<double>period + 1.0)
    s.b = 1.0 - s.a
    s.value = 0.0
    s.count = 0


cdef inline double ema_next(double a, double b, double value, double x) noexcept nogil:
    # In this order everywhere (bit identity).
    return a * x + b * value


cdef inline double ema_step(EmaState* s, double x) noexcept nogil:
    """Seeded with the first close."""
    s.value = ema_next(s.a, s.b, s.value, x) if s.count else x
    s.count += 1
    return s.value


cdef inline double sma_step(SmaState* s, double x) noexcept nogil:
    """Running sum over the ring; summed anew once per turn, so rounding never accumulates."""
    cdef int64_t i
    if s.count >= s.period:
        s.total = s.total + x - s.ring[s.position]
    else:
        s.total = s.total + x
    s.ring[s.position] = x
    s.position += 1
    s.count += 1
    if s.position == s.period:
        s.position = 0
        s.total = 0.0
        for i in range(s.period):
            s.total += s.ring[i]
    s.value = s.total / <double>(s.period if s.count >= s.period else s.count)
    return s.value


cdef inline void atr_init(AtrState* s, int64_t period) noexcept nogil:
    s.a = 1.0 / <double>period
    s.b = 1.0 - s.a
    s.value = 0.0
    s.previous_close = 0.0
    s.count = 0


cdef inline double true_range(double high, double low, double previous_close) noexcept nogil:
    cdef double tr = high - low
    cdef double up = fabs(high - previous_close)
    cdef double down = fabs(low - previous_close)
    tr = up if up > tr else tr
    return down if down > tr else tr


cdef inline double atr_step(AtrState* s, double high, double low, double close) noexcept nogil:
    """Wilder's average true range, seeded with the first bar's high - low."""
    if s.count:
        s.value = ema_next(s.a, s.b, s.value, true_range(high, low, s.previous_close))
    else:
        s.value = high - low
    s.previous_close = close
    s.count += 1
    return s.value


cdef inline double rsi_step(RsiState* s, double x) noexcept nogil:
    """Wilder's RSI: the first `period` changes averaged plainly, then (avg*(p-1) + change) / p."""
    cdef double change, up, down
    cdef double p = <double>s.period
    if s.count:
        change = x - s.previous_close
        up = change if change > 0.0 else 0.0
        down = -change if change < 0.0 else 0.0
        if s.count <= s.period:
            s.gain = s.gain + up
            s.loss = s.loss + down
            if s.count == s.period:
                s.gain = s.gain / p
                s.loss = s.loss / p
        else:
            s.gain = (s.gain * (p - 1.0) + up) / p
            s.loss = (s.loss * (p - 1.0) + down) / p
        if s.loss > 0.0:
            s.value = 100.0 - 100.0 / (1.0 + s.gain / s.loss)
        else:
            s.value = 100.0 if s.gain > 0.0 else 50.0
    s.previous_close = x
    s.count += 1
    return s.value
