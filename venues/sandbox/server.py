"""The sandbox exchange as a process of its own: lines of signed JSON over TCP on loopback.

One request per connection, answered by one line; a connection that subscribes becomes a stream. Its
market moves by itself and its books live in memory: they outlive every engine, and end with it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from seams.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from seams.disk import Disk, RealDisk
from seams.rng import secret_token
from venues.keyfile import KeyFile
from venues.sandbox import messages as m
from venues.sandbox.exchange import Exchange
from venues.sandbox.market import SandboxFeed, SandboxMarket
from venues.sandbox.scenarios import DEFAULT_SYMBOLS, SCENARIOS, in_bars_of, instrument_of
from venues.sandbox.venue import SandboxVenue
from venues.types import FeedEnd, Instrument, Record

HOST = "127.0.0.1"
ACCOUNT = "sandbox-acct-1"
CASH_USD = Decimal(100_000)
KEYS = {"engine": True, "watchdog": False}
"""Key name -> may it open orders. The watchdog's may only cancel, and ask."""
REQUEST_S = 10.0
HEARTBEAT_S = 1.0
MAX_BEHIND_BYTES = 4_000_000
"""A reader of the stream that is so far behind is cut off; it asks for what it missed."""
STREAM_LIMIT_BYTES = m.MAX_FRAME_BYTES + 1_000
MAKER_BPS, TAKER_BPS = Decimal("1.5"), Decimal("4.5")


class Ready(Record):
    """What the process says once it answers: where, for whom, and the key files by name."""

    url: str
    account: str
    pid: int
    keys: dict[str, str]


class Market(Record):
    """How the exchange's market moves, and how slow its lists are."""

    scenario: str = "sideways"
    seed: int = 1
    bar_s: float = 1.0
    ticks_per_s: float = 4.0
    lag_ms: int = 1_000


def instruments() -> tuple[Instrument, ...]:
    """Return what the sandbox exchange lists."""
    return tuple(instrument_of(spec, MAKER_BPS, TAKER_BPS) for spec in DEFAULT_SYMBOLS)


def keys_in(folder: Path, disk: Disk) -> dict[str, KeyFile]:
    """Return the account's keys; those that are missing are made, each in a file of its own (0600)."""
    disk.make_folder(folder)
    keys = {}
    for name in KEYS:
        path = folder / f"{name}.key"
        if not disk.exists(path):
            made = KeyFile(venue="sandbox-exchange", account=ACCOUNT, key=name, secret=secret_token(32))
            disk.write_atomic(path, msgspec.json.encode(made), 0o600)
        keys[name] = msgspec.json.decode(disk.read(path), type=KeyFile)
    return keys


class Server:
    """One exchange behind one listening socket. `on_order` hears orders and cancels as they arrive."""

    def __init__(self, exchange: Exchange, feed: SandboxFeed, clock: Clock) -> None:
        self.exchange, self._feed, self._clock = exchange, feed, clock
        self.on_order: Callable[[int, bytes], None] = lambda at_ns, frame: None

    async def listen(self, port: int) -> tuple[asyncio.Server, int]:
        """Begin to answer; return the server and its port."""
        server = await asyncio.start_server(self._client, HOST, port, limit=STREAM_LIMIT_BYTES)
        return server, int(server.sockets[0].getsockname()[1])

    async def run_market(self) -> None:
        """Let prices move and orders match until cancelled."""
        async for event in self._feed.events():
            if not isinstance(event, FeedEnd):
                self.exchange.on_market(event)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                line = await reader.readline()
            if not line.endswith(b"\n"):
                return  # a torn request is no request
            frame = line[:-1]
            if self.exchange.is_subscription(frame):
                await self._stream(writer)
                return
            before = len(self.exchange.received)
            if b'"type":"cancel' in frame:
                self.on_order(self._clock.now_ns(), frame)
            answer = await self.exchange.handle(frame)
            for at_ns, arrived in self.exchange.received[before:]:
                self.on_order(at_ns, arrived)
            writer.write(answer + b"\n")
            async with asyncio.timeout(REQUEST_S):
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            return  # the client is gone, or never spoke: nothing to tell
        finally:
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        """Push until the reader goes or falls behind; an empty line says that the stream is alive."""

        def push(frame: bytes) -> None:
            if writer.transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
                writer.transport.abort()
            if not writer.transport.is_closing():
                writer.write(frame + b"\n")

        self.exchange.listeners.append(push)
        try:
            while not writer.transport.is_closing():
                push(b"")
                await self._clock.sleep(HEARTBEAT_S)
        finally:
            self.exchange.listeners.remove(push)


def build(clock: Clock, market: Market, keys: dict[str, KeyFile]) -> Server:
    """Put an exchange together: market, books, keys."""
    scenario = in_bars_of(SCENARIOS[market.scenario], market.bar_s)
    feed = SandboxFeed(
        SandboxMarket(seed=market.seed, scenario=scenario, symbols=DEFAULT_SYMBOLS),
        clock,
        bar_seconds=market.bar_s,
        ticks_per_second=market.ticks_per_s,
        stalls=(),
    )
    venue = SandboxVenue(
        clock,
        starting_cash_usd=CASH_USD,
        fill_at="next_quote",
        price_grid="tick",
        slippage_bps=1.0,
        instruments=instruments(),
        account_id=ACCOUNT,
    )
    secrets_of = {name: (kept.secret.encode(), KEYS[name]) for name, kept in keys.items()}
    return Server(Exchange(clock, venue, secrets_of, market.lag_ms * NS_PER_MS), feed, clock)


async def serve(folder: Path, port: int, market: Market, record: Path | None) -> int:
    """Answer until SIGTERM; say on stdout, in one line of JSON, where and with which keys."""
    clock, disk = SystemClock(), RealDisk()
    server = build(clock, market, keys_in(folder, disk))
    if record is not None:
        server.on_order = lambda at_ns, frame: disk.append(record, b"%d " % at_ns + frame + b"\n")
    listening, bound = await server.listen(port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    prices = loop.create_task(server.run_market(), name="market")
    prices.add_done_callback(lambda _: stop.set())
    ready = Ready(
        url=f"tcp://{HOST}:{bound}",
        account=ACCOUNT,
        pid=os.getpid(),
        keys={name: str(folder / f"{name}.key") for name in KEYS},
    )
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    await stop.wait()
    listening.close()
    if prices.done():
        prices.result()  # a market that ended by itself is a defect: say which
    prices.cancel()
    await asyncio.gather(prices, return_exceptions=True)
    return 0


def main() -> int:
    """Run one exchange. Exit 0 after SIGTERM."""
    parser = argparse.ArgumentParser(prog="venues.sandbox.server", description=main.__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the key files are kept")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="sideways")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bar-seconds", type=float, default=1.0)
    parser.add_argument("--ticks-per-second", type=float, default=4.0)
    parser.add_argument("--lag-ms", type=int, default=NS_PER_S // NS_PER_MS)
    parser.add_argument("--record", type=Path, help="append every arriving order to this file")
    given = parser.parse_args()
    market = Market(
        scenario=given.scenario,
        seed=given.seed,
        bar_s=given.bar_seconds,
        ticks_per_s=given.ticks_per_second,
        lag_ms=given.lag_ms,
    )
    os.umask(0o077)
    return asyncio.run(serve(given.folder.resolve(), given.port, market, given.record))


if __name__ == "__main__":
    raise SystemExit(main())
