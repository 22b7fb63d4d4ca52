"""Tardis `incremental_book_L2` CSV: rows of one `local_timestamp` are one message; a snapshot starts anew.

Its rule: when `is_snapshot` turns true, what was known before is void (a new connection); an amount of 0
removes the level. The format has no sequence numbers, so a gap cannot be seen, only a restart.
"""

from __future__ import annotations

from engine.market.depth.feed import Continuity, DepthFeed, OneSymbol, Rows, csv_rows, refuse
from native.depth import DepthKind

COLUMNS = ("exchange", "symbol", "timestamp", "local_timestamp", "is_snapshot", "side", "price", "amount")
NS_PER_US = 1_000
SIDES = {"bid": 1, "ask": -1}
TRUTH = {"true": True, "false": False}


def read_csv(data: bytes, symbol: str = "") -> DepthFeed:
    """Read one symbol's rows. Raises `BadFeed` with the message's number."""
    table = csv_rows(data)
    header = tuple(next(table, ()))
    if header != COLUMNS:
        refuse("unreadable_file", 0, f"the columns are {','.join(header)[:120]}, not {','.join(COLUMNS)}")
    rows, one = Rows(), OneSymbol(symbol)
    message, skipped, last_local, was_snapshot = -1, 0, -1, False
    for cells in table:
        try:
            _, name, exchange_us, local_us, snapshot, side_name, price, amount = cells
            exchange_ns, local_ns = int(exchange_us) * NS_PER_US, int(local_us) * NS_PER_US
            is_snapshot, side = TRUTH[snapshot], SIDES[side_name]
        except (ValueError, KeyError) as error:
            refuse("bad_message", message + 1, f"{type(error).__name__}: {error}")
        if not one.takes(name, message + 1):
            skipped += 1
            continue
        if local_ns != last_local:
            rows.end()
            message += 1
            if local_ns < last_local:
                refuse("out_of_order", message, f"local_timestamp {local_us} is before the one above")
        if is_snapshot and not was_snapshot:
            for each in (1, -1):
                rows.add(local_ns, exchange_ns, DepthKind.CLEAR_SIDE, each, "0", "0", message)
        elif message == 0 and not is_snapshot:
            refuse("no_snapshot", 0, "the first row is not of a snapshot")
        kind = DepthKind.SNAPSHOT if is_snapshot else DepthKind.SET
        rows.add(local_ns, exchange_ns, kind, side, price, amount, message)
        last_local, was_snapshot = local_ns, is_snapshot
    rows.end()
    return rows.feed("tardis", one.name, rows.scale(), Continuity(), messages=message + 1, skipped=skipped)
