/* Many parameter sets over one pass of the bars: what one cell adds up, and the flip family's lanes.

   A cell is one combination's result without its records. Both ways of filling it, the lanes below and the
   drained kernel of sweep.pyx, call the same inline functions, so that their bits agree. No FMA contraction
   (setup.py), one order of additions. */
#ifndef INTERLOCK_SWEEP_LANES_H
#define INTERLOCK_SWEEP_LANES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ILK_BLOCK 512           /* bars a block: one column of it is 4 KB, all columns stay in the second cache */
#define ILK_GROUP 16             /* combinations marked together */
#define ILK_MARKED 128          /* marks added up together */
#define ILK_FRACTION_BITS 74    /* of the exact sum: every double from 2.4e-7 to 3e10 fits without loss */

/* Mirrors CELL_DTYPE: 8-byte fields only. */
typedef struct {
    int64_t bars, trades, wins, side, is_inexact;
    double fees, gross_profit, gross_loss, final_equity;
    double return_sum, return_squares, low, low_peak;
    uint64_t digest;
} ilk_cell;

/* ---- the exact sum: fixed point in 128 bits, rounded once, therefore equal to fsum ---- */

typedef struct { __int128 total; int64_t is_inexact; } ilk_exact;

static inline uint64_t ilk_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline void ilk_add(ilk_exact *sum, double x)
{
    uint64_t bits = ilk_bits(x);
    int exponent = (int)(bits >> 52 & 0x7ff);
    int64_t digits = (int64_t)(bits & 0xfffffffffffffULL) | (exponent ? 1LL << 52 : 0);
    int shift = exponent - 1075 + ILK_FRACTION_BITS;
    __int128 term;
    if (!digits)
        return;
    if (shift >= 0) {
        if (shift > 56) {
            sum->is_inexact = 1;
            return;
        }
        term = (__int128)digits << shift;
    } else {
        if (shift < -52 || digits & ((1LL << -shift) - 1)) {
            sum->is_inexact = 1;
            return;
        }
        term = digits >> -shift;
    }
    if (__builtin_add_overflow(sum->total, bits >> 63 ? -term : term, &sum->total))
        sum->is_inexact = 1;
}

static inline double ilk_sum(const ilk_exact *sum)
{
    return (double)sum->total * 0x1p-74;
}

/* ---- what both paths add up ---- */

static inline uint64_t ilk_mixed(uint64_t digest, int64_t entry_bar, int64_t exit_bar, double held, double result)
{
    uint64_t word = (uint64_t)entry_bar * 0x9e3779b97f4a7c15ULL + (uint64_t)exit_bar * 0xc2b2ae3d27d4eb4fULL
        + ilk_bits(held) * 0x165667b19e3779f9ULL + ilk_bits(result) * 0xd6e8feb86659fd93ULL;
    digest = (digest ^ word) * 0xff51afd7ed558ccdULL;
    return digest ^ digest >> 32;
}

/* A trade has closed; `held` is its quantity with the side's sign. */
static inline void ilk_trade(ilk_cell *cell, ilk_exact *sum, int64_t entry_bar, int64_t exit_bar, double held,
                             double pnl)
{
    cell->trades++;
    cell->wins += pnl > 0.0;
    cell->gross_profit += pnl > 0.0 ? pnl : 0.0;
    cell->gross_loss += pnl < 0.0 ? pnl : 0.0;
    cell->digest = ilk_mixed(cell->digest, entry_bar, exit_bar, held, pnl);
    ilk_add(sum, pnl);
}

/* The equity of `count` bars, `cash` and the result of each. The drawdown is kept as its two ends: comparing
   products needs no division. Returns are divided out before they are added, for divisions do not wait for sums. */
static inline void ilk_mark_all(ilk_cell *cell, double *previous, double *peak, double cash, const double *results,
                                int64_t count)
{
    double equity[ILK_MARKED + 1], change[ILK_MARKED];
    double sum = cell->return_sum, squares = cell->return_squares, top = *peak;
    double low = cell->low, low_peak = cell->low_peak;
    equity[0] = *previous;
    for (int64_t from = 0; from < count; from += ILK_MARKED) {
        const int64_t turn = count - from < ILK_MARKED ? count - from : ILK_MARKED;
        for (int64_t i = 0; i < turn; i++)
            equity[i + 1] = cash + results[from + i];
        for (int64_t i = 0; i < turn; i++)
            change[i] = equity[i + 1] / equity[i] - 1.0;
        for (int64_t i = 0; i < turn; i++) {
            const double now = equity[i + 1];
            sum += change[i];
            squares += change[i] * change[i];
            top = now > top ? now : top;
            if (now * low_peak < low * top)
                low = now, low_peak = top;
        }
        equity[0] = equity[turn];
    }
    *previous = equity[0], *peak = top;
    cell->return_sum = sum, cell->return_squares = squares, cell->low = low, cell->low_peak = low_peak;
}

