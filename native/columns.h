/* Chunks of columns ahead of the account: is any bar in doubt, the ATR after each bar, which answers are quiet.

   The look is bound by the width of the registers, so it is compiled three times and chosen by what the
   processor has; integers, single products and sums give the same bits at any width (no FMA, setup.py). */
#ifndef INTERLOCK_COLUMNS_H
#define INTERLOCK_COLUMNS_H

#include <stdint.h>
#include <string.h>
#include "averages.h"

#define ILC_BLOCK 32    /* bars looked at together: the chain of the average runs beside the next block's look */
#define ILC_LARGEST 0x7FEFFFFFFFFFFFFFULL   /* the bits of the largest finite double */

typedef struct {
    const int64_t *ts;
    const double *open, *high, *low, *close, *volume;
} ilc_columns;

static inline uint64_t ilc_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Look at `n` bars. Positive doubles order like their bits, so one sign bit tells of any bar in doubt: not
   negative, not zero (but the volume), not above the largest finite double, high >= low, times that rise.
   `atr` gets the average true range after each bar; `value` and `last` are those before the first one. */
#define ILC_LOOK(name)                                                                                         \
    static int name(const ilc_columns *x, int64_t n, double a, double b, double value, double last, double *atr) \
    {                                                                                                          \
        double range[ILC_BLOCK];                                                                               \
        uint64_t doubt = 0;                                                                                    \
        for (int64_t from = 0; from < n; from += ILC_BLOCK) {                                                  \
            const int64_t count = n - from < ILC_BLOCK ? n - from : ILC_BLOCK;                                 \
            const int64_t *ts = x->ts + from;                                                                  \
            const double *open = x->open + from, *high = x->high + from, *low = x->low + from;                 \
            const double *close = x->close + from, *volume = x->volume + from;                                 \
            if (from)                                                                                          \
                last = close[-1], doubt |= (uint64_t)ts[0] - (uint64_t)ts[-1] - 1;                             \
            doubt |= (uint64_t)ts[0];                                                                          \
            range[0] = a * il_true_range(high[0], low[0], last);                                               \
            if (count == ILC_BLOCK)                                                                            \
                ILC_BARS(ILC_BLOCK)                                                                            \
            else                                                                                               \
                ILC_BARS(count)                                                                                \
            for (int64_t i = 0; i < count; i++)                                                                \
                atr[from + i] = value = range[i] + b * value;                                                  \
        }                                                                                                      \
        return (int)(doubt >> 63);                                                                             \
    }

#define ILC_BARS(count)                                                                                        \
    {                                                                                                          \
        for (int64_t i = 0; i < (count); i++) {                                                                \
            uint64_t o = ilc_bits(open[i]), h = ilc_bits(high[i]), l = ilc_bits(low[i]);                       \
            uint64_t c = ilc_bits(close[i]), v = ilc_bits(volume[i]);                                          \
            doubt |= o | (o - 1) | (ILC_LARGEST - o) | l | (l - 1) | h | (h - l) | (ILC_LARGEST - h) | c       \
                | (c - 1) | (ILC_LARGEST - c) | v | (ILC_LARGEST - v);                                         \
        }                                                                                                      \
        for (int64_t i = 1; i < (count); i++) {                                                                \
            doubt |= (uint64_t)ts[i] | ((uint64_t)ts[i] - (uint64_t)ts[i - 1] - 1);                            \
            range[i] = a * il_true_range(high[i], low[i], close[i - 1]);                                       \
        }                                                                                                      \
    }

ILC_LOOK(ilc_look_128)

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2")
ILC_LOOK(ilc_look_256)
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,prefer-vector-width=512")
ILC_LOOK(ilc_look_512)
#pragma GCC pop_options
#endif

/* Returns whether any bar of the chunk is in doubt; see above. */
static inline int ilc_look(const ilc_columns *x, int64_t n, double a, double b, double value, double last, double *atr)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return ilc_look_512(x, n, a, b, value, last, atr);
    if (__builtin_cpu_supports("avx2"))
        return ilc_look_256(x, n, a, b, value, last, atr);
#endif
    return ilc_look_128(x, n, a, b, value, last, atr);
}

#define ILC_SPARE 8 /* bytes that may be read past the answers, and doubles that may be written past the marks */

/* The first of the answers in [start, end) that is neither `side` nor `keep`, or end; eight at a time. */
static inline int64_t ilc_quiet(const signed char *want, signed char side, signed char keep, int64_t start, int64_t end)
{
    const uint64_t ones = 0x0101010101010101ULL, low = 0x7f * ones;
    const uint64_t sides = ones * (uint8_t)side, keeps = ones * (uint8_t)keep;
    for (int64_t i = start; i < end; i += 8) {
        uint64_t x, y, other;
        memcpy(&x, want + i, sizeof x);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        x = __builtin_bswap64(x);
#endif
        y = x ^ keeps, x ^= sides;
        other = (((x & low) + low) | x) & (((y & low) + low) | y) & ~low;   /* bytes that are neither */
        if (other) {
            i += __builtin_ctzll(other) >> 3;
            return i < end ? i : end;
        }
    }
    return end;
}

/* The marks of `n` bars of an unchanged position: whole eights where the column goes on (`room` bars of it),
   because a loop whose length is as good as random costs more than the marks it saves. */
static inline void ilc_mark(const double *restrict close, int64_t n, int64_t room, double realised, double held,
                            double entry, double entry_fee, double *restrict equity)
{
    int64_t i = 0;
    if (n + ILC_SPARE <= room)
        for (; i < n; i += 8)
            for (int64_t k = i; k < i + 8; k++)
                equity[k] = realised + (held * (close[k] - entry) - entry_fee);
    for (; i < n; i++)
        equity[i] = realised + (held * (close[i] - entry) - entry_fee);
}

#endif
