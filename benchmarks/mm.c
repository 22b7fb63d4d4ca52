/* The limit of quoting with latency and queue position: two books as int32 arrays, conservative queue.
 * The rules are those of native/quoting.pyx with its defaults; one order a side, so two slots are enough. */
#include <stdint.h>

typedef struct {
    int64_t ts;
    int32_t tick, lot;
    int8_t kind, side, pad[6];
} event;

typedef struct {
    int32_t *bids, *asks, top;
    int64_t bid, ask;
} book;

typedef struct {
    int64_t ts, order, tick;
    int kind, side;
} message;

typedef struct {
    message ring[16];
    unsigned head, tail;
} wire;

typedef struct {
    int64_t order, tick;
    int state, waiting;
} known;

typedef struct {
    int64_t order, tick, ahead;
    int on;
} resting;

enum { NEW, CANCEL, EXPIRED, CANCELLED, REJECTED, FILLED };
enum { FREE, PENDING, LIVE, ENDED };

#define NONE (1LL << 62)
static const int64_t MS = 1000000;

static int64_t below(const book *b, int64_t tick)
{
    while (tick >= 0 && !b->bids[tick])
        tick--;
    return tick < 0 ? -NONE : tick;
}

static int64_t above(const book *b, int64_t tick)
{
    while (tick <= b->top && !b->asks[tick])
        tick++;
    return tick > b->top ? NONE : tick;
}

static inline void move(book *b, const event *e)
{
    const int32_t tick = e->tick, lot = e->lot;
    if (e->kind == 1 || e->kind == 4) {
        if (e->side > 0) {
            b->bids[tick] = lot;
            if (lot) {
                if (tick > b->bid) {
                    b->bid = tick;
                    if (b->bid >= b->ask)
                        b->ask = above(b, b->bid + 1);
                }
            } else if (tick == b->bid)
                b->bid = below(b, tick - 1);
        } else {
            b->asks[tick] = lot;
            if (lot) {
                if (tick < b->ask) {
                    b->ask = tick;
                    if (b->bid >= b->ask)
                        b->bid = below(b, b->ask - 1);
                }
            } else if (tick == b->ask)
                b->ask = above(b, tick + 1);
        }
    } else if (e->kind == 3) {
        if (e->side > 0) {
            for (int64_t t = tick; t <= b->bid; t++)
                b->bids[t] = 0;
            b->bid = below(b, tick - 1);
        } else {
            for (int64_t t = b->ask; t <= tick; t++)
                b->asks[t] = 0;
            b->ask = above(b, tick + 1);
        }
    }
}

static inline void push(wire *w, message m)
{
    if (w->head != w->tail && w->ring[(w->tail - 1) % 16].ts > m.ts)
        m.ts = w->ring[(w->tail - 1) % 16].ts;
    w->ring[w->tail++ % 16] = m;
}

