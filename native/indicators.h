/* Every indicator's arithmetic, once: used by the kernel, by the Python classes and by forged strategies.
 *
 * For each indicator NAME there is a struct il_NAME, `il_NAME_init(s, arguments)`, and
 * `il_NAME_step(s, [ring,] inputs)`, which takes one closed bar and returns `value`. A `ring` is storage of
 * the caller: il_NAME_room(arguments) doubles, there only for those that have a room. Structs hold 8-byte
 * fields only, no pointer: they may be copied, hashed, kept. Each has `value`, `count` (bars taken) and
 * `warmup` (bars until ready: count >= warmup); before that the value is the stated neutral or the formula
 * over fewer bars. It is never NaN for finite inputs below 1e100 in size. `indicator_table.py` lists names,
 * arguments, inputs and outputs.
 *
 * Freestanding (see windows.h). Build with -ffp-contract=off -fno-fast-math -fno-math-errno: every build
 * gives the same bits. The order of each expression is part of the contract.
 */
#ifndef INTERLOCK_INDICATORS_H
#define INTERLOCK_INDICATORS_H

#include "averages.h"

#define IL_SECONDS_PER_YEAR 31557600.0      /* 365.25 days */

/* ---- dispersion ---- */

typedef struct {
    double value, mean;
    int64_t count, warmup, ddof;
    il_moments window;
} il_stdev;

static inline int64_t il_stdev_room(int64_t period, int64_t ddof) {
    (void)ddof;
    return 2 * period;
}

static inline void il_stdev_init(il_stdev *s, int64_t period, int64_t ddof) {
    s->value = s->mean = 0.0;
    s->count = 0;
    s->warmup = period;
    s->ddof = ddof;
    il_moments_init(&s->window, period);
}

/* Divisor n - ddof; 0 while that is not positive. */
static inline double il_stdev_step(il_stdev *s, double *ring, double x) {
    double divisor;
    il_moments_step(&s->window, ring, x);
    s->count++;
    s->mean = s->window.mean;
    divisor = (double)(il_held(s->count, s->window.period) - s->ddof);
    s->value = divisor > 0.0 ? il_root(s->window.m2 / divisor) : 0.0;
    return s->value;
}

typedef struct {
    double value, mean, stdev;
    int64_t count, warmup;
    il_moments window;
} il_zscore;

static inline int64_t il_zscore_room(int64_t period) {
    return 2 * period;
}

static inline void il_zscore_init(il_zscore *s, int64_t period) {
    s->value = s->mean = s->stdev = 0.0;
    s->count = 0;
    s->warmup = period;
    il_moments_init(&s->window, period);
}

/* (x - mean) / population deviation of the window that x ends; 0 where nothing varies. */
static inline double il_zscore_step(il_zscore *s, double *ring, double x) {
    il_moments_step(&s->window, ring, x);
    s->count++;
    s->mean = s->window.mean;
    s->stdev = il_root(s->window.m2 / (double)il_held(s->count, s->window.period));
    s->value = s->stdev > 0.0 ? (x - s->mean) / s->stdev : 0.0;
    return s->value;
}

typedef struct {
    double value, upper, lower, width, deviations;
    int64_t count, warmup;
    il_moments window;
} il_bollinger;

static inline int64_t il_bollinger_room(int64_t period, double deviations) {
    (void)deviations;
    return 2 * period;
}

static inline void il_bollinger_init(il_bollinger *s, int64_t period, double deviations) {
    s->value = s->upper = s->lower = s->width = 0.0;
    s->deviations = deviations;
    s->count = 0;
    s->warmup = period;
    il_moments_init(&s->window, period);
}

/* Mean and mean +- k population deviations; `width` = (upper - lower) / close. */
static inline double il_bollinger_step(il_bollinger *s, double *ring, double close) {
    double reach;
    il_moments_step(&s->window, ring, close);
    s->count++;
    reach = s->deviations * il_root(s->window.m2 / (double)il_held(s->count, s->window.period));
    s->value = s->window.mean;
    s->upper = s->value + reach;
    s->lower = s->value - reach;
    s->width = close > 0.0 ? (s->upper - s->lower) / close : 0.0;
    return s->value;
}

