"""The steps of a quoting simulation: messages on wires, the exchange's side, ours, and the quotes."""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport realloc

from native.book_l2 cimport DepthEvent, OUT_OF_MEMORY, TRADED, apply_slowly, event_fault, is_plain
from native.levels cimport *
from native.queue cimport *

cdef enum:
    RING = 16                   # messages in flight; two orders cannot make more than eight
    NEW = 0
    CANCEL = 1
    EXPIRED = 2
    CANCELLED = 3
    REJECTED = 4
    FILLED = 5

    FREE = 0                    # states of an order as we know it
    PENDING = 1
    LIVE = 2
    ENDED = 3

cdef extern from *:
    """
    #define IL_NEVER (1LL << 62)
    """
    const int64_t NEVER "IL_NEVER"

cdef struct Message:
    int64_t ts
    int64_t order
    int64_t kind
    int64_t tick
    int64_t side                # 0 buys, 1 sells

cdef struct Wire:
    Message ring[RING]
    uint64_t head
    uint64_t tail

cdef struct OurOrder:
    int64_t order
    int64_t tick
    int64_t state
    int64_t is_waiting          # a request of ours is under way

cdef struct Resting:
    int64_t order
    int64_t key
    int64_t is_on
    int64_t joined              # when it joined its queue, and the lots that stood there
    int64_t ahead
    Place place

cdef packed struct Fill:
    int64_t ts_ns
    int64_t tick
    int64_t side
    int64_t joined_ns
    int64_t ahead_lots

cdef struct Simulation:
    Levels seen[2]
    Levels real[2]
    const DepthEvent* local
    const DepthEvent* exchange
    int64_t local_count
    int64_t exchange_count
    int64_t local_at
    int64_t exchange_at
    Wire requests
    Wire answers
    OurOrder ours[2]
    Resting resting[2]
    Fill* fills
    int64_t fill_count
    int64_t fill_room
    int64_t steps
    int64_t submits
    int64_t cancels
    int64_t expired
    int64_t next_order
    int64_t position
    int64_t model
    int64_t order_lots
    int64_t order_latency
    int64_t response_latency
    double power
    double tick_size
    double lot_size
    double fee
    double balance
    double fees
    double last_mid
    int64_t fault               # `DepthFault`, 0 without
    int64_t fault_at            # the event's index in its feed
    int64_t is_fault_at_exchange


cdef inline int64_t next_time(const Wire* w) noexcept nogil:
    return w.ring[w.head % RING].ts if w.head != w.tail else NEVER


cdef inline void send(Wire* w, int64_t ts, int64_t order, int64_t kind, int64_t tick, int64_t side) noexcept nogil:
    """Put a message on a wire; it does not overtake the one before."""
    cdef Message* m = &w.ring[w.tail % RING]
    if w.tail != w.head and w.ring[(w.tail - 1) % RING].ts > ts:
        ts = w.ring[(w.tail - 1) % RING].ts
    m.ts, m.order, m.kind, m.tick, m.side = ts, order, kind, tick, side
    w.tail += 1


cdef inline int set_quote(Levels* sides, const DepthEvent* e) noexcept nogil:
    """Set a level; a new best price passes over what it overtakes on the other side. FAR: do it slowly."""
    cdef Levels* s = sides + (e.side < 0)
    cdef Levels* o = sides + (e.side > 0)
    cdef int64_t key = e.tick * e.side, found
    cdef uint64_t i = <uint64_t>key - <uint64_t>s.base
    if unlikely(i >= s.span):
        return FAR
    level_put(s, i, e.lot)
    if e.lot != 0:
        if key > s.best:
            s.best = key
            if unlikely(key + o.best >= 0):
                found = level_below(o, -key - 1)
                if found == NO_KEY and o.far.count > 0:
                    return FAR
                o.best = found
    elif key == s.best:
        found = level_below(s, key - 1)
        if unlikely(found == NO_KEY) and s.far.count > 0:
            return FAR
        s.best = found
    return DONE


