/* Sliding windows in O(1) amortised per value, without ever subtracting what leaves.
 *
 * A window of `period` values is two parts: a front that grows by every value, and the suffixes of what
 * was there before, combined from the end once per turn of the ring. The whole is front + one suffix, so
 * no rounding error stays behind: after ten million values the result is as good as a fresh sum.
 * (The two-stack queue of sliding-window aggregation; moments merge by Chan, Golub and LeVeque, 1979.)
 *
 * Freestanding: no library, no allocation, no global. `ring` is storage of the caller, its size stated at
 * each struct; it need not be cleared. In the ring, slots below `position` hold values of this turn, the
 * others hold suffixes. Build with -ffp-contract=off -fno-fast-math -fno-math-errno.
 */
#ifndef INTERLOCK_WINDOWS_H
#define INTERLOCK_WINDOWS_H

#include <stdint.h>

typedef struct {                /* ring: period */
    int64_t period, position, count;
    double front;               /* this turn's sum */
} il_total;

typedef struct {                /* ring: period */
    int64_t period, position, count;
    double front, weighted;     /* this turn's sum, and its sum weighted 1 (oldest) upwards */
} il_ramp;

typedef struct {                /* ring: 2 * period (means, then sums of squared deviations) */
    int64_t period, position, count;
    double front_mean, front_m2;
    double mean, m2;            /* of the window */
} il_moments;

typedef struct {                /* ring: 2 * period (highs, then lows) */
    int64_t period, position, count;
    double front_high, front_low;
    double high, low;           /* of the window */
} il_extremes;

typedef struct {                /* ring: 3 * period (values, slots, slot of each value) */
    int64_t period, position, count;
    int64_t below;              /* how many values are in the lower heap */
    double fraction;            /* 0..1, which quantile */
} il_quantile;

static inline double il_root(double x) {
    return x > 0.0 ? __builtin_sqrt(x) : 0.0;
}

static inline double il_size(double x) {
    return __builtin_fabs(x);   /* a branch on a sign as good as random costs more than the rest of a true range */
}

static inline double il_larger(double x, double y) {
    return x > y ? x : y;
}

static inline double il_smaller(double x, double y) {
    return x < y ? x : y;
}

/* How many values the window holds. */
static inline int64_t il_held(int64_t count, int64_t period) {
    return count < period ? count : period;
}

static inline void il_total_init(il_total *s, int64_t period) {
    s->period = period;
    s->position = s->count = 0;
    s->front = 0.0;
}

/* Take x; return the sum of the window. */
static inline double il_total_step(il_total *s, double *ring, double x) {
    int64_t i;
    double sum = s->front + x, suffix = 0.0;
    ring[s->position++] = x;
    s->count++;
    s->front = sum;
    if (s->position == s->period) {
        for (i = s->period - 1; i >= 0; i--) {
            suffix += ring[i];
            ring[i] = suffix;
        }
        s->position = 0;
        s->front = 0.0;
        return suffix;
    }
    return s->count > s->period ? ring[s->position] + sum : sum;
}

static inline void il_ramp_init(il_ramp *s, int64_t period) {
    s->period = period;
    s->position = s->count = 0;
    s->front = s->weighted = 0.0;
}

/* Take x; return the window's mean under weights 1 (oldest), 2, ... (newest). */
static inline double il_ramp_step(il_ramp *s, double *ring, double x) {
    int64_t i, held;
    double sum = 0.0, suffix = 0.0, whole, n;
    ring[s->position++] = x;
    s->count++;
    s->front += x;
    s->weighted += (double)s->position * x;
    whole = s->weighted;
    if (s->count > s->period && s->position < s->period)
        whole = ring[s->position] + s->weighted + (double)(s->period - s->position) * s->front;
    if (s->position == s->period) {
        for (i = s->period - 1; i >= 0; i--) {
            sum += ring[i];
            suffix += sum;      /* everything later gains one weight, the value itself begins with 1 */
            ring[i] = suffix;
        }
        s->position = 0;
        s->front = s->weighted = 0.0;
    }
    held = il_held(s->count, s->period);
    n = (double)held;
    return whole / (0.5 * n * (n + 1.0));
}

