/* The limits of a sweep: the oracle's flip rules over many pairs of averages, trades and final equity only.

   `scalar` runs one fused loop for each pair. `blocked` computes every distinct average once for a block of
   bars, compares 8 bars of two columns at a time and visits the flips only; sums in plain doubles, no other
   statistics, no checks. gcc -O3 -march=native -ffp-contract=off */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLIP 0.0001
#define FEE 0.00045
#define BLOCK 512

typedef double lanes __attribute__((vector_size(64)));
typedef int64_t marks __attribute__((vector_size(64)));
typedef struct { double entry, quantity, realised; long trades, side; } position;

static double size(double close) { return floor(10000.0 / close * 1e6) / 1e6; }

static void flip(position *p, double open, double quantity, long want)
{
    if (p->side) {
        double exit = open * (1.0 + -p->side * SLIP), q = p->quantity;
        p->realised += p->side * q * (exit - p->entry) - p->entry * q * FEE - exit * q * FEE;
        p->trades++;
    }
    p->side = want;
    p->entry = open * (1.0 + want * SLIP);
    p->quantity = quantity;
}

static double equity(const position *p, double close)
{
    return 1000000.0 + p->realised
        + (p->side ? p->side * p->quantity * (close - p->entry) - p->entry * p->quantity * FEE : 0.0);
}

void scalar(const double *open, const double *close, long n, const long *fast, const long *slow, long combos,
            double *result, long *trades)
{
    for (long k = 0; k < combos; k++) {
        double af = 2.0 / (fast[k] + 1.0), as = 2.0 / (slow[k] + 1.0), bf = 1.0 - af, bs = 1.0 - as;
        double ef = close[0], es = close[0], next = 0.0;
        position p = {0};
        long first = slow[k] - 1, want = 0;
        for (long t = 0; t < n; t++) {
            if (__builtin_expect(want != 0, 0)) {
                flip(&p, open[t], next, want);
                want = 0;
            }
            if (t) {
                ef = af * close[t] + bf * ef;
                es = as * close[t] + bs * es;
            }
            if (t >= first) {
                long wish = ef > es ? 1 : (ef < es ? -1 : p.side);
                if (__builtin_expect(wish != p.side, 0)) {
                    want = wish;
                    next = size(close[t]);
                }
            }
        }
        result[k] = equity(&p, close[n - 1]);
        trades[k] = p.trades;
    }
}

static uint64_t signs(const double *f, const double *g)
{
    uint64_t above = 0;
    for (int i = 0; i < 64; i += 8) {
#ifdef __AVX512F__
        above |= (uint64_t)__builtin_ia32_cmppd512_mask(*(lanes *)(f + i), *(lanes *)(g + i), 30, 255, 4) << i;
#else
        marks m = *(lanes *)(f + i) > *(lanes *)(g + i);
        for (int k = 0; k < 8; k++)
            above |= (uint64_t)(m[k] & 1) << (i + k);
#endif
    }
    return above;
}

/* `fast` and `slow` are numbers into `periods`; equal averages count as below (they do not occur here). */
void blocked(const double *open, const double *close, long n, const long *periods, long count, const long *fast,
             const long *slow, long combos, double *result, long *trades)
{
    long padded = (count + 7) & ~7L;
    double *columns = aligned_alloc(64, 8 * padded * BLOCK), *rows = aligned_alloc(64, 8 * padded * 8);
    double *a = aligned_alloc(64, 8 * padded), *b = aligned_alloc(64, 8 * padded), *e = aligned_alloc(64, 8 * padded);
    double *quantity = malloc(8 * n);
    position *positions = calloc(combos, sizeof *positions);
    for (long t = 0; t < n; t++)
        quantity[t] = size(close[t]);
    for (long i = 0; i < padded; i++) {
        a[i] = 2.0 / (periods[i < count ? i : 0] + 1.0);
        b[i] = 1.0 - a[i];
        e[i] = close[0];
    }
    for (long start = 0; start < n; start += BLOCK) {
        long m = n - start < BLOCK ? n - start : BLOCK;
        for (long t = 0; t < m; t += 8) {
            long turn = m - t < 8 ? m - t : 8;
            for (long d = 0; d < turn; d++)
                for (long i = 0; i < padded; i += 8) {
                    if (start + t + d)
                        *(lanes *)(e + i) = *(lanes *)(a + i) * close[start + t + d] + *(lanes *)(b + i) * *(lanes *)(e + i);
                    *(lanes *)(rows + d * padded + i) = *(lanes *)(e + i);
                }
            for (long i = 0; i < count; i++)
                for (long d = 0; d < turn; d++)
                    columns[i * BLOCK + t + d] = rows[d * padded + i];
        }
        for (long k = 0; k < combos; k++) {
            position *p = positions + k;
            long first = periods[slow[k]] - 1 - start, end = n - 1 - start < m ? n - 1 - start : m;
            for (long t = first > 0 ? first & ~63L : 0; t < end; t += 64) {
                uint64_t above = signs(columns + fast[k] * BLOCK + t, columns + slow[k] * BLOCK + t), valid = ~0ULL, w;
                if (first > t)
                    valid = ~0ULL << (first - t);
                if (end - t < 64)
                    valid &= (1ULL << (end - t)) - 1;
                while ((w = (p->side > 0 ? ~above : p->side < 0 ? above : ~0ULL) & valid)) {
                    int bit = __builtin_ctzll(w);
                    long at = start + t + bit;
                    flip(p, open[at + 1], quantity[at], above >> bit & 1 ? 1 : -1);
                    valid &= bit == 63 ? 0 : ~0ULL << (bit + 1);
                }
            }
        }
    }
    for (long k = 0; k < combos; k++) {
        result[k] = equity(positions + k, close[n - 1]);
        trades[k] = positions[k].trades;
    }
    free(columns), free(rows), free(a), free(b), free(e), free(quantity), free(positions);
}
