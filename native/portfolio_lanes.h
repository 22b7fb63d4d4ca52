/* Indicators of a portfolio's lanes, four lanes at a time, on the widest instructions there are. */
#ifndef INTERLOCK_PORTFOLIO_LANES_H
#define INTERLOCK_PORTFOLIO_LANES_H

#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "averages.h"

typedef double ilp_vec __attribute__((vector_size(32), aligned(8)));
typedef int64_t ilp_int __attribute__((vector_size(32), aligned(8)));
typedef double ilp_four __attribute__((vector_size(32), aligned(8), may_alias));

typedef struct {
    const double *high[4], *low[4], *close[4], *open[4], *volume[4];
} ilp_columns;

typedef struct {                /* il_atr and il_adx of four lanes */
    ilp_vec atr, atr_a, atr_b, period;
    ilp_vec adx, slope, plus_di, minus_di, range, plus, minus, high, low, close;
} ilp_ranges;

typedef struct {                /* two il_ema of four lanes */
    ilp_vec fast, fast_a, fast_b, slow, slow_a, slow_b;
} ilp_crosses;

#define ILP_JOIN_(a, b) a##b
#define ILP_JOIN(a, b) ILP_JOIN_(a, b)
#define ILP_SELECT(mask, x, y) ((ilp_vec)(((ilp_int)(mask) & (ilp_int)(x)) | (~(ilp_int)(mask) & (ilp_int)(y))))
/* Four doubles of a column; a memcpy goes over the stack in halves, which the whole load then waits for. */
#define ILP_FOUR(x) (*(const ilp_four *)(x))
#define ILP_SIZE(x) ((ilp_vec)((ilp_int)(x) & 0x7fffffffffffffffLL))

#if defined(__x86_64__)
static inline __attribute__((target("avx2"))) uint32_t ilp_bits_avx2(const ilp_int *mask)
{
    return (uint32_t)_mm256_movemask_pd((__m256d)*mask);
}
#endif

static inline uint32_t ilp_bits_base(const ilp_int *mask)
{
    uint32_t bits = 0;
    for (int k = 0; k < 4; k++)
        bits |= (uint32_t)((*mask)[k] & 1) << k;
    return bits;
}

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2")
#define ILP_SET avx2
#include "portfolio_columns.h"
#undef ILP_SET
#pragma GCC pop_options
#endif

#define ILP_SET base
#include "portfolio_columns.h"
#undef ILP_SET

/* Whether the processor has the wider set; asked once. */
static inline int ilp_is_wide(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
#else
    return 0;
#endif
}

#if defined(__x86_64__)
#define ILP_CALL(is_wide, name, ...) ((is_wide) ? name##_avx2(__VA_ARGS__) : name##_base(__VA_ARGS__))
#else
#define ILP_CALL(is_wide, name, ...) name##_base(__VA_ARGS__)
#endif

static inline int ilp_doubt(int is_wide, const double *o, const double *h, const double *l, const double *c,
                            const double *v, int64_t n, double low, double high)
{
    return ILP_CALL(is_wide, ilp_doubt, o, h, l, c, v, n, low, high);
}

static inline int ilp_first_set(uint64_t bits)
{
    return __builtin_ctzll(bits);
}

/* Step four lanes' ATR and ADX by n bars; all counts must be past the ADX's warm-up. */
static inline void ilp_step_ranges(int is_wide, const ilp_columns *x, il_atr *const *atrs, il_adx *const *trends,
                                   int64_t start, int64_t n, double *atr, double *trend)
{
    ilp_ranges s;
    for (int k = 0; k < 4; k++) {
        const il_adx *d = trends[k];
        s.atr[k] = atrs[k]->value, s.atr_a[k] = atrs[k]->a, s.atr_b[k] = atrs[k]->b, s.period[k] = (double)d->period;
        s.adx[k] = d->value, s.slope[k] = d->slope, s.plus_di[k] = d->plus_di, s.minus_di[k] = d->minus_di;
        s.range[k] = d->range, s.plus[k] = d->plus, s.minus[k] = d->minus;
        s.high[k] = d->previous_high, s.low[k] = d->previous_low, s.close[k] = d->previous_close;
    }
    ILP_CALL(is_wide, ilp_ranges, x, &s, start, n, atr, trend);
    for (int k = 0; k < 4; k++) {
        il_adx *d = trends[k];
        if (k && d == trends[k - 1])
            break;
        atrs[k]->value = s.atr[k], atrs[k]->previous_close = s.close[k], atrs[k]->count += n;
        d->value = s.adx[k], d->slope = s.slope[k], d->plus_di = s.plus_di[k], d->minus_di = s.minus_di[k];
        d->range = s.range[k], d->plus = s.plus[k], d->minus = s.minus[k], d->count += n;
        d->previous_high = s.high[k], d->previous_low = s.low[k], d->previous_close = s.close[k];
    }
}

/* Step four lanes' crossing averages by n bars; all of them must have been seeded. */
static inline void ilp_step_crosses(int is_wide, const ilp_columns *x, il_ema *const *fast, il_ema *const *slow,
                                    int64_t start, int64_t n, int8_t *want, uint64_t *changed, int shift)
{
    ilp_crosses s;
    for (int k = 0; k < 4; k++) {
        s.fast[k] = fast[k]->value, s.fast_a[k] = fast[k]->a, s.fast_b[k] = fast[k]->b;
        s.slow[k] = slow[k]->value, s.slow_a[k] = slow[k]->a, s.slow_b[k] = slow[k]->b;
    }
    ILP_CALL(is_wide, ilp_crosses, x, &s, start, n, want, changed, shift);
    for (int k = 0; k < 4; k++) {
        if (k && fast[k] == fast[k - 1])
            break;
        fast[k]->value = s.fast[k], slow[k]->value = s.slow[k];
        fast[k]->count += n, slow[k]->count += n;
    }
}

#endif