static inline void il_moments_init(il_moments *s, int64_t period) {
    s->period = period;
    s->position = s->count = 0;
    s->front_mean = s->front_m2 = s->mean = s->m2 = 0.0;
}

static inline void il_moments_turn(il_moments *s, double *ring) {
    double mean = 0.0, m2 = 0.0, x, d;
    int64_t i;
    for (i = s->period - 1; i >= 0; i--) {
        x = ring[i];
        d = x - mean;
        mean += d / (double)(s->period - i);
        m2 += d * (x - mean);
        ring[i] = mean;
        ring[s->period + i] = m2;
    }
    s->position = 0;
    s->front_mean = s->front_m2 = 0.0;
}

/* Take x; `mean` and `m2` (sum of squared deviations) are then those of the window. */
static inline void il_moments_step(il_moments *s, double *ring, double x) {
    double d = x - s->front_mean, na, nb;
    ring[s->position++] = x;
    s->count++;
    nb = (double)s->position;
    s->front_mean += d / nb;
    s->front_m2 += d * (x - s->front_mean);
    s->mean = s->front_mean;
    s->m2 = s->front_m2;
    if (s->position == s->period) {
        il_moments_turn(s, ring);
    } else if (s->count > s->period) {
        na = (double)(s->period - s->position);
        d = s->front_mean - ring[s->position];
        s->mean = ring[s->position] + d * nb / (na + nb);
        s->m2 = ring[s->period + s->position] + s->front_m2 + d * d * na * nb / (na + nb);
    }
}

static inline void il_extremes_init(il_extremes *s, int64_t period) {
    s->period = period;
    s->position = s->count = 0;
    s->front_high = s->front_low = s->high = s->low = 0.0;
}

/* Take a high and a low; `high` and `low` are then the extremes of the window. Exact. */
static inline void il_extremes_step(il_extremes *s, double *ring, double high, double low) {
    double *lows = ring + s->period;
    int64_t i, k = s->position;
    ring[k] = high;
    lows[k] = low;
    s->front_high = k ? il_larger(high, s->front_high) : high;
    s->front_low = k ? il_smaller(low, s->front_low) : low;
    s->high = s->front_high;
    s->low = s->front_low;
    s->count++;
    s->position = ++k;
    if (k == s->period) {
        for (i = k - 2; i >= 0; i--) {
            ring[i] = il_larger(ring[i], ring[i + 1]);
            lows[i] = il_smaller(lows[i], lows[i + 1]);
        }
        s->position = 0;
    } else if (s->count > s->period) {
        s->high = il_larger(s->high, ring[k]);
        s->low = il_smaller(s->low, lows[k]);
    }
}

/* A quantile cannot be had in O(1): two heaps grow towards each other in one array, O(log period) a value.
 * The lower one (largest first) starts at slot 0, the upper one (smallest first) at slot period - 1. */

static inline void il_quantile_init(il_quantile *s, int64_t period, double fraction) {
    s->period = period;
    s->position = s->count = s->below = 0;
    s->fraction = fraction;
}

static inline double il_heap_at(const il_quantile *s, const double *ring, int64_t slot) {
    return ring[(int64_t)ring[s->period + slot]];
}

static inline void il_heap_put(const il_quantile *s, double *ring, int64_t slot, double index) {
    ring[s->period + slot] = index;
    ring[2 * s->period + (int64_t)index] = (double)slot;
}

static inline void il_heap_swap(const il_quantile *s, double *ring, int64_t one, int64_t two) {
    double first = ring[s->period + one], second = ring[s->period + two];
    il_heap_put(s, ring, one, second);
    il_heap_put(s, ring, two, first);
}

