"""A loopback exchange as a process of its own: its prices move, it answers, it ends at SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from seams.clock import Clock
from venues.sandbox.market import SandboxFeed
from venues.sandbox.web import Peer, Shell
from venues.types import FeedEnd, MarketEvent, Record


class LoopbackReady(Record):
    """What the process says, in one line of JSON, once it answers.

    `accounts` are throw-away accounts with their keys in plain text, `keys` the key files by name.
    """

    venue: str
    url: str
    ws_url: str
    pid: int
    accounts: tuple[dict[str, str], ...]
    keys: dict[str, str]
    ws_auth_url: str = ""


class MovingPeer(Peer, Protocol):
    """A peer whose prices come from outside."""

    def on_market(self, event: MarketEvent) -> None:
        """Take one market event."""
        ...


async def serve(
    peer: MovingPeer,
    feed: SandboxFeed,
    clock: Clock,
    doors: Mapping[str, int],
    ready: Callable[[Sequence[int]], LoopbackReady],
) -> int:
    """Answer at all doors (name -> port, 0 a free one) until SIGTERM; say on stdout where."""
    shell = Shell(peer, clock)
    ports = [await shell.listen(port, door) for door, port in doors.items()]
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    prices = loop.create_task(_move(peer, feed), name="market")
    prices.add_done_callback(lambda _: stop.set())
    sys.stdout.write(msgspec.json.encode(ready(ports)).decode() + "\n")
    sys.stdout.flush()
    await stop.wait()
    if prices.done():
        prices.result()  # a market that ended by itself is a defect: say which
    prices.cancel()
    await asyncio.gather(prices, return_exceptions=True)
    await shell.close()
    return 0


def pid() -> int:
    """Return this process's id."""
    return os.getpid()


async def _move(peer: MovingPeer, feed: SandboxFeed) -> None:
    async for event in feed.events():
        if not isinstance(event, FeedEnd):
            peer.on_market(event)
