/* The flip family for one width of lanes; sweep_lanes.h includes this once for each.

   Block by block: every distinct average once (lanes over periods, transposed into columns), then for each
   combination the signs of 64 bars at a time and a visit to the flips only, then, where marks are wanted,
   eight combinations marked together (lanes over combinations), bar by bar in the kernel's order. */

#define VEC ILK_JOIN(ilk_vec, ILK_WIDTH)
#define INT ILK_JOIN(ilk_int, ILK_WIDTH)
#define NAME(x) ILK_JOIN(x, ILK_WIDTH)
#define VECTORS (ILK_GROUP / ILK_LANES)

typedef double VEC __attribute__((vector_size(ILK_WIDTH / 8)));
typedef int64_t INT __attribute__((vector_size(ILK_WIDTH / 8)));

#define SELECT(mask, x, y) ((VEC)(((mask) & (INT)(x)) | (~(mask) & (INT)(y))))

/* Turn ILK_LANES vectors of one bar each into vectors of one period each: swap off-diagonal halves. */
static inline __attribute__((always_inline)) void NAME(ilk_transpose_)(VEC *rows)
{
#if ILK_LANES == 8
    static const INT lo[3] = {{0, 1, 2, 3, 8, 9, 10, 11}, {0, 1, 8, 9, 4, 5, 12, 13}, {0, 8, 2, 10, 4, 12, 6, 14}};
    static const INT hi[3] = {{4, 5, 6, 7, 12, 13, 14, 15}, {2, 3, 10, 11, 6, 7, 14, 15}, {1, 9, 3, 11, 5, 13, 7, 15}};
#elif ILK_LANES == 4
    static const INT lo[2] = {{0, 1, 4, 5}, {0, 4, 2, 6}};
    static const INT hi[2] = {{2, 3, 6, 7}, {1, 5, 3, 7}};
#else
    static const INT lo[1] = {{0, 2}};
    static const INT hi[1] = {{1, 3}};
#endif
    int stage = 0;
#pragma GCC unroll 3
    for (int half = ILK_LANES / 2; half; half /= 2, stage++)
#pragma GCC unroll 8
        for (int i = 0; i < ILK_LANES; i++)
            if (!(i & half)) {
                VEC x = rows[i], y = rows[i + half];
                rows[i] = __builtin_shuffle(x, y, lo[stage]);
                rows[i + half] = __builtin_shuffle(x, y, hi[stage]);
            }
}

/* Move every average over `count` bars from `start` and write the columns, ILK_BLOCK apart. */
static void NAME(ilk_averages_)(const ilk_flips *job, int64_t start, int64_t count, double *state, double *columns)
{
    const double *close = job->close + start;
    for (int64_t p = 0; p < job->periods; p += ILK_LANES) {
        VEC a = *(const VEC *)(job->a + p), b = *(const VEC *)(job->b + p), value = *(VEC *)(state + p);
        for (int64_t t = 0; t < count; t += ILK_LANES) {
            VEC rows[ILK_LANES];
#pragma GCC unroll 8
            for (int i = 0; i < ILK_LANES; i++) {
                double x = close[t + i < count ? t + i : count - 1];
                value = start + t + i ? a * x + b * value : value - value + x;
                rows[i] = value;
            }
            NAME(ilk_transpose_)(rows);
#pragma GCC unroll 8
            for (int i = 0; i < ILK_LANES; i++)
                *(VEC *)(columns + (p + i) * ILK_BLOCK + t) = rows[i];
        }
        *(VEC *)(state + p) = value;    /* past the end only where the last block ends within a vector */
    }
}