/* fills: rows of time, tick, side; counts: steps, submits, cancels, position; money: balance, fees */
long mm(const event *local, long locals, const event *exchange, long exchanges, int32_t top, int32_t *levels,
        int64_t *fills, int64_t *counts, double *money)
{
    const long width = (long)top + 2;
    book seen = {levels, levels + width, top, -NONE, NONE}, real = {levels + 2 * width, levels + 3 * width, top, -NONE, NONE};
    wire requests = {0}, answers = {0};
    known ours[2] = {{0}};
    resting own[2] = {{0}};
    long l = 0, x = 0, filled = 0;
    int64_t steps = 0, submits = 0, cancels = 0, orders = 0, position = 0;
    int64_t now = local[0].ts < exchange[0].ts ? local[0].ts : exchange[0].ts;
    double balance = 0, fees = 0;

#define FILL(s, when)                                                                     \
    do {                                                                                  \
        fills[3 * filled] = (when);                                                       \
        fills[3 * filled + 1] = own[s].tick;                                              \
        fills[3 * filled + 2] = (s) ? -1 : 1;                                             \
        filled++;                                                                         \
        own[s].on = 0;                                                                    \
        push(&answers, (message){(when) + MS, own[s].order, own[s].tick, FILLED, s});     \
    } while (0)

    for (;;) {
        const int64_t target = now + 100 * MS;
        int ended = 0;
        for (;;) {
            const int64_t tl = l < locals ? local[l].ts : NONE, tx = x < exchanges ? exchange[x].ts : NONE;
            const int64_t ta = answers.head != answers.tail ? answers.ring[answers.head % 16].ts : NONE;
            const int64_t tr = requests.head != requests.tail ? requests.ring[requests.head % 16].ts : NONE;
            int64_t next = tl < ta ? tl : ta;
            if (tx < next)
                next = tx;
            if (tr < next)
                next = tr;
            if (next == NONE) {
                ended = 1;
                break;
            }
            if (next > target)
                break;
            if (tl == next)
                move(&seen, &local[l++]);
            else if (ta == next) {
                const message *m = &answers.ring[answers.head++ % 16];
                known *o = &ours[m->side];
                if (m->kind == FILLED) {
                    const double notional = (double)m->tick * 0.1 * (10.0 * 0.001);
                    position += m->side ? -10 : 10;
                    balance -= m->side ? -notional : notional;
                    fees += notional * 2e-4;
                }
                if (o->order == m->order) {
                    o->waiting = 0;
                    o->state = m->kind == NEW ? LIVE : m->kind == REJECTED ? o->state : ENDED;
                }
            } else if (tx == next) {
                const event *e = &exchange[x++];
                if (!own[0].on && !own[1].on)
                    move(&real, e);
                else if (e->kind == 2) {
                    const int s = e->side > 0; /* buyers meet our sell */
                    if (own[s].on && (s ? own[s].tick < e->tick : own[s].tick > e->tick))
                        FILL(s, e->ts);
                    else if (own[s].on && own[s].tick == e->tick) {
                        own[s].ahead -= e->lot;
                        if (own[s].ahead < 0)
                            FILL(s, e->ts);
                    }
                } else if (e->kind == 3)
                    move(&real, e);
                else {
                    const int s = e->side < 0;
                    const int64_t bid = real.bid, ask = real.ask;
                    move(&real, e);
                    if (own[s].on && own[s].tick == e->tick && own[s].ahead > e->lot)
                        own[s].ahead = e->lot;
                    if (s ? own[0].on && real.ask < ask && own[0].tick >= real.ask
                          : own[1].on && real.bid > bid && own[1].tick <= real.bid)
                        FILL(!s, e->ts);
                }
            } else {
                const message *m = &requests.ring[requests.head++ % 16];
                const int s = m->side;
                int answer = REJECTED;
                if (m->kind == NEW) {
                    answer = EXPIRED;
                    if (s ? m->tick > real.bid : m->tick < real.ask) {
                        own[s] = (resting){m->order, m->tick, (s ? real.asks : real.bids)[m->tick], 1};
                        answer = NEW;
                    }
                } else if (own[s].on && own[s].order == m->order) {
                    own[s].on = 0;
                    answer = CANCELLED;
                }
                push(&answers, (message){next + MS, m->order, m->tick, answer, s});
            }
        }
        if (ended)
            break;
        now = target;
        steps++;
        for (int s = 0; s < 2; s++)
            if (ours[s].state == ENDED)
                ours[s].state = FREE;
        if (seen.bid == -NONE || seen.ask == NONE || (l == locals && x == exchanges))
            continue;
        const int64_t units = position / 10, twice = seen.bid + seen.ask;
        int64_t want[2] = {(twice - 10 - 2 * units) >> 1, -((-(twice + 10 - 2 * units)) >> 1)};
        const int may[2] = {units < 10, units > -10}, had[2] = {ours[0].state != FREE, ours[1].state != FREE};
        want[0] = want[0] < seen.bid ? want[0] : seen.bid;
        want[1] = want[1] > seen.ask ? want[1] : seen.ask;
        for (int s = 0; s < 2; s++)
            if (ours[s].state == LIVE && !ours[s].waiting && (!may[s] || ours[s].tick != want[s])) {
                ours[s].waiting = 1;
                cancels++;
                push(&requests, (message){now + MS, ours[s].order, ours[s].tick, CANCEL, s});
            }
        for (int s = 0; s < 2; s++)
            if (!had[s] && may[s]) {
                ours[s] = (known){++orders, want[s], PENDING, 1};
                submits++;
                push(&requests, (message){now + MS, orders, want[s], NEW, s});
            }
    }
    counts[0] = steps;
    counts[1] = submits;
    counts[2] = cancels;
    counts[3] = position;
    money[0] = balance;
    money[1] = fees;
    return filled;
}
