"""What all Kraken recordings share: how a line is told apart, and the channel that names a pair's digits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NamedTuple

from seams.clock import NS_PER_S


class Pair(NamedTuple):
    """How many digits a pair's prices and sizes have behind the point."""

    price_decimals: int
    size_decimals: int


def message_of(line: bytes, last_ns: int) -> tuple[int, Any]:
    """Return (receive time, message); lines without a time keep the last one."""
    if line[:1].isdigit():
        stamp, _, body = line.partition(b": ")
        return int(Decimal(stamp.decode()) * NS_PER_S), json.loads(body, parse_float=Decimal)
    if line[:1] not in b"{[":
        return last_ns, None
    parsed = json.loads(line, parse_float=Decimal)
    if isinstance(parsed, dict) and "msg" in parsed:
        return int(Decimal(parsed["recv"]) * NS_PER_S), parsed["msg"]
    return last_ns, parsed


def precision(message: Any, symbol: str) -> Pair | None:
    """Return a pair's precision where the message is of the v2 `instrument` channel and names it."""
    if not isinstance(message, dict) or message.get("channel") != "instrument":
        return None
    for pair in message["data"].get("pairs", ()):
        if pair["symbol"] == symbol:
            return Pair(int(pair["price_precision"]), int(pair["qty_precision"]))
    return None
