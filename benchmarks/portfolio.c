/* The limit: 20 crossing averages, entries ranked for capacity, as one fused loop over time-major columns. */
#include <math.h>
#include <string.h>

#define LANES 64

long portfolio(const double *open, const double *close, long n, int k, double fast, double slow, int capacity,
               double *result)
{
    const double af = 2.0 / (fast + 1.0), as = 2.0 / (slow + 1.0), bf = 1.0 - af, bs = 1.0 - as;
    const double slip = 0.0001, fee = 0.00045;
    double ef[LANES], es[LANES], entry[LANES], quantity[LANES], next[LANES], realised[LANES];
    int side[LANES], want[LANES], leave[LANES];
    long trades = 0, first = (long)slow - 1;
    memset(side, 0, sizeof(side)), memset(want, 0, sizeof(want)), memset(leave, 0, sizeof(leave));
    memset(realised, 0, sizeof(realised));
    for (long t = 0; t < n; t++) {
        const double *o = open + t * k, *c = close + t * k;
        int held = 0;
        for (int i = 0; i < k; i++) {
            if (leave[i]) {
                double exit = o[i] * (1.0 + -side[i] * slip);
                realised[i] += side[i] * quantity[i] * (exit - entry[i]) - entry[i] * quantity[i] * fee
                    - exit * quantity[i] * fee;
                trades++, side[i] = leave[i] = 0;
            }
            if (want[i]) {
                side[i] = want[i], want[i] = 0;
                entry[i] = o[i] * (1.0 + side[i] * slip), quantity[i] = next[i];
            }
            ef[i] = t ? af * c[i] + bf * ef[i] : c[i];
            es[i] = t ? as * c[i] + bs * es[i] : c[i];
            if (side[i] && t >= first && (ef[i] - es[i]) * side[i] < 0.0)
                leave[i] = 1;
            held += side[i] && !leave[i];
        }
        for (int i = 0; t >= first && i < k && held < capacity; i++) {
            int wish = ef[i] > es[i] ? 1 : (ef[i] < es[i] ? -1 : 0);
            if (wish && (!side[i] || leave[i]))
                want[i] = wish, next[i] = floor(10000.0 / c[i] * 1e6) / 1e6, held++;
        }
    }
    *result = 1000000.0;
    for (int i = 0; i < k; i++)
        *result += realised[i] + (side[i] ? side[i] * quantity[i] * (close[(n - 1) * k + i] - entry[i])
            - entry[i] * quantity[i] * fee : 0.0);
    return trades;
}
