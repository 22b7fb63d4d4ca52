"""Recordings as tests write them, and where the shared ones lie."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

import pytest

from engine.market.depth import tardis
from engine.market.depth.feed import BadFeed

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).parents[3].parent / "shared"))
BOOKS = SHARED / "data" / "licensed" / "orderbook"
needs_shared = pytest.mark.skipif(not BOOKS.is_dir(), reason="INTERLOCK_SHARED has no order books")


def lines(*messages):
    return b"\n".join(
        message if isinstance(message, bytes) else json.dumps(message).encode() for message in messages
    )


def refusal(read, data, **options):
    with pytest.raises(BadFeed) as caught:
        read(data, **options)
    return caught.value.problem.code, caught.value.problem.message


def crc(asks, bids):
    """The venue's rule, from the texts: ten best, dots and leading zeros away."""
    digits = [text.replace(".", "").lstrip("0") for level in [*asks[:10], *bids[:10]] for text in level]
    return zlib.crc32("".join(digits).encode())


def v2(kind, asks, bids, checksum):
    def side(levels):
        return "[" + ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in levels) + "]"

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"A/B","asks":{side(asks)},"bids":{side(bids)},'
        f'"checksum":{checksum},"timestamp":"2026-11-21T10:00:00.000001Z"}}]}}'
    ).encode()


ASKS = [(f"10.{place}0", f"{place + 1}.50000000") for place in range(10)]
BIDS = [(f"9.{9 - place}0", f"0.{place + 1:02d}000000") for place in range(10)]


def session(*, flip=False):
    """Snapshot, an update that pushes the tenth ask out, one that brings nothing back, a new snapshot."""
    better = [("9.95", "7.00000000"), *ASKS[:9]]
    after = better[1:]
    wrong = "7.00000001" if flip else "7.00000000"
    return lines(
        v2("snapshot", ASKS, BIDS, crc(ASKS, BIDS)),
        v2("update", [("9.95", wrong)], [], crc(better, BIDS)),
        v2("update", [("9.95", "0.00000000")], [], crc(after, BIDS)),
        v2("snapshot", ASKS, BIDS, crc(ASKS, BIDS)),
    )


def depth(recv, first, last, before=None, bids=(), asks=()):
    data = {"e": "depthUpdate", "E": recv, "s": "XY", "U": first, "u": last, "b": bids, "a": asks}
    if before is not None:
        data |= {"pu": before, "T": recv}
    return f"{recv:019d} ".encode() + json.dumps({"stream": "x", "data": data}).encode()


def rest(recv, last, bids, asks):
    return f"{recv:019d} ".encode() + json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks}).encode()


HEAD = ",".join(tardis.COLUMNS)


def row(local, is_snapshot, side, price, amount, symbol="P"):
    return f"x,{symbol},{local - 1},{local},{is_snapshot},{side},{price},{amount}"


def l2(recv, time, bids, asks, coin="BTC"):
    levels = [[{"px": price, "sz": size, "n": 1} for price, size in side] for side in (bids, asks)]
    message = {"channel": "l2Book", "data": {"coin": coin, "time": time, "levels": levels}}
    return f"{recv} ".encode() + json.dumps(message).encode()


QUARTER = 250_000_000


def container(body, *, version=1, symbols=("ESH4",), numbers=(77,)):
    """Records to a DBN file whose metadata asks for `symbols` and maps them to instrument `numbers`."""
    size = 22 if version == 1 else 71

    def text(word):
        return word.encode().ljust(size, b"\0")

    fixed = bytearray(100)
    if version > 1:
        struct.pack_into("<H", fixed, 45, size)
    metadata = bytes(fixed) + struct.pack("<II", 0, len(symbols)) + b"".join(map(text, symbols))
    metadata += struct.pack("<III", 0, 0, len(symbols))
    for symbol, number in zip(symbols, numbers, strict=True):
        metadata += text(symbol) + struct.pack("<III", 1, 20_240_101, 20_250_101) + text(str(number))
    return b"DBN" + bytes([version]) + struct.pack("<I", len(metadata)) + metadata + body


def dbn(*records, version=1):
    """(action, side, price in 1e-9, size, flags, order id[, instrument]) to a DBN file of orders."""
    body = b""
    for place, (action, side, price, size, flags, order, *instrument) in enumerate(records):
        body += struct.pack(
            "<BBHIQQqIBBccQiI", 14, 0xA0, 1, (instrument or [77])[0], place, order, price, size, flags, 0,
            action.encode(), side.encode(), 1_000 + place, 0, place,
        )  # fmt: skip
    return container(body, version=version)