typedef struct {
    double value, previous_close, bars_per_year;
    int64_t count, warmup;
    il_total window;
} il_realised_vol;

static inline int64_t il_realised_vol_room(int64_t period, double interval_s) {
    (void)interval_s;
    return period;
}

static inline void il_realised_vol_init(il_realised_vol *s, int64_t period, double interval_s) {
    s->value = s->previous_close = 0.0;
    s->bars_per_year = IL_SECONDS_PER_YEAR / interval_s;
    s->count = 0;
    s->warmup = period + 1;
    il_total_init(&s->window, period);
}

/* sqrt(mean of squared simple returns * bars per year), mean return taken as zero: simple returns, not
 * logarithms, so that no library decides the last bit. A year is 365.25 days. */
static inline double il_realised_vol_step(il_realised_vol *s, double *ring, double close) {
    double r, sum;
    if (s->count) {
        r = s->previous_close > 0.0 ? close / s->previous_close - 1.0 : 0.0;
        sum = il_total_step(&s->window, ring, r * r);
        s->value = il_root(sum / (double)il_held(s->window.count, s->window.period) * s->bars_per_year);
    }
    s->previous_close = close;
    s->count++;
    return s->value;
}

/* ---- channels, momentum ---- */

typedef struct {
    double value, upper, lower;
    int64_t count, warmup;
    il_extremes window;
} il_donchian;

static inline int64_t il_donchian_room(int64_t period) {
    return 2 * period;
}

static inline void il_donchian_init(il_donchian *s, int64_t period) {
    s->value = s->upper = s->lower = 0.0;
    s->count = 0;
    s->warmup = period;
    il_extremes_init(&s->window, period);
}

/* Highest high and lowest low, this bar included; the value is their middle. */
static inline double il_donchian_step(il_donchian *s, double *ring, double high, double low) {
    il_extremes_step(&s->window, ring, high, low);
    s->count++;
    s->upper = s->window.high;
    s->lower = s->window.low;
    s->value = 0.5 * (s->upper + s->lower);
    return s->value;
}

typedef struct {
    double value, signal, histogram;
    int64_t count, warmup;
    il_ema fast, slow, average;
} il_macd;

static inline void il_macd_init(il_macd *s, int64_t fast, int64_t slow, int64_t signal) {
    s->value = s->signal = s->histogram = 0.0;
    s->count = 0;
    s->warmup = slow + signal - 1;
    il_ema_init(&s->fast, fast);
    il_ema_init(&s->slow, slow);
    il_ema_init(&s->average, signal);
}

/* EMA fast - EMA slow, its EMA (`signal`), and their difference (`histogram`). */
static inline double il_macd_step(il_macd *s, double close) {
    s->value = il_ema_step(&s->fast, close) - il_ema_step(&s->slow, close);
    s->signal = il_ema_step(&s->average, s->value);
    s->histogram = s->value - s->signal;
    s->count++;
    return s->value;
}

typedef struct {
    double value, d;
    int64_t count, warmup;
    il_rsi rsi;
    il_extremes window;
    il_sma average_k, average_d;
} il_stochrsi;

static inline int64_t il_stochrsi_room(int64_t period, int64_t stoch, int64_t k, int64_t d) {
    (void)period;
    return 2 * stoch + k + d;
}

static inline void il_stochrsi_init(il_stochrsi *s, int64_t period, int64_t stoch, int64_t k, int64_t d) {
    s->value = s->d = 0.5;
    s->count = 0;
    s->warmup = period + stoch + k - 1;
    il_rsi_init(&s->rsi, period);
    il_extremes_init(&s->window, stoch);
    il_sma_init(&s->average_k, k);
    il_sma_init(&s->average_d, d);
}

