/* The limit of L3 replay: an open hash of orders with sizes inside, counters by tick, no queues. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t ts, order;
    int32_t tick, size;
    int8_t action, side, last, pad[5];
} event;

typedef struct {
    int64_t order; /* 0: free */
    int32_t tick, size, side, pad;
} entry;

typedef struct {
    int64_t size;
    int32_t orders, pad;
} level;

enum { BITS = 18, PLACES = 1 << BITS, MASK = PLACES - 1 };

static inline uint32_t home(int64_t order)
{
    return (uint32_t)(((uint64_t)order * 0x9E3779B97F4A7C15ull) >> (64 - BITS));
}

static inline entry *find(entry *table, int64_t order)
{
    uint32_t i = home(order);
    while (table[i].order && table[i].order != order)
        i = (i + 1) & MASK;
    return table + i;
}

static void erase(entry *table, uint32_t hole)
{
    for (uint32_t i = (hole + 1) & MASK; table[i].order; i = (i + 1) & MASK)
        if (((i - home(table[i].order)) & MASK) >= ((i - hole) & MASK)) {
            table[hole] = table[i];
            hole = i;
        }
    table[hole].order = 0;
}

/* actions: 1 add, 2 cancel, 3 modify, 4 trade, 5 fill, 6 clear; records of seven numbers */
long l3(const event *events, long n, int32_t top, int64_t *records, int64_t *live)
{
    entry *table = calloc(PLACES, sizeof *table);
    level *levels[2] = {calloc(top + 2, sizeof(level)), calloc(top + 2, sizeof(level))};
    int32_t best[2] = {-1, top + 1};
    int64_t seen[6] = {-1};
    long count = 0, orders = 0;

#define JOIN(s, t, q)                                                     \
    do {                                                                  \
        level *v = &levels[s][t];                                         \
        v->size += (q);                                                   \
        if (v->orders++ == 0 && ((s) ? (t) < best[1] : (t) > best[0]))    \
            best[s] = (t);                                                \
    } while (0)
#define REDUCE(s, t, q, gone)                                             \
    do {                                                                  \
        level *v = &levels[s][t];                                         \
        v->size -= (q);                                                   \
        if ((gone) && --v->orders == 0 && (t) == best[s]) {               \
            if (s)                                                        \
                while (best[1] <= top && !levels[1][best[1]].orders)      \
                    best[1]++;                                            \
            else                                                          \
                while (best[0] >= 0 && !levels[0][best[0]].orders)        \
                    best[0]--;                                            \
        }                                                                 \
    } while (0)

    for (long i = 0; i < n; i++) {
        const event *e = events + i;
        const int side = e->side < 0;
        entry *o;
        switch (e->action) {
        case 1:
            o = find(table, e->order);
            *o = (entry){e->order, e->tick, e->size, side, 0};
            orders++;
            JOIN(side, e->tick, e->size);
            break;
        case 2:
            o = find(table, e->order);
            if (o->order) {
                const int32_t q = e->size < o->size ? e->size : o->size, s = o->side, t = o->tick;
                o->size -= q;
                REDUCE(s, t, q, o->size == 0);
                if (o->size == 0) {
                    erase(table, (uint32_t)(o - table));
                    orders--;
                }
            }
            break;
        case 3:
            o = find(table, e->order);
            if (o->order) {
                const int32_t s = o->side, t = o->tick, q = o->size;
                REDUCE(s, t, q, 1);
            } else
                orders++;
            *o = (entry){e->order, e->tick, e->size, side, 0};
            JOIN(side, e->tick, e->size);
            break;
        case 6:
            memset(table, 0, PLACES * sizeof *table);
            memset(levels[0], 0, (top + 2) * sizeof(level));
            memset(levels[1], 0, (top + 2) * sizeof(level));
            best[0] = -1;
            best[1] = top + 1;
            orders = 0;
        }
        if (e->last && best[0] >= 0 && best[1] <= top) {
            const level *b = &levels[0][best[0]], *a = &levels[1][best[1]];
            const int64_t now[6] = {best[0], b->size, b->orders, best[1], a->size, a->orders};
            if (memcmp(now, seen, sizeof now)) {
                memcpy(seen, now, sizeof now);
                records[7 * count] = e->ts;
                memcpy(records + 7 * count + 1, now, sizeof now);
                count++;
            }
        }
    }
    *live = orders;
    free(table);
    free(levels[0]);
    free(levels[1]);
    return count;
}
