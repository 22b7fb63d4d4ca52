"""Databento market-by-order files, DBN or CSV, plain, gzip or zstd, and what their flags mean.

A record with F_LAST ends an event of the venue: only then is the book whole. F_MAYBE_BAD_BOOK says that
the capture lost packets: it is reported as a gap. An `R` record empties the book; snapshots begin with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.market.databento import csv_records, is_databento_csv
from engine.market.dbn import (
    MBO_FIELDS,
    NO_PRICE,
    PRICE_DECIMALS,
    RTYPE_MBO,
    BadDbn,
    open_container,
    records_of,
)
from engine.market.depth.feed import Continuity, DepthFeed, Scale, refuse, unpacked
from native.depth import MAX_TICK, ORDER_DTYPE, DepthFlag, OrderAction

F_LAST, F_MAYBE_BAD_BOOK = 0x80, 0x04

ACTIONS = {
    "A": OrderAction.ADD,
    "C": OrderAction.CANCEL,
    "M": OrderAction.MODIFY,
    "T": OrderAction.TRADE,
    "F": OrderAction.FILL,
    "R": OrderAction.CLEAR,
}
SIDES = {"B": 1, "A": -1, "N": 0}


def read_mbo(data: bytes) -> DepthFeed:
    """Read one instrument's orders, DBN or CSV. Raises `BadFeed` with the number of the record."""
    content = unpacked(data)
    try:
        records, skipped, symbol = (_csv if is_databento_csv(content) else _dbn)(content)
    except BadDbn as bad:
        refuse("empty_file" if bad.is_empty else "unreadable_file", bad.record, bad.text)
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


def _dbn(content: bytes) -> tuple[NDArray[Any], int, str]:
    """Return the order records, how many others there were, and the symbol."""
    container = open_container(content)
    records, others = records_of(container.body, (RTYPE_MBO,), MBO_FIELDS)
    return records, others, container.symbol_of(int(records["instrument_id"][0]))


def _csv(content: bytes) -> tuple[NDArray[Any], int, str]:
    records, symbols = csv_records(content, MBO_FIELDS)
    return records, 0, str(symbols[0].as_py())


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
