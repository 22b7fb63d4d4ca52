/* The limit: 20 crossing averages, entries ranked for capacity, as one fused loop over time-major columns. */
#include <math.h>
#include <string.h>

#define LANES 64
#define PERIOD 14

/* Wilder's ADX: plain sums over the first bars, then smoothed. */
struct adx { double value, range, plus, minus, total, high, low, close; long count; };

static double smoothed(double sum, double x, long count)
{
    return count <= PERIOD ? sum + x : sum - sum / PERIOD + x;
}

static double larger(double x, double y)
{
    return x > y ? x : y;
}

static void move(struct adx *s, double high, double low, double close)
{
    double up = high - s->high, down = s->low - low;
    if (s->count) {
        double range = larger(high - low, larger(fabs(high - s->close), fabs(low - s->close)));
        s->range = smoothed(s->range, range, s->count);
        s->plus = smoothed(s->plus, up > down && up > 0.0 ? up : 0.0, s->count);
        s->minus = smoothed(s->minus, down > up && down > 0.0 ? down : 0.0, s->count);
    }
    if (s->count >= PERIOD) {
        double rise = s->range > 0.0 ? 100.0 * s->plus / s->range : 0.0;
        double fall = s->range > 0.0 ? 100.0 * s->minus / s->range : 0.0;
        double dx = rise + fall > 0.0 ? 100.0 * fabs(rise - fall) / (rise + fall) : 0.0;
        if (s->count < 2 * PERIOD - 1)
            s->total += dx;
        else if (s->count == 2 * PERIOD - 1)
            s->value = (s->total + dx) / PERIOD;
        else
            s->value = (s->value * (PERIOD - 1.0) + dx) / PERIOD;
    }
    s->high = high, s->low = low, s->close = close, s->count++;
}

/* `high` and `low` NULL: candidates by symbol, no ADX; else by 200 + ADX, ties by symbol. */
static inline __attribute__((always_inline)) long run(
    const double *open, const double *high, const double *low, const double *close, long n, int k, double fast,
    double slow, int capacity, double *result)
{
    const double af = 2.0 / (fast + 1.0), as = 2.0 / (slow + 1.0), bf = 1.0 - af, bs = 1.0 - as;
    const double slip = 0.0001, fee = 0.00045;
    double ef[LANES], es[LANES], entry[LANES], quantity[LANES], next[LANES], realised[LANES];
    int side[LANES], want[LANES], leave[LANES], wish[LANES];
    struct adx trend[LANES];
    long trades = 0, first = (long)slow - 1;
    memset(side, 0, sizeof(side)), memset(want, 0, sizeof(want)), memset(leave, 0, sizeof(leave));
    memset(realised, 0, sizeof(realised)), memset(trend, 0, sizeof(trend));
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
            if (high)
                move(trend + i, high[t * k + i], low[t * k + i], c[i]);
        }
        if (t < first || held >= capacity)
            continue;
        for (int i = 0; i < k; i++)
            wish[i] = side[i] && !leave[i] ? 0 : (ef[i] > es[i]) - (ef[i] < es[i]);
        for (int i = 0; i < k && held < capacity; i++) {
            int best = high ? -1 : i;
            for (int j = 0; high && j < k; j++)
                if (wish[j] && (best < 0 || 200.0 + trend[j].value > 200.0 + trend[best].value))
                    best = j;
            if (best < 0)
                break;
            if (wish[best])
                want[best] = wish[best], next[best] = floor(10000.0 / c[best] * 1e6) / 1e6, held++;
            wish[best] = 0;
        }
    }
    *result = 1000000.0;
    for (int i = 0; i < k; i++)
        *result += realised[i] + (side[i] ? side[i] * quantity[i] * (close[(n - 1) * k + i] - entry[i])
            - entry[i] * quantity[i] * fee : 0.0);
    return trades;
}

long portfolio(const double *open, const double *close, long n, int k, double fast, double slow, int capacity,
               double *result)
{
    return run(open, 0, 0, close, n, k, fast, slow, capacity, result);
}

long ranked(const double *open, const double *high, const double *low, const double *close, long n, int k, double fast,
            double slow, int capacity, double *result)
{
    return run(open, high, low, close, n, k, fast, slow, capacity, result);
}