/* Restore one heap around its `place` (0 is the top). `sign` +1: lower heap, -1: upper, mirrored. */
static inline void il_heap_sift(
    const il_quantile *s, double *ring, int64_t place, int64_t size, int64_t start, int64_t sign
) {
    double way = (double)sign;
    int64_t parent, child;
    while (place > 0) {
        parent = (place - 1) / 2;
        if (way * il_heap_at(s, ring, start + sign * place) <= way * il_heap_at(s, ring, start + sign * parent))
            break;
        il_heap_swap(s, ring, start + sign * place, start + sign * parent);
        place = parent;
    }
    while ((child = 2 * place + 1) < size) {
        if (child + 1 < size && way * il_heap_at(s, ring, start + sign * (child + 1))
                > way * il_heap_at(s, ring, start + sign * child))
            child++;
        if (way * il_heap_at(s, ring, start + sign * child) <= way * il_heap_at(s, ring, start + sign * place))
            break;
        il_heap_swap(s, ring, start + sign * child, start + sign * place);
        place = child;
    }
}

static inline void il_heap_sift_lower(const il_quantile *s, double *ring, int64_t place) {
    il_heap_sift(s, ring, place, s->below, 0, 1);
}

static inline void il_heap_sift_upper(const il_quantile *s, double *ring, int64_t place, int64_t held) {
    il_heap_sift(s, ring, place, held - s->below, s->period - 1, -1);
}

/* Move the top of one heap to the other until the lower one holds `wanted` of `held` values. */
static inline void il_quantile_balance(il_quantile *s, double *ring, int64_t wanted, int64_t held) {
    int64_t last = s->period - 1, above;
    double index;
    while (s->below < wanted) {
        above = held - s->below;
        index = ring[s->period + last];
        il_heap_put(s, ring, last, ring[s->period + last - (above - 1)]);
        il_heap_put(s, ring, s->below, index);
        s->below++;
        il_heap_sift_upper(s, ring, 0, held);
        il_heap_sift_lower(s, ring, s->below - 1);
    }
    while (s->below > wanted) {
        above = held - s->below;
        index = ring[s->period];
        il_heap_put(s, ring, 0, ring[s->period + s->below - 1]);
        il_heap_put(s, ring, last - above, index);
        s->below--;
        il_heap_sift_lower(s, ring, 0);
        il_heap_sift_upper(s, ring, above, held);
    }
}

/* Take x; return the quantile of the window, linear between neighbours (the usual definition 7). */
static inline double il_quantile_step(il_quantile *s, double *ring, double x) {
    int64_t last = s->period - 1, index = s->position, held = il_held(s->count + 1, s->period), slot;
    double rank = s->fraction * (double)(held - 1), low;
    ring[index] = x;
    if (s->count < s->period) {
        slot = s->below && x < il_heap_at(s, ring, 0) ? s->below++ : last - (held - 1 - s->below);
        il_heap_put(s, ring, slot, (double)index);
    } else {
        slot = (int64_t)ring[2 * s->period + index];
    }
    if (slot < s->below)
        il_heap_sift_lower(s, ring, slot);
    else
        il_heap_sift_upper(s, ring, last - slot, held);
    if (s->below && s->below < held && il_heap_at(s, ring, 0) > il_heap_at(s, ring, last)) {
        il_heap_swap(s, ring, 0, last);
        il_heap_sift_lower(s, ring, 0);
        il_heap_sift_upper(s, ring, 0, held);
    }
    il_quantile_balance(s, ring, (int64_t)rank + 1, held);
    s->count++;
    s->position = index + 1 == s->period ? 0 : index + 1;
    low = il_heap_at(s, ring, 0);
    if (s->below == held)
        return low;
    return low + (rank - (double)(int64_t)rank) * (il_heap_at(s, ring, last) - low);
}

#endif