cdef inline int set_slowly(Levels* sides, const DepthEvent* e) noexcept nogil:
    """What `set_quote` left, from the start: both may have happened in part. Returns a fault or 0."""
    cdef Levels* s = sides + (e.side < 0)
    cdef Levels* o = sides + (e.side > 0)
    cdef int64_t key = e.tick * e.side, best = s.best
    cdef uint64_t i = <uint64_t>key - <uint64_t>s.base
    cdef int fault = event_fault(e)
    if fault:
        return fault
    if i < s.span:
        level_put(s, i, e.lot)
    elif levels_admit(s, key, e.lot) < 0:
        return OUT_OF_MEMORY
    s.best = best
    if e.lot != 0 and key >= best:
        s.best = key
        if key + o.best >= 0:
            o.best = levels_next(o, -key - 1)
    elif e.lot == 0 and key == best:
        s.best = levels_next(s, key - 1)
    return OUT_OF_MEMORY if levels_settle(s) < 0 or levels_settle(o) < 0 else 0


cdef inline int move_book(Levels* sides, const DepthEvent* e) noexcept nogil:
    """Apply one event of a feed to one of the two books. Returns a fault or 0."""
    if e.kind == TRADED:
        return 0
    if likely(is_plain(e)):
        return 0 if likely(set_quote(sides, e) == DONE) else set_slowly(sides, e)
    return apply_slowly(sides, e)


cdef inline void fill(Simulation* s, int64_t side, int64_t ts) noexcept nogil:
    """Our resting order of that side is hit; we hear of it later."""
    cdef Resting* r = &s.resting[side]
    cdef Fill* more
    cdef Fill* made
    cdef int64_t tick = r.key * (1 - 2 * side)
    if s.fill_count == s.fill_room:
        more = <Fill*>realloc(s.fills, 2 * s.fill_room * sizeof(Fill))
        if more == NULL:
            s.fault = OUT_OF_MEMORY
            return
        s.fills, s.fill_room = more, 2 * s.fill_room
    made = s.fills + s.fill_count
    made.ts_ns, made.tick, made.side = ts, tick, 1 - 2 * side
    made.joined_ns, made.ahead_lots = r.joined, r.ahead
    s.fill_count += 1
    r.is_on = 0
    send(&s.answers, ts + s.response_latency, r.order, FILLED, tick, side)


cdef inline void exchange_event(Simulation* s, const DepthEvent* e) noexcept nogil:
    """The market moves at the exchange: its book, our places in the queues, our fills."""
    cdef int64_t side = e.side < 0, key = e.tick * e.side, best, old
    cdef Resting* own
    cdef Resting* other
    if likely(not s.resting[0].is_on and not s.resting[1].is_on):
        s.fault = move_book(s.real, e)
        return
    own, other = &s.resting[side], &s.resting[1 - side]
    if e.kind == TRADED:
        key = -key                              # the aggressor meets the other side, whose keys mirror his
        if other.is_on and other.key > key:
            fill(s, 1 - side, e.ts_ns)
        elif other.is_on and other.key == key:
            place_after_trade(&other.place, e.lot)
            if place_is_hit(&other.place):
                fill(s, 1 - side, e.ts_ns)
        return
    if not is_plain(e):
        s.fault = move_book(s.real, e)
        return
    best = s.real[side].best
    if own.is_on and own.key == key:
        old = levels_value(&s.real[side], key)
        place_after_update(&own.place, s.model, s.power, old, e.lot)
    s.fault = move_book(s.real, e)
    if other.is_on and s.real[side].best > best and other.key + s.real[side].best >= 0:
        fill(s, 1 - side, e.ts_ns)


