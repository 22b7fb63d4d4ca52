"""The shell of both books: batches of events in, best prices and counters out."""

from libc.stdint cimport int64_t

import numpy as np

from native.depth import OnCrossed


cdef class Book:
    """A book of one market. Prices are ticks, sizes lots, sides +1 bid and -1 ask; see `L2Book`, `L3Book`.

    `on_crossed` says what a message that leaves best bid >= best ask does (`OnCrossed`). `RECORDS` is the
    type of what `replay` returns.
    """

    cdef void open_counts(self, Counts* counts, on_crossed):
        counts.on_crossed, counts.first_crossed = int(OnCrossed(on_crossed)), -1
        self.counts = counts

    def apply(self, events not None):
        """Apply events in their order; returns how many. Raises `BookFault`; events before it stay applied."""
        self.run(events, None)
        return len(events)

    def replay(self, events not None, out=None):
        """As `apply`; returns what is best after each message that changed it (`RECORDS`).

        Records are written into `out` where it is given; it must have room for a record an event.
        """
        records = np.empty(len(events), self.RECORDS) if out is None else out
        if len(records) < len(events):
            raise ValueError("out has less room than there are events")
        made = self.run(events, records)
        return records[:made].copy() if out is None else out[:made]

    cdef int64_t run(self, events, records) except -1:
        raise NotImplementedError

    def snapshot(self, int64_t depth=-1):
        """Return (bids, asks), best first: int64 arrays of a row a level, tick and lots (L3: and orders)."""
        return self.walk(0, depth), self.walk(1, depth)

    cdef object walk(self, int side, int64_t depth):
        raise NotImplementedError

    def checksum_input(self, int64_t depth=10):
        """Return the digits that Kraken puts through CRC32: asks, then bids, `depth` levels, best first.

        Of each level (L3: of each of its orders, first in priority first) the price and the size at their
        full precision without dot and leading zeros: tick and lot as integers, where a tick and a lot are
        one unit of that precision.
        """
        return "".join([*self.digits(1, depth), *self.digits(0, depth)]).encode()

    cdef object digits(self, int side, int64_t depth):
        raise NotImplementedError

    def check(self):
        """Walk the whole book and raise AssertionError where it contradicts itself (tests, debugging)."""
        self.check_side(0)
        self.check_side(1)

    cdef int64_t check_side(self, int side) except -1:
        raise NotImplementedError

    @property
    def events(self):
        return self.counts.events

    @property
    def messages(self):
        return self.counts.messages

    @property
    def crossed_messages(self):
        return self.counts.crossed_messages

    @property
    def first_crossed(self):
        """The message number of the first crossed message, or None."""
        return None if self.counts.first_crossed < 0 else self.counts.first_crossed
