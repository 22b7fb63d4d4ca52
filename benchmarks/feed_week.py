"""Memory of a feed process over a simulated week: the slope of what is allocated, day by day.

    python -m benchmarks feed_week [--days N] [--every S] [--json]

The whole process (stream, board, candles, store, back-fill, outbox) on virtual time against the loopback
Kraken; prices move every `--every` market seconds. Python's own count of allocated bytes (tracemalloc) is
taken at the end of each day, after a collection. Disk and venue are memory of their own and count apart:
the candles that were stored are told, so that growth of the store is not mistaken for a leak.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import tracemalloc
from pathlib import Path

from engine.feed.candles import CandleStore
from engine.feed.opening import FeedLimits
from engine.feed.process import FeedProcess
from safety.beat import BeatPage
from seams.clock import NS_PER_S
from seams.disk import MemoryDisk
from seams.net import LoopbackNet, Net
from seams.virtual import VirtualClock, VirtualLoop, run_virtual
from venues.kraken.asking import Asker
from venues.kraken.capabilities import PAIRS
from venues.kraken.public import KrakenPublic
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.sandbox.kraken.exchange import KrakenExchange
from venues.types import Quote

DAYS, EVERY_S = 7, 10.0
DAY_S = 86_400
LIMITS = FeedLimits(60 * NS_PER_S, 60 * NS_PER_S, 7_200 * NS_PER_S, True, 50)


async def live(loop: VirtualLoop, days: int, every_s: float) -> list[dict[str, float]]:
    """Return one row a day: MB that the feed's own modules hold, MB in all, bytes on the disk, events."""
    clock, disk, net = VirtualClock(loop), MemoryDisk(), LoopbackNet()
    exchange = KrakenExchange(clock, [], [])

    async def connect(known: Net | None) -> Net | None:
        return net

    public = KrakenPublic(
        PeerLink(exchange, "public", "/v2", clock),
        Asker(PeerCaller(exchange, clock), "x"),
        clock,
        PAIRS[:1],
        ["1m", "5m"],
    )
    home = Path("/desk")
    store = CandleStore(home, disk)
    feed = FeedProcess(public, store, home, disk, clock, LIMITS, connect, 1, BeatPage.anonymous())
    stop = asyncio.Event()
    work = [loop.create_task(feed.run(stop)), loop.create_task(_street(exchange, clock, every_s))]
    rows = []
    for day in range(1, days + 1):
        await clock.sleep(DAY_S)
        exchange.log.clear()
        gc.collect()
        held = tracemalloc.take_snapshot().statistics("filename")
        rows.append(
            {
                "day": day,
                "feed_mb": round(sum(each.size for each in held if _is_ours(each)) / 1e6, 3),
                "all_mb": round(tracemalloc.get_traced_memory()[0] / 1e6, 2),
                "disk_kb": round(sum(map(len, disk.files.values())) / 1e3),
                "events": feed.board.events,
            }
        )
    stop.set()
    await work[0]
    work[1].cancel()
    await asyncio.gather(work[1], return_exceptions=True)
    return rows


def _is_ours(held: tracemalloc.Statistic) -> bool:
    """Tell whether memory was taken by the feed or a venue's stream, and not by the loopback exchange."""
    name = held.traceback[0].filename
    return "/engine/feed/" in name or ("/venues/" in name and "/sandbox/" not in name)


async def _street(exchange: KrakenExchange, clock: VirtualClock, every_s: float) -> None:
    dice, bid = random.Random(1), 600_000
    while True:
        bid += dice.choice((-3, -2, -1, 1, 2, 3))
        quote = Quote(symbol="BTC/USD", at_ns=clock.now_ns(), bid=bid / 10, ask=(bid + 1) / 10)
        exchange.on_market(quote)
        exchange.advance()
        await clock.sleep(every_s)


def main(arguments: list[str]) -> int:
    """Print a row a day and the slope in kB a day over the last days."""
    parser = argparse.ArgumentParser(prog="benchmarks feed_week", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--days", type=int, default=DAYS, help="how many simulated days")
    parser.add_argument("--every", type=float, default=EVERY_S, help="market seconds between two prices")
    given = parser.parse_args(arguments)
    loop = VirtualLoop()
    tracemalloc.start()
    asyncio.set_event_loop(loop)
    rows = run_virtual(live(loop, given.days, given.every), loop)
    asyncio.set_event_loop(None)
    first = rows[min(1, len(rows) - 1)]
    span = max(1, rows[-1]["day"] - first["day"])
    figures = {"feed_slope_kb_a_day": round((rows[-1]["feed_mb"] - first["feed_mb"]) * 1e3 / span, 1)}
    if given.json:
        print(json.dumps({"days": rows, **figures}))
    else:
        for row in rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
        print(figures)
    return 0