/* Where RSI stands in its own range over `stoch` bars, 0..1, averaged over `k` (value) and again over `d`;
 * 0.5 where RSI did not move. RSI counts from where it is ready. */
static inline double il_stochrsi_step(il_stochrsi *s, double *ring, double close) {
    double rsi = il_rsi_step(&s->rsi, close), range;
    double *ring_k = ring + 2 * s->window.period;
    s->count++;
    if (s->rsi.count < s->rsi.warmup)
        return s->value;
    il_extremes_step(&s->window, ring, rsi, rsi);
    range = s->window.high - s->window.low;
    s->value = il_sma_step(&s->average_k, ring_k, range > 0.0 ? (rsi - s->window.low) / range : 0.5);
    s->d = il_sma_step(&s->average_d, ring_k + s->average_k.period, s->value);
    return s->value;
}

/* ---- volume, ranks ---- */

typedef struct {
    double value;
    int64_t count, warmup;
    il_total money, volume;
} il_vwap;

static inline int64_t il_vwap_room(int64_t period) {
    return 2 * period;
}

static inline void il_vwap_init(il_vwap *s, int64_t period) {
    s->value = 0.0;
    s->count = 0;
    s->warmup = period;
    il_total_init(&s->money, period);
    il_total_init(&s->volume, period);
}

/* Mean typical price (high + low + close) / 3 weighted by volume; the typical price where none was traded. */
static inline double il_vwap_step(
    il_vwap *s, double *ring, double high, double low, double close, double volume
) {
    double price = (high + low + close) / 3.0;
    double money = il_total_step(&s->money, ring, price * volume);
    double traded = il_total_step(&s->volume, ring + s->volume.period, volume);
    s->count++;
    s->value = traded > 0.0 ? money / traded : price;
    return s->value;
}

typedef struct {
    double value;
    int64_t count, warmup, session_ns, session;
    double money, money_rest, volume, volume_rest;
} il_session_vwap;

static inline void il_session_vwap_init(il_session_vwap *s, int64_t session_s) {
    s->value = s->money = s->money_rest = s->volume = s->volume_rest = 0.0;
    s->count = s->session = 0;
    s->warmup = 1;
    s->session_ns = session_s * 1000000000;
}

/* Add x to a sum that carries its rounding rest (Kahan, 1965). */
static inline void il_sum_add(double *sum, double *rest, double x) {
    double y = x - *rest, t = *sum + y;
    *rest = (t - *sum) - y;
    *sum = t;
}

/* As il_vwap since the session began: sessions begin at whole multiples of session_s of UTC time. */
static inline double il_session_vwap_step(
    il_session_vwap *s, int64_t ts_ns, double high, double low, double close, double volume
) {
    double price = (high + low + close) / 3.0;
    int64_t session = ts_ns / s->session_ns;
    if (session != s->session || s->count == 0) {
        s->money = s->money_rest = s->volume = s->volume_rest = 0.0;
        s->session = session;
    }
    il_sum_add(&s->money, &s->money_rest, price * volume);
    il_sum_add(&s->volume, &s->volume_rest, volume);
    s->count++;
    s->value = s->volume > 0.0 ? s->money / s->volume : price;
    return s->value;
}

typedef struct {
    double value;
    int64_t count, warmup;
    il_quantile window;
} il_percentile;

static inline int64_t il_percentile_room(int64_t period, double percent) {
    (void)percent;
    return 3 * period;
}

static inline void il_percentile_init(il_percentile *s, int64_t period, double percent) {
    s->value = 0.0;
    s->count = 0;
    s->warmup = period;
    il_quantile_init(&s->window, period, percent / 100.0);
}

/* O(log period): see windows.h. */
static inline double il_percentile_step(il_percentile *s, double *ring, double x) {
    s->value = il_quantile_step(&s->window, ring, x);
    s->count++;
    return s->value;
}

#endif
