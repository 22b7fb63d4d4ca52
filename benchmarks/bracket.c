/* The limit: the oracle's bracket rules as one fused loop, no records, no marks, no checks. */
#include <math.h>

long bracket(
    const double *open, const double *high, const double *low, const double *close, long n, double fast, double slow,
    double *result)
{
    const double af = 2.0 / (fast + 1.0), as = 2.0 / (slow + 1.0), bf = 1.0 - af, bs = 1.0 - as;
    const double aa = 1.0 / 14.0, ba = 1.0 - aa, slip = 0.0001, fee = 0.00045;
    double ef = close[0], es = close[0], atr = high[0] - low[0], entry = 0.0, quantity = 0.0, realised = 0.0;
    double stop = 0.0, target = 0.0, trail = 0.0, next = 0.0, next_close = 0.0, next_atr = 0.0;
    long trades = 0, first = (long)slow;
    int side = 0, want = 0;
    for (long t = 0; t < n; t++) {
        double leave = 0.0;
        if (want) {
            if (side) {
                double exit = open[t] * (1.0 + -side * slip);
                realised += side * quantity * (exit - entry) - entry * quantity * fee - exit * quantity * fee;
                trades++;
            }
            side = want;
            entry = open[t] * (1.0 + side * slip);
            quantity = next;
            stop = next_close - side * 2.0 * next_atr;
            target = next_close + side * 3.0 * next_atr;
            trail = 2.0 * next_atr;
            want = 0;
        }
        if (side > 0) {
            if (low[t] <= stop)
                leave = open[t] < stop ? open[t] : stop;
            else if (high[t] >= target)
                leave = open[t] > target ? open[t] : target;
            else if (high[t] - trail > stop)
                stop = high[t] - trail;
        } else if (side < 0) {
            if (high[t] >= stop)
                leave = open[t] > stop ? open[t] : stop;
            else if (low[t] <= target)
                leave = open[t] < target ? open[t] : target;
            else if (low[t] + trail < stop)
                stop = low[t] + trail;
        }
        if (leave > 0.0) {
            double exit = leave * (1.0 + -side * slip);
            realised += side * quantity * (exit - entry) - entry * quantity * fee - exit * quantity * fee;
            trades++;
            side = 0;
        }
        if (t) {
            double range = high[t] - low[t], up = fabs(high[t] - close[t - 1]), down = fabs(low[t] - close[t - 1]);
            double was_fast = ef, was_slow = es;
            range = up > range ? up : range;
            range = down > range ? down : range;
            atr = aa * range + ba * atr;
            ef = af * close[t] + bf * ef;
            es = as * close[t] + bs * es;
            if (t >= first) {
                int wish = ef > es && was_fast <= was_slow ? 1 : (ef < es && was_fast >= was_slow ? -1 : 0);
                if (wish && wish != side) {
                    want = wish;
                    next = floor(10000.0 / close[t] * 1e6) / 1e6;
                    next_close = close[t];
                    next_atr = atr;
                }
            }
        }
    }
    if (side)
        realised += side * quantity * (close[n - 1] - entry) - entry * quantity * fee;
    *result = 1000000.0 + realised;
    return trades;
}
