"""What a feed says to a book: events of price levels (L2) and of single orders (L3), as columns.

Prices are whole ticks and sizes whole lots; the reader of a source knows what a tick and a lot are.
`message` numbers the messages of a source from 0, so that a fault can name the one it came in.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import numpy as np


class DepthKind(IntEnum):
    """What an L2 event does; `tick`, `lot` and `side` (+1 bid, -1 ask) belong to it."""

    SET = 1
    """The level at `tick` has `lot` from now on; 0 removes it."""
    TRADE = 2
    """`lot` traded at `tick`; `side` is the aggressor's. The book stays as it is."""
    CLEAR_THROUGH = 3
    """Levels of `side` from the best through `tick` go (a snapshot of that reach follows)."""
    SNAPSHOT = 4
    """As SET, out of a snapshot."""
    CLEAR_SIDE = 5
    """All levels of `side` go."""
    TRUNCATE = 6
    """Only the best `lot` levels of `side` stay."""


class OrderAction(IntEnum):
    """What an L3 event does to the order `order_id`."""

    ADD = 1
    """It joins the end of the queue at `side` and `tick`; an id that is there already is replaced."""
    CANCEL = 2
    """It loses `size`, and leaves when nothing is left."""
    MODIFY = 3
    """It has this side, tick and size now; it keeps its place only at the same price and not larger."""
    TRADE = 4
    """An aggressor of `side` traded; the book stays as it is."""
    FILL = 5
    """The resting order `order_id` was hit for `size`; its CANCEL follows."""
    CLEAR = 6
    """All orders go."""
    TRUNCATE = 7
    """Only the best `size` levels of `side` stay; what stood beyond them is out of sight."""


class DepthFlag(IntFlag):
    """What holds for an event."""

    LAST = 1
    """It completes a message: only now are best prices compared, checked and recorded."""
    MAY_CROSS = 2
    """The source says that the book may be crossed here (auction, snapshot in parts)."""


class DepthFault(IntEnum):
    """Why a book refused an event. Only a `CROSSED` event has been applied when it is refused."""

    BAD_KIND = 1
    BAD_SIDE = 2
    NEGATIVE_SIZE = 3
    BAD_TICK = 4
    CROSSED = 5
    OUT_OF_MEMORY = 6


class OnCrossed(IntEnum):
    """What a book does when a message leaves best bid >= best ask without saying it may."""

    COUNT = 0
    """Go on and count it in `crossed_messages`; feeds of raw deltas do this now and then."""
    REFUSE = 1
    """Stop at once with `DepthFault.CROSSED`."""


DEPTH_DTYPE = np.dtype(
    [
        ("ts_ns", "i8"), ("tick", "i8"), ("lot", "i8"), ("kind", "u1"), ("side", "i1"), ("flags", "u1"),
        ("spare", "u1"), ("message", "u4"),
    ]
)  # fmt: skip
"""One L2 event, 32 bytes; see `DepthKind` and `DepthFlag`."""

ORDER_DTYPE = np.dtype(
    [
        ("ts_ns", "i8"), ("order_id", "u8"), ("tick", "i8"), ("size", "i8"), ("action", "u1"), ("side", "i1"),
        ("flags", "u1"), ("spare", "u1"), ("message", "u4"),
    ]
)  # fmt: skip
"""One L3 event, 40 bytes; see `OrderAction` and `DepthFlag`."""

BEST_DTYPE = np.dtype([("ts_ns", "i8"), ("bid", "i8"), ("ask", "i8")])
"""Best bid and ask in ticks after a message that changed one of them."""

TOP_DTYPE = np.dtype(
    [
        ("ts_ns", "i8"), ("bid", "i8"), ("bid_size", "i8"), ("bid_orders", "i8"),
        ("ask", "i8"), ("ask_size", "i8"), ("ask_orders", "i8"),
    ]
)  # fmt: skip
"""Best level of both sides after a message that changed anything of it."""

MAX_TICK = 1 << 56
"""Ticks are in (-MAX_TICK, MAX_TICK): the sum of two never overflows."""

MAX_SIZE = 1 << 53
"""Sizes are in [0, MAX_SIZE]: exact as doubles."""


class BookFault(ValueError):
    """A book refused an event; `index` counts in the batch, `message` in the source."""

    def __init__(self, fault: DepthFault, index: int, message: int, ts_ns: int) -> None:
        super().__init__(f"{fault.name.lower()} in message {message} (event {index} of the batch) at {ts_ns}")
        self.fault, self.index, self.message, self.ts_ns = fault, index, message, ts_ns
