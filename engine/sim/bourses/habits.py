"""What every exchange of a simulated world does alike: its market, fills in parts, answers, and its wires."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.sim.bourses.sockets import DoubleWire
from engine.sim.wires import Dialect
from seams.http import Request
from venues.sandbox.market import SandboxFeed, SandboxMarket
from venues.sandbox.programs import Reply
from venues.sandbox.scenarios import SymbolSpec
from venues.sandbox.web import Peer
from venues.types import FeedEnd, Instrument, MarketEvent, OrderRequest, OrderStatus, Record

if TYPE_CHECKING:
    from engine.sim.world import World

CASH_USD = Decimal(100_000)
BAR_S, TICKS_PER_S = 0.25, 4.0
Handle = Callable[[bytes], Awaitable[bytes]]


class Entry(Record):
    """One order as the exchange keeps it."""

    request: OrderRequest
    filled: Decimal
    status: OrderStatus


def by_hand(venue: str, symbol: str, lot: Decimal, tick: Decimal) -> Instrument:
    """Return what somebody trades by hand: a lot above the venue's minimum value, without fees."""
    return Instrument(
        symbol=symbol,
        venue=venue,
        tick=tick,
        lot=lot,
        min_notional_usd=Decimal(0),
        maker_fee_bps=Decimal(0),
        taker_fee_bps=Decimal(0),
    )


def feed_of(world: World, symbols: Sequence[SymbolSpec]) -> SandboxFeed:
    """Return the prices of a seed: sideways, and never standing still."""
    market = SandboxMarket(seed=world.dice.plan.market_seed, scenario="sideways", symbols=symbols)
    return SandboxFeed(market, world.true_clock, bar_seconds=BAR_S, ticks_per_second=TICKS_PER_S, stalls=())


async def run_prices(feed: SandboxFeed, on_market: Callable[[MarketEvent], None]) -> None:
    """Let an exchange hear every price, for ever."""
    async for event in feed.events():
        if not isinstance(event, FeedEnd):
            on_market(event)


class Parts:
    """Lets an order execute in parts; after one of two parts somebody else has the rest."""

    def __init__(self, world: World) -> None:
        self._world, self._is_gone = world, False

    def __call__(self, size: Decimal, lot: Decimal) -> Decimal:
        """Return how much of `size` executes now."""
        if self._is_gone:
            self._is_gone = False
            return Decimal(0)
        part = self._world.part_of(size, lot)
        if part < size:
            self._is_gone = self._world.dice.stream("parts").random() < 0.5
        return part


async def answer_of(double: Peer, request: Request) -> Reply:
    """Return what a double says to a request; one that a fault holds back is applied after its pause."""
    reply = double.answer(request)
    if not reply.is_late:
        return reply
    await asyncio.sleep(reply.pause_s)
    return double.again(request)


async def dripped(reply: Reply) -> bytes:
    """Return an answer's bytes once they are all there; a silent one takes a minute."""
    if reply.is_silent:
        await asyncio.sleep(60.0)
    await asyncio.sleep(reply.drip_s * len(reply.data))
    return reply.data


def engine_wire(world: World, handle: Handle, dialect: Dialect) -> DoubleWire:
    """Return the wire of an incarnation of the engine, under every fault of the world."""
    return DoubleWire(
        world.dice,
        handle,
        world.spawn,
        world.sent_out,
        world.at_point,
        lambda seconds: world.on_clogged(seconds),
        dialect,
    )


def guard_wire(
    world: World, handle: Handle, on_sent: Callable[[bytes], None], dialect: Dialect
) -> DoubleWire:
    """Return the watchdog's wire: it dies at no point of the engine's."""
    return DoubleWire(world.dice, handle, world.spawn, on_sent, lambda site: None, dialect=dialect)
