/* What cells of any strategy share in a chunk, for one width of lanes; sweep_flip.h includes this for each. */

/* Add up the equity of `count` bars for a group of cells, lanes over cells: the sums of ilk_mark_all in its order.
   `results`: a row of bars for each cell, with room for whole vectors. */
static void NAME(ilk_mark_cells_)(const double *const *results, int64_t count, const double *cash, ilk_marks *marks)
{
    VEC previous[VECTORS], peak[VECTORS], low[VECTORS], low_peak[VECTORS], sum[VECTORS], squares[VECTORS];
    VEC bars[ILK_LANES][VECTORS], money[VECTORS];
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) {
        int64_t i = v * ILK_LANES;
        previous[v] = *(VEC *)(marks->previous + i), peak[v] = *(VEC *)(marks->peak + i);
        low[v] = *(VEC *)(marks->low + i), low_peak[v] = *(VEC *)(marks->low_peak + i);
        sum[v] = *(VEC *)(marks->sum + i), squares[v] = *(VEC *)(marks->squares + i);
        money[v] = *(const VEC *)(cash + i);
    }
    for (int64_t t = 0; t < count; t += ILK_LANES) {
        const int64_t turn = count - t < ILK_LANES ? count - t : ILK_LANES;
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; v++) {
            VEC rows[ILK_LANES];
#pragma GCC unroll 8
            for (int i = 0; i < ILK_LANES; i++)
                rows[i] = *(const VEC *)(results[v * ILK_LANES + i] + t);
            NAME(ilk_transpose_)(rows);
#pragma GCC unroll 8
            for (int i = 0; i < ILK_LANES; i++)
                bars[i][v] = rows[i];
        }
        for (int64_t i = 0; i < turn; i++)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++) {
                VEC equity = money[v] + bars[i][v], change = equity / previous[v] - 1.0;
                INT is_high = equity > peak[v], is_deep;
                sum[v] += change;
                squares[v] += change * change;
                peak[v] = SELECT(is_high, equity, peak[v]);
                is_deep = equity * low_peak[v] < low[v] * peak[v];
                low[v] = SELECT(is_deep, equity, low[v]);
                low_peak[v] = SELECT(is_deep, peak[v], low_peak[v]);
                previous[v] = equity;
            }
    }
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) {
        int64_t i = v * ILK_LANES;
        *(VEC *)(marks->previous + i) = previous[v], *(VEC *)(marks->peak + i) = peak[v];
        *(VEC *)(marks->low + i) = low[v], *(VEC *)(marks->low_peak + i) = low_peak[v];
        *(VEC *)(marks->sum + i) = sum[v], *(VEC *)(marks->squares + i) = squares[v];
    }
}

/* One bit a bar of a block: is one column above the other, is it below. */
static void NAME(ilk_compare_)(const double *f, const double *g, uint64_t *above, uint64_t *below)
{
    for (int64_t t = 0; t < ILK_BLOCK; t += 64)
        NAME(ilk_signs_)(f + t, g + t, above + t / 64, below + t / 64);
}