/* All bars are done; `open_result` is what the open position is worth, 0 when flat. */
static inline void ilk_finish(ilk_cell *cell, ilk_exact *sum, double cash, int64_t bars, int64_t side,
                              int64_t entry_bar, double held, double open_result)
{
    cell->bars = bars;
    cell->side = side;
    if (side) {
        cell->digest = ilk_mixed(cell->digest, entry_bar, -1, held, open_result);
        ilk_add(sum, open_result);
    }
    cell->is_inexact = sum->is_inexact;
    cell->final_equity = cash + ilk_sum(sum);
}

/* ---- the flip family ---- */

typedef struct {
    int64_t bars;
    const double *close, *buy, *sell, *quantity;    /* per bar: close, what a buy or sell at the open pays, size decided */
    double fee, cash;
    int64_t periods;
    const double *a, *b;                            /* per period, padded to a multiple of 8 */
    int64_t combos;
    const int64_t *fast, *slow, *first_bar;         /* per combination: period numbers, first bar it speaks at */
    int64_t has_marks;
    ilk_cell *cells;
} ilk_flips;

typedef struct {
    int64_t side, entry_bar;
    double entry, entry_fee, quantity, realised;
    ilk_exact sum;
} ilk_position;

/* A fill that changes how a lane is marked from `bar` of the block on. */
typedef struct { double realised, held, entry, entry_fee; int32_t lane, next; } ilk_event;

/* How each lane of a group is marked, and what the marks add up to. */
typedef struct {
    double realised[ILK_GROUP], held[ILK_GROUP], entry[ILK_GROUP], entry_fee[ILK_GROUP];
    double previous[ILK_GROUP], peak[ILK_GROUP], low[ILK_GROUP], low_peak[ILK_GROUP];
    double sum[ILK_GROUP], squares[ILK_GROUP];
} __attribute__((aligned(64))) ilk_marks;

typedef struct {
    ilk_event *events;
    int32_t count;
    int32_t head[ILK_BLOCK];
    uint64_t has_event[ILK_BLOCK / 64];
} ilk_agenda;

/* Decided at the close of `bar`, filled at the next open: close what is held, open the other way. */
static inline void ilk_flip(const ilk_flips *job, ilk_cell *cell, ilk_position *p, int64_t bar, int64_t want)
{
    double price = want > 0 ? job->buy[bar + 1] : job->sell[bar + 1];
    if (p->side) {
        double exit_fee = price * p->quantity * job->fee;
        double held = (double)p->side * p->quantity;
        double pnl = held * (price - p->entry) - p->entry_fee - exit_fee;
        cell->fees += exit_fee;
        ilk_trade(cell, &p->sum, p->entry_bar, bar + 1, held, pnl);
        p->realised += pnl;
    }
    p->side = want;
    p->quantity = job->quantity[bar];
    p->entry = price;
    p->entry_fee = price * p->quantity * job->fee;
    p->entry_bar = bar + 1;
    cell->fees += p->entry_fee;
}

static inline void ilk_note(ilk_agenda *agenda, const ilk_position *p, int32_t lane, int64_t at)
{
    ilk_event *event = agenda->events + agenda->count;
    int has_one = agenda->has_event[at >> 6] >> (at & 63) & 1;
    event->realised = p->realised;
    event->held = (double)p->side * p->quantity;
    event->entry = p->entry;
    event->entry_fee = p->entry_fee;
    event->lane = lane;
    event->next = has_one ? agenda->head[at] : -1;
    agenda->head[at] = agenda->count++;
    agenda->has_event[at >> 6] |= 1ULL << (at & 63);
}

#define ILK_JOIN_(a, b) a##b
#define ILK_JOIN(a, b) ILK_JOIN_(a, b)

#if defined(__x86_64__)

