/* Chunks of columns ahead of the account: is any bar in doubt, what each adds to the ATR, which answers are quiet.

   The look is bound by the width of the registers, so it is compiled three times and chosen by what the
   processor has; integers, single products and sums give the same bits at any width (no FMA, setup.py). */
#ifndef INTERLOCK_COLUMNS_H
#define INTERLOCK_COLUMNS_H

#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include "averages.h"

#define ILC_CHUNK 512   /* bars looked at ahead of their use: six columns of it stay in the first-level cache */
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
   `share` gets what each bar adds to the average true range; `last` is the close before the first one.
   The average itself is a chain of waits: account_for moves it beside work that does not wait for it. */
#define ILC_LOOK(name)                                                                                         \
    static int name(const ilc_columns *x, int64_t n, double a, double last, double *restrict share)            \
    {                                                                                                          \
        const int64_t *ts = x->ts;                                                                             \
        const double *open = x->open, *high = x->high, *low = x->low, *close = x->close, *volume = x->volume;  \
        uint64_t doubt = (uint64_t)ts[0];                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                                      \
            uint64_t o = ilc_bits(open[i]), h = ilc_bits(high[i]), l = ilc_bits(low[i]);                       \
            uint64_t c = ilc_bits(close[i]), v = ilc_bits(volume[i]);                                          \
            doubt |= o | (o - 1) | (ILC_LARGEST - o) | l | (l - 1) | h | (h - l) | (ILC_LARGEST - h) | c       \
                | (c - 1) | (ILC_LARGEST - c) | v | (ILC_LARGEST - v);                                         \
        }                                                                                                      \
        share[0] = a * il_true_range(high[0], low[0], last);                                                   \
        for (int64_t i = 1; i < n; i++) {                                                                      \
            doubt |= (uint64_t)ts[i] | ((uint64_t)ts[i] - (uint64_t)ts[i - 1] - 1);                            \
            share[i] = a * il_true_range(high[i], low[i], close[i - 1]);                                       \
        }                                                                                                      \
        return (int)(doubt >> 63);                                                                             \
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
static inline int ilc_look(const ilc_columns *x, int64_t n, double a, double last, double *share)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return ilc_look_512(x, n, a, last, share);
    if (__builtin_cpu_supports("avx2"))
        return ilc_look_256(x, n, a, last, share);
#endif
    return ilc_look_128(x, n, a, last, share);
}

#define ILC_SPARE 8     /* doubles that may be written past the marks */
#define ILC_WORDS (ILC_CHUNK / 64)

/* Where a chunk's answers would change a position: for each side held (-1, 0, 1) one bit a bar, and a word past
   the end, so that any 64 bars are one shift away. */
typedef struct { uint64_t turns[3][ILC_WORDS + 1]; } ilc_turns;

/* One bit for each of 64 answers that is `one`. */
static inline uint64_t ilc_equal(const signed char *want, signed char one)
{
    uint64_t equal = 0;
#if defined(__SSE2__)
    for (int i = 0; i < 64; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(want + i));
        equal |= (uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(one))) << i;
    }
#else
    for (int i = 0; i < 64; i++)
        equal |= (uint64_t)(want[i] == one) << i;
#endif
    return equal;
}

/* `want` has room for a whole chunk; what lies past its end gives bits that nobody asks for. */
static inline void ilc_turn(const signed char *want, signed char keep, ilc_turns *x)
{
    for (int word = 0; word < ILC_WORDS; word++) {
        const signed char *w = want + 64 * word;
        const uint64_t asked = ~ilc_equal(w, keep), up = ilc_equal(w, 1), down = ilc_equal(w, -1);
        x->turns[0][word] = asked & ~down, x->turns[1][word] = asked & ~ilc_equal(w, 0), x->turns[2][word] = asked & ~up;
    }
    for (int side = 0; side < 3; side++)
        x->turns[side][ILC_WORDS] = 0;
}

/* Set one word from the bars that want long and those that want short. */
static inline void ilc_turn_word(ilc_turns *x, int64_t word, uint64_t up, uint64_t down)
{
    x->turns[0][word] = up, x->turns[1][word] = up | down, x->turns[2][word] = down;
}

/* What a bar wants, told from where each side would turn: two of three turn at any wish. */
static inline int64_t ilc_want(const ilc_turns *x, int64_t i, int64_t keep)
{
    const int64_t word = i >> 6, bit = i & 63;
    const uint64_t is_not_down = x->turns[0][word] >> bit & 1, is_not_up = x->turns[2][word] >> bit & 1;
    return is_not_down | is_not_up ? (int64_t)is_not_down - (int64_t)is_not_up : keep;
}

/* The first bar in [start, end) whose answer would change what is held on `side`, or end. */
static inline int64_t ilc_quiet(const ilc_turns *x, int64_t side, int64_t start, int64_t end)
{
    const uint64_t *turns = x->turns[side + 1];
    for (int64_t i = start; i < end; i += 64) {
        const uint64_t ahead = turns[i >> 6] >> (i & 63) | turns[(i >> 6) + 1] << 1 << (~i & 63);
        if (ahead) {
            i += __builtin_ctzll(ahead);
            return i < end ? i : end;
        }
    }
    return end;
}

/* One bit for each of 64 answers from word `word` on that is not to keep what is held. */
static inline uint64_t ilc_asked(const ilc_turns *x, int64_t word)
{
    return x->turns[0][word] | x->turns[2][word];
}

static inline int ilc_lowest(uint64_t bits)
{
    return __builtin_ctzll(bits);
}

/* How far a chunk's averages have come: all before `at`, and the last of them. */
typedef struct {
    int64_t at;
    double value;
} ilc_front;

/* Turn shares into averages up to bar `until`, by eights, and ask for the same bars of the next chunk: both are
   waits that cost nothing beside the account, and one loop for both is one branch less that cannot be foretold. */
static inline void ilc_advance(ilc_front *front, const ilc_columns *x, int64_t n, int64_t until, double b,
                               double *average)
{
    for (; front->at < until; front->at += 8) {
        const int64_t i = front->at, next = i + ILC_CHUNK;
        __builtin_prefetch(x->ts + next), __builtin_prefetch(x->open + next), __builtin_prefetch(x->high + next);
        __builtin_prefetch(x->low + next), __builtin_prefetch(x->close + next), __builtin_prefetch(x->volume + next);
        for (int64_t k = i; k < i + 8 && (i + 8 <= n || k < n); k++)
            average[k] = front->value = average[k] + b * front->value;
    }
}

typedef double ilc_pair __attribute__((vector_size(16), aligned(8)));

/* The marks of `n` bars of an unchanged position: whole eights where the column goes on (`room` bars of it),
   because a loop whose length is as good as random costs more than the marks it saves. */
static inline void ilc_mark(const double *restrict close, int64_t n, int64_t room, double realised, double held,
                            double entry, double entry_fee, double *restrict equity)
{
    int64_t i = 0;
    if (n + ILC_SPARE <= room)
        for (; i < n; i += 8)
            for (int64_t k = i; k < i + 8; k += 2)
                *(ilc_pair *)(equity + k) = realised + (held * (*(const ilc_pair *)(close + k) - entry) - entry_fee);
    for (; i < n; i++)
        equity[i] = realised + (held * (close[i] - entry) - entry_fee);
}

#endif
