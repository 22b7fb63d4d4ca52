/* Averages (EMA, SMA, WMA) and Wilder's ATR, RSI and ADX. Conventions: indicators.h. */
#ifndef INTERLOCK_AVERAGES_H
#define INTERLOCK_AVERAGES_H

#include "windows.h"

typedef struct {
    double value;
    int64_t count, warmup;
    double a, b;
} il_ema;

static inline void il_ema_init(il_ema *s, int64_t period) {
    s->a = 2.0 / ((double)period + 1.0);
    s->b = 1.0 - s->a;
    s->value = 0.0;
    s->count = 0;
    s->warmup = period;
}

static inline double il_ema_next(double a, double b, double value, double x) {
    return a * x + b * value;   /* in this order everywhere */
}

/* Seeded with the first value. */
static inline double il_ema_step(il_ema *s, double x) {
    s->value = s->count ? il_ema_next(s->a, s->b, s->value, x) : x;
    s->count++;
    return s->value;
}

typedef struct {
    double value;
    int64_t count, warmup, period, position;
    double total;
} il_sma;

static inline int64_t il_sma_room(int64_t period) {
    return period;
}

static inline void il_sma_init(il_sma *s, int64_t period) {
    s->value = s->total = 0.0;
    s->count = s->position = 0;
    s->warmup = s->period = period;
}

/* Running sum over the ring; summed anew once per turn, so rounding never accumulates. */
static inline double il_sma_step(il_sma *s, double *ring, double x) {
    int64_t i;
    if (s->count >= s->period)
        s->total = s->total + x - ring[s->position];
    else
        s->total = s->total + x;
    ring[s->position] = x;
    s->position++;
    s->count++;
    if (s->position == s->period) {
        s->position = 0;
        s->total = 0.0;
        for (i = 0; i < s->period; i++)
            s->total += ring[i];
    }
    s->value = s->total / (double)(s->count >= s->period ? s->period : s->count);
    return s->value;
}

typedef struct {
    double value;
    int64_t count, warmup;
    il_ramp window;
} il_wma;

static inline int64_t il_wma_room(int64_t period) {
    return period;
}

static inline void il_wma_init(il_wma *s, int64_t period) {
    s->value = 0.0;
    s->count = 0;
    s->warmup = period;
    il_ramp_init(&s->window, period);
}

static inline double il_wma_step(il_wma *s, double *ring, double x) {
    s->value = il_ramp_step(&s->window, ring, x);
    s->count++;
    return s->value;
}

/* ---- ranges and trend: Wilder, New Concepts in Technical Trading Systems, 1978 ---- */

static inline double il_true_range(double high, double low, double previous_close) {
    double tr = high - low, up = il_size(high - previous_close), down = il_size(low - previous_close);
    tr = up > tr ? up : tr;
    return down > tr ? down : tr;
}

typedef struct {
    double value;
    int64_t count, warmup;
    double a, b, previous_close;
} il_atr;

static inline void il_atr_init(il_atr *s, int64_t period) {
    s->a = 1.0 / (double)period;
    s->b = 1.0 - s->a;
    s->value = s->previous_close = 0.0;
    s->count = 0;
    s->warmup = period;
}

/* Seeded with the first bar's high - low. */
static inline double il_atr_step(il_atr *s, double high, double low, double close) {
    if (s->count)
        s->value = il_ema_next(s->a, s->b, s->value, il_true_range(high, low, s->previous_close));
    else
        s->value = high - low;
    s->previous_close = close;
    s->count++;
    return s->value;
}

typedef struct {
    double value;
    int64_t count, warmup, period;
    double gain, loss, previous_close;
} il_rsi;

static inline void il_rsi_init(il_rsi *s, int64_t period) {
    s->value = 50.0;
    s->gain = s->loss = s->previous_close = 0.0;
    s->count = 0;
    s->period = period;
    s->warmup = period + 1;
}

/* The first `period` changes averaged plainly, then (avg*(p-1) + change) / p; 50 while nothing moved. */
static inline double il_rsi_step(il_rsi *s, double x) {
    double change, up, down, p = (double)s->period;
    if (s->count) {
        change = x - s->previous_close;
        up = change > 0.0 ? change : 0.0;
        down = change < 0.0 ? -change : 0.0;
        if (s->count <= s->period) {
            s->gain = s->gain + up;
            s->loss = s->loss + down;
            if (s->count == s->period) {
                s->gain = s->gain / p;
                s->loss = s->loss / p;
            }
        } else {
            s->gain = (s->gain * (p - 1.0) + up) / p;
            s->loss = (s->loss * (p - 1.0) + down) / p;
        }
        if (s->loss > 0.0)
            s->value = 100.0 - 100.0 / (1.0 + s->gain / s->loss);
        else
            s->value = s->gain > 0.0 ? 100.0 : 50.0;
    }
    s->previous_close = x;
    s->count++;
    return s->value;
}

typedef struct {
    double value, slope, plus_di, minus_di;
    int64_t count, warmup, period;
    double range, plus, minus, total;
    double previous_high, previous_low, previous_close;
} il_adx;

static inline void il_adx_init(il_adx *s, int64_t period) {
    s->value = s->slope = s->plus_di = s->minus_di = s->range = s->plus = s->minus = s->total = 0.0;
    s->previous_high = s->previous_low = s->previous_close = 0.0;
    s->count = 0;
    s->period = period;
    s->warmup = 2 * period;
}

/* Move a Wilder sum: plain over the first `period` bars, then sum - sum/p + x. */
static inline double il_wilder_sum(double sum, double x, int64_t count, int64_t period) {
    return count <= period ? sum + x : sum - sum / (double)period + x;
}

/* ADX of the first `period` DX is their mean, then (adx*(p-1) + dx) / p; 0 before. `slope`: change per bar. */
static inline double il_adx_step(il_adx *s, double high, double low, double close) {
    double up, down, dx, previous = s->value, p = (double)s->period;
    if (s->count) {
        up = high - s->previous_high;
        down = s->previous_low - low;
        s->range = il_wilder_sum(
            s->range, il_true_range(high, low, s->previous_close), s->count, s->period);
        s->plus = il_wilder_sum(s->plus, up > down && up > 0.0 ? up : 0.0, s->count, s->period);
        s->minus = il_wilder_sum(s->minus, down > up && down > 0.0 ? down : 0.0, s->count, s->period);
    }
    if (s->count >= s->period) {
        s->plus_di = s->range > 0.0 ? 100.0 * s->plus / s->range : 0.0;
        s->minus_di = s->range > 0.0 ? 100.0 * s->minus / s->range : 0.0;
        dx = s->plus_di + s->minus_di > 0.0
            ? 100.0 * il_size(s->plus_di - s->minus_di) / (s->plus_di + s->minus_di) : 0.0;
        if (s->count < 2 * s->period - 1) {
            s->total += dx;
        } else if (s->count == 2 * s->period - 1) {
            s->value = (s->total + dx) / p;
        } else {
            s->value = (s->value * (p - 1.0) + dx) / p;
            s->slope = s->value - previous;
        }
    }
    s->previous_high = high;
    s->previous_low = low;
    s->previous_close = close;
    s->count++;
    return s->value;
}

#endif
