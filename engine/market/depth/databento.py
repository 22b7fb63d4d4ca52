"""Databento market-by-order files: DBN versions 1 to 3, plain or zstd, and what their flags mean.

A record with F_LAST ends an event of the venue: only then is the book whole. F_MAYBE_BAD_BOOK says that
the capture lost packets: it is reported as a gap. An `R` record empties the book; snapshots begin with it.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.market.depth.feed import Continuity, DepthFeed, Scale, refuse, unpacked
from native.depth import MAX_TICK, ORDER_DTYPE, DepthFlag, OrderAction

RTYPE_MBO = 0xA0
F_LAST, F_MAYBE_BAD_BOOK = 0x80, 0x04
NO_PRICE = (1 << 63) - 1
PRICE_DECIMALS = 9
SYMBOL_AT = 108
"""Bytes from the start of the metadata to the first symbol, in every version so far."""

ACTIONS = {
    "A": OrderAction.ADD,
    "C": OrderAction.CANCEL,
    "M": OrderAction.MODIFY,
    "T": OrderAction.TRADE,
    "F": OrderAction.FILL,
    "R": OrderAction.CLEAR,
}
SIDES = {"B": 1, "A": -1, "N": 0}
MBO_FIELDS = [
    ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8"),
    ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel_id", "u1"),
    ("action", "u1"), ("side", "u1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
]  # fmt: skip
MBO_BYTES = np.dtype(MBO_FIELDS).itemsize


def read_mbo(data: bytes) -> DepthFeed:
    """Read a DBN file of one instrument's orders. Raises `BadFeed` with the number of the record."""
    content = unpacked(data)
    if content[:3] != b"DBN" or len(content) < 8 or content[3] not in (1, 2, 3):
        refuse("unreadable_file", 0, "it does not begin as a DBN file of version 1 to 3")
    (length,) = struct.unpack_from("<I", content, 4)
    symbol = content[8 + SYMBOL_AT : 8 + length].split(b"\0", 1)[0].decode("ascii", "replace")
    records, skipped = _records(content[8 + length :])
    _judge(records)
    scale = _scale(records)
    events, gaps = _events(records, scale), Continuity()
    for place in np.flatnonzero(records["flags"] & F_MAYBE_BAD_BOOK):
        gaps.gap(int(place), "the capture says the book may be bad here")
    return DepthFeed(
        source="databento",
        symbol=symbol,
        scale=scale,
        events=events,
        exchange_ns=records["ts_event"].astype(np.int64),
        messages=len(records),
        skipped=skipped,
        gaps=tuple(gaps.named),
        gap_count=gaps.count,
    )


def _records(body: bytes) -> tuple[NDArray[Any], int]:
    """Return the order records as columns, and how many others there were."""
    if not body:
        refuse("empty_file", 0, "no record after the metadata")
    size = body[0] * 4
    if size >= MBO_BYTES and len(body) % size == 0:
        table = np.frombuffer(body, np.dtype([*MBO_FIELDS, ("rest", f"V{size - MBO_BYTES}")]))
        if (table["length"] == body[0]).all() and (table["rtype"] == RTYPE_MBO).all():
            return table, 0
    at, others = 0, 0
    places: list[int] = []
    while at < len(body):
        size = body[at] * 4
        if size < 16 or at + size > len(body):
            refuse("unreadable_file", len(places) + others, f"the record's length is {size} bytes")
        if body[at + 1] == RTYPE_MBO and size >= MBO_BYTES:
            places.append(at)
        else:
            others += 1
        at += size
    if not places:
        refuse("empty_file", 0, "no market-by-order record")
    return np.frombuffer(b"".join(body[at : at + MBO_BYTES] for at in places), np.dtype(MBO_FIELDS)), others


def _judge(records: NDArray[Any]) -> None:
    """Refuse what is not one instrument's orders in the order of arrival."""
    one = records["instrument_id"] == records["instrument_id"][0]
    if not one.all():
        place = int(np.flatnonzero(~one)[0])
        refuse("bad_message", place, f"a second instrument, id {records['instrument_id'][place]}")
    for column, known in (("action", ACTIONS), ("side", SIDES)):
        wrong = np.flatnonzero(~np.isin(records[column], [ord(letter) for letter in known]))
        if wrong.size:
            refuse("bad_message", int(wrong[0]), f"{column} {chr(records[column][wrong[0]])!r} is not known")
    if (late := np.flatnonzero(records["ts_recv"][1:] < records["ts_recv"][:-1])).size:
        refuse("out_of_order", int(late[0]) + 1, "received before the record above")


def _scale(records: NDArray[Any]) -> Scale:
    """Return the coarsest tick that holds every price."""
    prices = records["price"][records["price"] != NO_PRICE]
    unit = int(np.gcd.reduce(np.abs(prices))) if prices.size else 0
    decimals = PRICE_DECIMALS
    while decimals and unit and unit % 10 == 0:
        unit, decimals = unit // 10, decimals - 1
    return Scale(price_decimals=decimals, size_decimals=0, tick_units=max(1, unit))


def _events(records: NDArray[Any], scale: Scale) -> NDArray[Any]:
    events = np.zeros(len(records), ORDER_DTYPE)
    actions, sides = np.zeros(256, np.uint8), np.zeros(256, np.int8)
    for letter, action in ACTIONS.items():
        actions[ord(letter)] = int(action)
    for letter, side in SIDES.items():
        sides[ord(letter)] = side
    has_price = records["price"] != NO_PRICE
    unit = scale.tick_units * 10 ** (PRICE_DECIMALS - scale.price_decimals)
    events["ts_ns"], events["order_id"] = records["ts_recv"], records["order_id"]
    events["tick"] = np.where(has_price, records["price"], 0) // unit
    events["size"], events["message"] = records["size"], np.arange(len(records))
    events["action"], events["side"] = actions[records["action"]], sides[records["side"]]
    events["flags"] = np.where(records["flags"] & F_LAST, int(DepthFlag.LAST), 0)
    needs = np.isin(events["action"], [OrderAction.ADD, OrderAction.MODIFY])
    bad = np.flatnonzero(needs & (~has_price | (events["side"] == 0) | (np.abs(events["tick"]) >= MAX_TICK)))
    if bad.size:
        refuse("bad_message", int(bad[0]), "an order without a side or a price")
    return events
