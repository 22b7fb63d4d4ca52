/* The limit of L2 replay: two int32 arrays indexed by tick, no window, no bitmap, no checks. */
#include <stdint.h>

typedef struct {
    int64_t ts;
    int32_t tick, lot;
    int8_t kind, side, last, pad[5];
} event;

/* kinds: 1 and 4 set a level, 2 trade, 3 clear a side from its best through the tick */
long l2(const event *events, long n, int32_t top, int32_t *bids, int32_t *asks, int64_t *best, int64_t *traded)
{
    int32_t bid = -1, ask = top + 1, seen_bid = -1, seen_ask = top + 1;
    int64_t volume = 0;
    long records = 0;
    for (long i = 0; i < n; i++) {
        const event *e = events + i;
        const int32_t tick = e->tick, lot = e->lot;
        switch (e->kind) {
        case 1:
        case 4:
            if (e->side > 0) {
                bids[tick] = lot;
                if (lot) {
                    if (tick > bid)
                        bid = tick;
                } else if (tick == bid)
                    while (bid >= 0 && bids[bid] == 0)
                        bid--;
            } else {
                asks[tick] = lot;
                if (lot) {
                    if (tick < ask)
                        ask = tick;
                } else if (tick == ask)
                    while (ask <= top && asks[ask] == 0)
                        ask++;
            }
            break;
        case 2:
            volume += lot;
            break;
        case 3:
            if (e->side > 0) {
                for (; bid >= tick; bid--)
                    bids[bid] = 0;
                while (bid >= 0 && bids[bid] == 0)
                    bid--;
            } else {
                for (; ask <= tick; ask++)
                    asks[ask] = 0;
                while (ask <= top && asks[ask] == 0)
                    ask++;
            }
        }
        if (e->last && (bid != seen_bid || ask != seen_ask) && bid >= 0 && ask <= top) {
            best[3 * records] = e->ts;
            best[3 * records + 1] = bid;
            best[3 * records + 2] = ask;
            records++;
            seen_bid = bid;
            seen_ask = ask;
        }
    }
    *traded = volume;
    return records;
}