/* Each turn of 64 bars: one bit for fast above slow, one for below. */
static inline __attribute__((target("avx512f,avx512dq"))) void ilk_signs_512(const double *f, const double *g,
                                                                             uint64_t *above, uint64_t *below)
{
    uint64_t up = 0, down = 0;
    for (int i = 0; i < 64; i += 8) {
        __m512d x = _mm512_load_pd(f + i), y = _mm512_load_pd(g + i);
        up |= (uint64_t)_mm512_cmp_pd_mask(x, y, _CMP_GT_OQ) << i;
        down |= (uint64_t)_mm512_cmp_pd_mask(x, y, _CMP_LT_OQ) << i;
    }
    *above = up, *below = down;
}

static inline __attribute__((target("avx2"))) void ilk_signs_256(const double *f, const double *g, uint64_t *above,
                                                                 uint64_t *below)
{
    uint64_t up = 0, down = 0;
    for (int i = 0; i < 64; i += 4) {
        __m256d x = _mm256_load_pd(f + i), y = _mm256_load_pd(g + i);
        up |= (uint64_t)_mm256_movemask_pd(_mm256_cmp_pd(x, y, _CMP_GT_OQ)) << i;
        down |= (uint64_t)_mm256_movemask_pd(_mm256_cmp_pd(x, y, _CMP_LT_OQ)) << i;
    }
    *above = up, *below = down;
}

static inline void ilk_signs_128(const double *f, const double *g, uint64_t *above, uint64_t *below)
{
    uint64_t up = 0, down = 0;
    for (int i = 0; i < 64; i += 2) {
        __m128d x = _mm_load_pd(f + i), y = _mm_load_pd(g + i);
        up |= (uint64_t)_mm_movemask_pd(_mm_cmpgt_pd(x, y)) << i;
        down |= (uint64_t)_mm_movemask_pd(_mm_cmplt_pd(x, y)) << i;
    }
    *above = up, *below = down;
}

#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,bmi,bmi2")
#define ILK_LANES 8
#define ILK_WIDTH 512
#include "sweep_flip.h"
#undef ILK_LANES
#undef ILK_WIDTH
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2")
#define ILK_LANES 4
#define ILK_WIDTH 256
#include "sweep_flip.h"
#undef ILK_LANES
#undef ILK_WIDTH
#pragma GCC pop_options

#else

static inline void ilk_signs_128(const double *f, const double *g, uint64_t *above, uint64_t *below)
{
    uint64_t up = 0, down = 0;
    for (int i = 0; i < 64; i++) {
        up |= (uint64_t)(f[i] > g[i]) << i;
        down |= (uint64_t)(f[i] < g[i]) << i;
    }
    *above = up, *below = down;
}

#endif

#define ILK_LANES 2
#define ILK_WIDTH 128
#include "sweep_flip.h"
#undef ILK_LANES
#undef ILK_WIDTH

/* The widest lanes this processor has, in bits. */
static inline int ilk_width(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2"))
        return 512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return 256;
#endif
    return 128;
}

#if defined(__x86_64__)
#define ILK_CALL(width, name, ...)                                                                             \
    ((width) == 512 ? name##512(__VA_ARGS__) : (width) == 256 ? name##256(__VA_ARGS__) : name##128(__VA_ARGS__))
#else
#define ILK_CALL(width, name, ...) ((void)(width), name##128(__VA_ARGS__))
#endif

/* Fill the cells with lanes of `width` bits; return 0, or -1 when there is no memory. */
static inline int ilk_sweep_flips(int width, const ilk_flips *job)
{
    return ILK_CALL(width, ilk_flips_, job);
}

/* Move every average over `count` bars from `start`: the columns lie ILK_BLOCK apart. */
static inline void ilk_averages(int width, const ilk_flips *job, int64_t start, int64_t count, double *state,
                                double *columns)
{
    ILK_CALL(width, ilk_averages_, job, start, count, state, columns);
}

static inline void ilk_compare(int width, const double *f, const double *g, uint64_t *above, uint64_t *below)
{
    ILK_CALL(width, ilk_compare_, f, g, above, below);
}

static inline void ilk_mark_cells(int width, const double *const *results, int64_t count, const double *cash,
                                  ilk_marks *marks)
{
    ILK_CALL(width, ilk_mark_cells_, results, count, cash, marks);
}

#endif