/* Visit one combination's flips in a block. */
static inline void NAME(ilk_visit_)(const ilk_flips *job, int64_t combo, int64_t start, int64_t count,
                                    const double *columns, ilk_position *position, ilk_agenda *agenda)
{
    const double *f = columns + job->fast[combo] * ILK_BLOCK, *g = columns + job->slow[combo] * ILK_BLOCK;
    ilk_cell *cell = job->cells + combo;
    int64_t first = job->first_bar[combo] - start;
    int64_t last = job->bars - 1 - start;       /* what the last bar decides never fills */
    int64_t t = first > 0 ? first & ~63LL : 0;
    if (count > last)
        count = last;
    for (; t < count; t += 64) {
        uint64_t above, below, wanted, valid = ~0ULL;
        NAME(ilk_signs_)(f + t, g + t, &above, &below);
        if (first > t)
            valid = ~0ULL << (first - t);
        if (count - t < 64)
            valid &= (1ULL << (count - t)) - 1;
        above &= valid, below &= valid;
        while ((wanted = position->side > 0 ? below : position->side < 0 ? above : above | below)) {
            int bit = __builtin_ctzll(wanted);
            int64_t at = t + bit, passed = bit == 63 ? 0 : ~0ULL << (bit + 1);
            ilk_flip(job, cell, position, start + at, above >> bit & 1 ? 1 : -1);
            above &= passed, below &= passed;
            if (agenda && at + 1 < ILK_BLOCK)
                ilk_note(agenda, position, combo % ILK_GROUP, at + 1);
        }
    }
}

/* Mark eight combinations over a block; fills change how a lane is marked from their bar on. */
static void NAME(ilk_mark_)(const ilk_flips *job, int64_t start, int64_t count, ilk_marks *marks, ilk_agenda *agenda)
{
    VEC realised[VECTORS], held[VECTORS], entry[VECTORS], entry_fee[VECTORS], previous[VECTORS], peak[VECTORS];
    VEC low[VECTORS], low_peak[VECTORS], sum[VECTORS], squares[VECTORS];
    INT lane[VECTORS];
    const double *close = job->close + start;
    int64_t t = 0, until;
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) {
        int64_t i = v * ILK_LANES;
        realised[v] = *(VEC *)(marks->realised + i), held[v] = *(VEC *)(marks->held + i);
        entry[v] = *(VEC *)(marks->entry + i), entry_fee[v] = *(VEC *)(marks->entry_fee + i);
        previous[v] = *(VEC *)(marks->previous + i), peak[v] = *(VEC *)(marks->peak + i);
        low[v] = *(VEC *)(marks->low + i), low_peak[v] = *(VEC *)(marks->low_peak + i);
        sum[v] = *(VEC *)(marks->sum + i), squares[v] = *(VEC *)(marks->squares + i);
        for (int k = 0; k < ILK_LANES; k++)
            lane[v][k] = i + k;
    }
    while (t < count) {
        uint64_t due = agenda->has_event[t >> 6] >> (t & 63);
        if (due & 1) {
            for (int32_t number = agenda->head[t]; number >= 0; number = agenda->events[number].next) {
                const ilk_event *event = agenda->events + number;
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; v++) {
                    INT mask = lane[v] == (int64_t)event->lane;
                    VEC none = {0};
                    realised[v] = SELECT(mask, none + event->realised, realised[v]);
                    held[v] = SELECT(mask, none + event->held, held[v]);
                    entry[v] = SELECT(mask, none + event->entry, entry[v]);
                    entry_fee[v] = SELECT(mask, none + event->entry_fee, entry_fee[v]);
                }
            }
            due &= ~1ULL;
        }
        until = due ? t + __builtin_ctzll(due) : (t | 63) + 1;
        until = until < count ? until : count;
        for (; t < until; t++) {
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++) {
                VEC equity = job->cash + (realised[v] + (held[v] * (close[t] - entry[v]) - entry_fee[v]));
                VEC change = equity / previous[v] - 1.0;
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
    }
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) {
        int64_t i = v * ILK_LANES;
        *(VEC *)(marks->previous + i) = previous[v], *(VEC *)(marks->peak + i) = peak[v];
        *(VEC *)(marks->low + i) = low[v], *(VEC *)(marks->low_peak + i) = low_peak[v];
        *(VEC *)(marks->sum + i) = sum[v], *(VEC *)(marks->squares + i) = squares[v];
    }
}

