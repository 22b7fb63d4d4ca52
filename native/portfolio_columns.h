/* Four lanes' indicators over a chunk of bars, for one instruction set; portfolio_lanes.h includes this for each.

   Every expression stands in the order of averages.h, so that the bits are those of il_*_step. */

#define NAME(x) ILP_JOIN(x, ILP_SET)

/* Whether every bar is good (`is_good_bar`) and every close within [low, high]: bit 0 not good, bit 1 outside. */
static inline int NAME(ilp_doubt_)(const double *o, const double *h, const double *l, const double *c, const double *v,
                                   int64_t n, double low, double high)
{
    const ilp_vec zero = {0.0, 0.0, 0.0, 0.0}, top = zero + __builtin_inf(), least = zero + low, most = zero + high;
    ilp_int good = (ilp_int)(zero == zero), inside = good;
    int64_t t = 0, is_good = 1, is_inside = 1;
    for (; t + 4 <= n; t += 4) {
        ilp_vec x = ILP_FOUR(o + t), y = ILP_FOUR(h + t), z = ILP_FOUR(l + t), w = ILP_FOUR(c + t);
        ilp_vec u = ILP_FOUR(v + t);
        good &= (z > zero) & (x > zero) & (w > zero) & (y >= z) & (y < top) & (x < top) & (w < top) & (u >= zero)
            & (u < top);
        inside &= (w >= least) & (w <= most);
    }
    for (int i = 0; i < 4; i++)
        is_good &= good[i], is_inside &= inside[i];
    for (; t < n; t++) {
        is_good &= l[t] > 0.0 && o[t] > 0.0 && c[t] > 0.0 && h[t] >= l[t] && h[t] < __builtin_inf()
            && o[t] < __builtin_inf() && c[t] < __builtin_inf() && v[t] >= 0.0 && v[t] < __builtin_inf();
        is_inside &= c[t] >= low && c[t] <= high;
    }
    return (is_good ? 0 : 1) | (is_inside ? 0 : 2);
}

/* ATR and ADX past their warm-up, bar by bar for four lanes; `atr` and `trend`: four values a bar. */
static inline void NAME(ilp_ranges_)(const ilp_columns *x, ilp_ranges *s, int64_t start, int64_t n, double *atr,
                                     double *trend)
{
    const double *const h0 = x->high[0] + start, *const h1 = x->high[1] + start, *const h2 = x->high[2] + start,
                 *const h3 = x->high[3] + start;
    const double *const l0 = x->low[0] + start, *const l1 = x->low[1] + start, *const l2 = x->low[2] + start,
                 *const l3 = x->low[3] + start;
    const double *const c0 = x->close[0] + start, *const c1 = x->close[1] + start, *const c2 = x->close[2] + start,
                 *const c3 = x->close[3] + start;
    const ilp_vec zero = {0.0, 0.0, 0.0, 0.0}, a = s->atr_a, b = s->atr_b, p = s->period;
    ilp_vec reach = s->atr, adx = s->adx, range = s->range, plus = s->plus, minus = s->minus;
    ilp_vec high = s->high, low = s->low, last = s->close, slope = s->slope, rise = s->plus_di, fall = s->minus_di;
    for (int64_t t = 0; t < n; t++) {
        /* The divisions below leave memory idle: the next chunk comes meanwhile, a line at a time. */
        if (!(t & 7))
            for (int k = 0; k < 4; k++) {
                __builtin_prefetch(x->high[k] + start + n + t), __builtin_prefetch(x->low[k] + start + n + t);
                __builtin_prefetch(x->close[k] + start + n + t), __builtin_prefetch(x->open[k] + start + n + t);
                __builtin_prefetch(x->volume[k] + start + n + t);
            }
        ilp_vec h = {h0[t], h1[t], h2[t], h3[t]}, l = {l0[t], l1[t], l2[t], l3[t]}, c = {c0[t], c1[t], c2[t], c3[t]};
        ilp_vec up = ILP_SIZE(h - last), down = ILP_SIZE(l - last), tr = h - l, total, dx, previous = adx;
        tr = ILP_SELECT(up > tr, up, tr);
        tr = ILP_SELECT(down > tr, down, tr);
        reach = a * tr + b * reach;
        up = h - high, down = low - l;
        range = range - range / p + tr;
        plus = plus - plus / p + ILP_SELECT((up > down) & (up > zero), up, zero);
        minus = minus - minus / p + ILP_SELECT((down > up) & (down > zero), down, zero);
        rise = ILP_SELECT(range > zero, 100.0 * plus / range, zero);
        fall = ILP_SELECT(range > zero, 100.0 * minus / range, zero);
        total = rise + fall;
        dx = ILP_SELECT(total > zero, 100.0 * ILP_SIZE(rise - fall) / total, zero);
        adx = (adx * (p - 1.0) + dx) / p;
        slope = adx - previous;
        high = h, low = l, last = c;
        *(ilp_four *)(atr + 4 * t) = reach, *(ilp_four *)(trend + 4 * t) = adx;
    }
    s->atr = reach, s->adx = adx, s->range = range, s->plus = plus, s->minus = minus;
    s->high = high, s->low = low, s->close = last, s->slope = slope, s->plus_di = rise, s->minus_di = fall;
}

/* Crossing averages of four lanes: what each wants at each bar, and a bit where that is not what it wanted before. */
static inline void NAME(ilp_crosses_)(const ilp_columns *x, ilp_crosses *s, int64_t start, int64_t n, int8_t *want,
                                      uint64_t *changed, int shift)
{
    const double *const c0 = x->close[0] + start, *const c1 = x->close[1] + start, *const c2 = x->close[2] + start,
                 *const c3 = x->close[3] + start;
    const ilp_vec fast_a = s->fast_a, fast_b = s->fast_b, slow_a = s->slow_a, slow_b = s->slow_b;
    ilp_vec fast = s->fast, slow = s->slow;
    ilp_int is_above = fast > slow, is_below = fast < slow;
    uint32_t above, below, word, was_above = NAME(ilp_bits_)(&is_above), was_below = NAME(ilp_bits_)(&is_below);
    for (int64_t t = 0; t < n; t++) {
        ilp_vec c = {c0[t], c1[t], c2[t], c3[t]};
        fast = fast_a * c + fast_b * fast;
        slow = slow_a * c + slow_b * slow;
        is_above = fast > slow, is_below = fast < slow;
        above = NAME(ilp_bits_)(&is_above), below = NAME(ilp_bits_)(&is_below);
        changed[t] |= (uint64_t)((above ^ was_above) | (below ^ was_below)) << shift;
        /* Bit k to byte k by one product; then 1 above, -1 below, 2 (keep) between, no byte carrying into the next. */
        word = 0x02020202u - (above * 0x00204081u & 0x01010101u) + (below * 0x00204081u & 0x01010101u) * 0xfdu;
        for (int k = 0; k < 4; k++)
            want[4 * t + k] = (int8_t)(word >> 8 * k);
        was_above = above, was_below = below;
    }
    s->fast = fast, s->slow = slow;
}

#undef NAME
