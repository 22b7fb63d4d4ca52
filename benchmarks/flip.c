/* The limit: the oracle's flip rules as one fused loop, no records, no marks, no checks. */
#include <math.h>

long flip(const double *open, const double *close, long n, double fast, double slow, double *result)
{
    const double af = 2.0 / (fast + 1.0), as = 2.0 / (slow + 1.0), bf = 1.0 - af, bs = 1.0 - as;
    const double slip = 0.0001, fee = 0.00045;
    double ef = close[0], es = close[0], entry = 0.0, quantity = 0.0, realised = 0.0, next = 0.0;
    long trades = 0, first = (long)slow - 1;
    int side = 0, want = 0;
    for (long t = 0; t < n; t++) {
        if (want) {
            if (side) {
                double exit = open[t] * (1.0 + -side * slip);
                realised += side * quantity * (exit - entry) - entry * quantity * fee - exit * quantity * fee;
                trades++;
            }
            side = want;
            entry = open[t] * (1.0 + side * slip);
            quantity = next;
            want = 0;
        }
        if (t) {
            ef = af * close[t] + bf * ef;
            es = as * close[t] + bs * es;
        }
        if (t >= first) {
            int wish = ef > es ? 1 : (ef < es ? -1 : side);
            if (wish != side) {
                want = wish;
                next = floor(10000.0 / close[t] * 1e6) / 1e6;
            }
        }
    }
    if (side)
        realised += side * quantity * (close[n - 1] - entry) - entry * quantity * fee;
    *result = 1000000.0 + realised;
    return trades;
}