/* One block of one group: positions as they stand at its first bar, flips, marks. */
static void NAME(ilk_group_)(const ilk_flips *job, int64_t group, int64_t start, int64_t count, const double *columns,
                             ilk_position *positions, ilk_marks *marks, ilk_agenda *agenda)
{
    int64_t from = group * ILK_GROUP, end = from + ILK_GROUP < job->combos ? from + ILK_GROUP : job->combos;
    agenda->count = 0;
    memset(agenda->has_event, 0, sizeof agenda->has_event);
    for (int64_t k = from; k < end; k++) {
        ilk_position *p = positions + k;
        marks[group].realised[k - from] = p->realised;
        marks[group].held[k - from] = (double)p->side * p->quantity;
        marks[group].entry[k - from] = p->entry;
        marks[group].entry_fee[k - from] = p->entry_fee;
        NAME(ilk_visit_)(job, k, start, count, columns, p, agenda);
    }
    NAME(ilk_mark_)(job, start, count, marks + group, agenda);
}

static void NAME(ilk_end_)(const ilk_flips *job, const ilk_position *positions, const ilk_marks *marks)
{
    double last = job->close[job->bars - 1];
    for (int64_t k = 0; k < job->combos; k++) {
        ilk_cell *cell = job->cells + k;
        ilk_position p = positions[k];
        double held = (double)p.side * p.quantity;
        ilk_finish(cell, &p.sum, job->cash, job->bars, p.side, p.entry_bar, held,
                   held * (last - p.entry) - p.entry_fee);
        if (marks) {
            const ilk_marks *m = marks + k / ILK_GROUP;
            cell->return_sum = m->sum[k % ILK_GROUP], cell->return_squares = m->squares[k % ILK_GROUP];
            cell->low = m->low[k % ILK_GROUP], cell->low_peak = m->low_peak[k % ILK_GROUP];
        }
    }
}

static int NAME(ilk_flips_)(const ilk_flips *job)
{
    int64_t padded = (job->periods + 7) & ~7LL, groups = (job->combos + ILK_GROUP - 1) / ILK_GROUP;
    double *columns = aligned_alloc(64, sizeof(double) * padded * ILK_BLOCK);
    double *state = aligned_alloc(64, sizeof(double) * padded);
    ilk_position *positions = calloc(job->combos, sizeof *positions);
    ilk_marks *marks = job->has_marks ? aligned_alloc(64, sizeof(ilk_marks) * groups) : NULL;
    ilk_agenda *agenda = job->has_marks ? malloc(sizeof *agenda) : NULL;
    ilk_event *events = job->has_marks ? malloc(sizeof(ilk_event) * ILK_GROUP * ILK_BLOCK) : NULL;
    int is_short = !columns || !state || !positions || (job->has_marks && (!marks || !agenda || !events));
    if (!is_short) {
        memset(state, 0, sizeof(double) * padded);
        memset(columns, 0, sizeof(double) * padded * ILK_BLOCK);
        for (int64_t g = 0; marks && g < groups; g++) {
            memset(marks + g, 0, sizeof *marks);
            for (int i = 0; i < ILK_GROUP; i++)
                marks[g].previous[i] = marks[g].peak[i] = marks[g].low[i] = marks[g].low_peak[i] = job->cash;
        }
        if (agenda)
            agenda->events = events;
        for (int64_t start = 0; start < job->bars; start += ILK_BLOCK) {
            int64_t count = job->bars - start < ILK_BLOCK ? job->bars - start : ILK_BLOCK;
            NAME(ilk_averages_)(job, start, count, state, columns);
            if (marks)
                for (int64_t g = 0; g < groups; g++)
                    NAME(ilk_group_)(job, g, start, count, columns, positions, marks, agenda);
            else
                for (int64_t k = 0; k < job->combos; k++)
                    NAME(ilk_visit_)(job, k, start, count, columns, positions + k, NULL);
        }
        NAME(ilk_end_)(job, positions, marks);
    }
    free(columns), free(state), free(positions), free(marks), free(agenda), free(events);
    return is_short ? -1 : 0;
}

#include "sweep_cells.h"

#undef VEC
#undef INT
#undef NAME
#undef VECTORS
#undef SELECT
