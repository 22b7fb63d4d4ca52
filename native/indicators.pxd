"""Declarations of `indicators.h`; the kernel's lanes use the C steps directly."""

from libc.stdint cimport int64_t


cdef extern from "indicators.h" nogil:
    ctypedef struct il_total:
        int64_t period, position, count
        double front

    ctypedef struct il_ramp:
        int64_t period, position, count
        double front, weighted

    ctypedef struct il_moments:
        int64_t period, position, count
        double front_mean, front_m2, mean, m2

    ctypedef struct il_extremes:
        int64_t period, position, count
        double front_high, front_low, high, low

    ctypedef struct il_quantile:
        int64_t period, position, count, below
        double fraction

    ctypedef struct EmaState "il_ema":
        double value
        int64_t count, warmup
        double a, b

    ctypedef struct il_sma:
        double value
        int64_t count, warmup, period, position
        double total

    ctypedef struct AtrState "il_atr":
        double value
        int64_t count, warmup
        double a, b, previous_close

    ctypedef struct RsiState "il_rsi":
        double value
        int64_t count, warmup, period
        double gain, loss, previous_close

    ctypedef struct il_wma:
        double value
        int64_t count, warmup
        il_ramp window

    ctypedef struct il_adx:
        double value, slope, plus_di, minus_di
        int64_t count, warmup, period
        double range, plus, minus, total, previous_high, previous_low, previous_close

    ctypedef struct il_stdev:
        double value, mean
        int64_t count, warmup, ddof
        il_moments window

    ctypedef struct il_zscore:
        double value, mean, stdev
        int64_t count, warmup
        il_moments window

    ctypedef struct il_bollinger:
        double value, upper, lower, width, deviations
        int64_t count, warmup
        il_moments window

    ctypedef struct il_donchian:
        double value, upper, lower
        int64_t count, warmup
        il_extremes window

    ctypedef struct il_macd:
        double value, signal, histogram
        int64_t count, warmup
        EmaState fast, slow, average

    ctypedef struct il_stochrsi:
        double value, d
        int64_t count, warmup
        RsiState rsi
        il_extremes window
        il_sma average_k, average_d

    ctypedef struct il_vwap:
        double value
        int64_t count, warmup
        il_total money, volume

    ctypedef struct il_session_vwap:
        double value
        int64_t count, warmup, session_ns, session
        double money, money_rest, volume, volume_rest

    ctypedef struct il_percentile:
        double value
        int64_t count, warmup
        il_quantile window

    ctypedef struct il_realised_vol:
        double value, previous_close, bars_per_year
        int64_t count, warmup
        il_total window

    void ema_init "il_ema_init"(EmaState*, int64_t) noexcept
    double ema_next "il_ema_next"(double, double, double, double) noexcept
    double ema_step "il_ema_step"(EmaState*, double) noexcept
    void il_sma_init(il_sma*, int64_t) noexcept
    double il_sma_step(il_sma*, double*, double) noexcept
    void atr_init "il_atr_init"(AtrState*, int64_t) noexcept
    double true_range "il_true_range"(double, double, double) noexcept
    double atr_step "il_atr_step"(AtrState*, double, double, double) noexcept
    void rsi_init "il_rsi_init"(RsiState*, int64_t) noexcept
    double rsi_step "il_rsi_step"(RsiState*, double) noexcept
    void il_wma_init(il_wma*, int64_t) noexcept
    double il_wma_step(il_wma*, double*, double) noexcept
    void il_adx_init(il_adx*, int64_t) noexcept
    double il_adx_step(il_adx*, double, double, double) noexcept
    void il_stdev_init(il_stdev*, int64_t, int64_t) noexcept
    double il_stdev_step(il_stdev*, double*, double) noexcept
    void il_zscore_init(il_zscore*, int64_t) noexcept
    double il_zscore_step(il_zscore*, double*, double) noexcept
    void il_bollinger_init(il_bollinger*, int64_t, double) noexcept
    double il_bollinger_step(il_bollinger*, double*, double) noexcept
    void il_donchian_init(il_donchian*, int64_t) noexcept
    double il_donchian_step(il_donchian*, double*, double, double) noexcept
    void il_macd_init(il_macd*, int64_t, int64_t, int64_t) noexcept
    double il_macd_step(il_macd*, double) noexcept
    int64_t il_stochrsi_room(int64_t, int64_t, int64_t, int64_t) noexcept
    void il_stochrsi_init(il_stochrsi*, int64_t, int64_t, int64_t, int64_t) noexcept
    double il_stochrsi_step(il_stochrsi*, double*, double) noexcept
    void il_vwap_init(il_vwap*, int64_t) noexcept
    double il_vwap_step(il_vwap*, double*, double, double, double, double) noexcept
    void il_session_vwap_init(il_session_vwap*, int64_t) noexcept
    double il_session_vwap_step(il_session_vwap*, int64_t, double, double, double, double) noexcept
    void il_percentile_init(il_percentile*, int64_t, double) noexcept
    double il_percentile_step(il_percentile*, double*, double) noexcept
    void il_realised_vol_init(il_realised_vol*, int64_t, double) noexcept
    double il_realised_vol_step(il_realised_vol*, double*, double) noexcept


cdef struct SmaState:
    double* ring            # `window.period` doubles, owned by whoever initialised the state
    il_sma window


cdef inline double sma_step(SmaState* s, double x) noexcept nogil:
    return il_sma_step(&s.window, s.ring, x)