cdef inline void take_request(Simulation* s, const Message* m) noexcept nogil:
    """Our request reaches the exchange: post-only orders that would cross expire, others join the queue."""
    cdef Resting* r = &s.resting[m.side]
    cdef int64_t key = m.tick * (1 - 2 * m.side), answer = NEW
    if m.kind == NEW:
        if key + s.real[1 - m.side].best >= 0:
            answer = EXPIRED
        else:
            r.order, r.key, r.is_on, r.joined = m.order, key, 1, m.ts
            r.ahead = levels_value(&s.real[m.side], key)
            place_at_end(&r.place, r.ahead)
    elif r.is_on and r.order == m.order:
        answer, r.is_on = CANCELLED, 0
    else:
        answer = REJECTED
    send(&s.answers, m.ts + s.response_latency, m.order, answer, m.tick, m.side)


cdef inline void take_answer(Simulation* s, const Message* m) noexcept nogil:
    """An answer reaches us: only now do we know."""
    cdef OurOrder* o = &s.ours[m.side]
    cdef double notional
    if m.kind == FILLED:
        s.position += s.order_lots * (1 - 2 * m.side)
        notional = <double>m.tick * s.tick_size * (<double>s.order_lots * s.lot_size)
        s.balance -= notional * <double>(1 - 2 * m.side)
        s.fees += notional * s.fee
    s.expired += m.kind == EXPIRED
    if o.order != m.order:
        return
    o.is_waiting = 0
    if m.kind == NEW:
        o.state = LIVE
    elif m.kind != REJECTED:
        o.state = ENDED


cdef inline void ask_for(Simulation* s, int64_t side, int64_t now, bint is_wanted, int64_t tick, bint had) noexcept nogil:
    """Have one order of a side at `tick`, or none: cancel what stands elsewhere, submit where nothing is."""
    cdef OurOrder* o = &s.ours[side]
    if o.state == LIVE and not o.is_waiting and (not is_wanted or o.tick != tick):
        o.is_waiting = 1
        s.cancels += 1
        send(&s.requests, now + s.order_latency, o.order, CANCEL, o.tick, side)
    elif not had and is_wanted:
        s.next_order += 1
        s.submits += 1
        o.order, o.tick, o.state, o.is_waiting = s.next_order, tick, PENDING, 1
        send(&s.requests, now + s.order_latency, o.order, NEW, tick, side)


cdef inline void quote(Simulation* s, int64_t now, bint wants_bid, int64_t bid, bint wants_ask, int64_t ask) noexcept nogil:
    """Bring our orders to these quotes; cancels go before new orders."""
    cdef bint had_bid = s.ours[0].state != FREE, had_ask = s.ours[1].state != FREE
    if had_bid:
        ask_for(s, 0, now, wants_bid, bid, True)
    if had_ask:
        ask_for(s, 1, now, wants_ask, ask, True)
    if not had_bid:
        ask_for(s, 0, now, wants_bid, bid, False)
    if not had_ask:
        ask_for(s, 1, now, wants_ask, ask, False)


cdef inline bint look(Simulation* s) noexcept nogil:
    """A step of the strategy begins: forget ended orders; False where there is nothing to quote on.

    That is a book with an empty side, and the end of the recording: a strategy that went on against a
    market that no longer moves could go on for ever.
    """
    s.steps += 1
    for side in range(2):
        if s.ours[side].state == ENDED:
            s.ours[side].state = FREE
    if s.seen[0].best == NO_KEY or s.seen[1].best == NO_KEY:
        return False
    if s.local_at == s.local_count and s.exchange_at == s.exchange_count:
        return False
    s.last_mid = 0.5 * <double>(s.seen[0].best - s.seen[1].best)
    return True


cdef inline void skewed_quote(Simulation* s, int64_t now, int64_t half, int64_t skew, int64_t most) noexcept nogil:
    """The built-in rule (`QuoteRules`): around the mid, moved against the position."""
    cdef int64_t best_bid = s.seen[0].best, best_ask = -s.seen[1].best, twice = best_bid + best_ask
    cdef int64_t units = s.position // s.order_lots
    cdef int64_t bid = (twice - 2 * half - 2 * skew * units) >> 1
    cdef int64_t ask = -((-(twice + 2 * half - 2 * skew * units)) >> 1)
    quote(
        s, now, units < most, bid if bid < best_bid else best_bid, units > -most, ask if ask > best_ask else best_ask
    )
