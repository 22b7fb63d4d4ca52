"""What befalls hosts, links and venues from outside, twice a second and at moments that matter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from decimal import Decimal

from engine.sim.faults import Fault
from engine.sim.guard import Guard
from engine.sim.wires import Died
from engine.sim.world import KILL_FILE, World
from safety.killbyte import KillLevel
from seams.clock import NS_PER_S
from venues.contract import VenueError
from venues.types import OrderRequest, OrderType, Side, TimeInForce


async def mischief(world: World, guard: Guard) -> None:
    """Go on for ever, until the faults stop."""
    dice = world.dice
    while True:
        await asyncio.sleep(0.5)
        incarnation = world.incarnation
        if incarnation is None:
            continue
        # Asked for only where a seed has it: the question goes to the database.
        if (
            dice.plan.chances[Fault.CRASH_LATCHED]
            and _is_latched(world)
            and dice.strikes(Fault.CRASH_LATCHED)
        ):
            world.die(incarnation.number, "while latched")
            continue
        wire = incarnation.wire
        if dice.strikes(Fault.STREAM_STALLED):
            wire.silent_until_s = world.loop.time() + dice.between(Fault.STREAM_STALLED, 0.3, 20)
        for fault, name in ((Fault.UNREACHABLE, "is_reachable"), (Fault.SEND_ONLY, "is_deaf")):
            if dice.strikes(fault):
                setattr(wire, name, fault is Fault.SEND_ONLY)
                world.loop.call_later(
                    dice.between(fault, 0.1, 15), setattr, wire, name, fault is not Fault.SEND_ONLY
                )
        if dice.strikes(Fault.STREAM_BROKEN):
            wire.break_stream()
            world.loop.call_later(dice.between(Fault.STREAM_BROKEN, 0.1, 10), wire.open_stream)
        await _at_the_venue(world)
        if dice.strikes(Fault.KILL_BYTE):
            world.pull_byte("from outside")
        is_cut_off = not wire.is_reachable or wire.is_deaf or world.loop.time() < world.closed_until_s
        if is_cut_off and dice.strikes(Fault.KILL_AT_GATE):
            world.pull_byte("while the exchange cannot be reached")
        if world.venue.working() and dice.strikes(Fault.KILL_AT_WORK):
            world.pull_byte("while an order works")
        if dice.strikes(Fault.CLOCK_STEP):
            world.clock.offset_ns += round(dice.between(Fault.CLOCK_STEP, -5e9, 5e9))
            world.loop.call_later(
                dice.between(Fault.CLOCK_STEP, 0.3, 20), setattr, world.clock, "offset_ns", 0
            )
        if dice.strikes(Fault.WATCHDOG_HANGS):
            guard.hang(dice.between(Fault.WATCHDOG_HANGS, 1, 30))
        if dice.strikes(Fault.KILL_FILE):
            lay_kill_file(world)
        if dice.strikes(Fault.PAUSE):
            world.pause(0.1 * 600 ** dice.stream(Fault.PAUSE).random() ** 2)
        if dice.strikes(Fault.DISK_FULL):
            world.disk.is_full = True
            world.loop.call_later(
                dice.between(Fault.DISK_FULL, 0.1, 8), setattr, world.disk, "is_full", False
            )
        if dice.strikes(Fault.BUS_DOWN):
            world.bus.is_up = False
            world.loop.call_later(dice.between(Fault.BUS_DOWN, 0.1, 10), setattr, world.bus, "is_up", True)


def _is_latched(world: World) -> bool:
    """Tell whether a kill or a breach stands in the engine: its death now must not lose it."""
    assert world.incarnation is not None
    core = world.incarnation.engine.core
    return core.kill.byte.level is not KillLevel.CLEAR or bool(core.store.risk.latched())


async def _at_the_venue(world: World) -> None:
    """What happens at the exchange, and to our account by others."""
    dice = world.dice
    if dice.strikes(Fault.LISTS_LAG):
        world.exchange.lag_ns = round(dice.between(Fault.LISTS_LAG, 0, 1.95e9))
    if dice.strikes(Fault.MAINTENANCE):
        world.closed_until_s = world.loop.time() + dice.between(Fault.MAINTENANCE, 0.1, 15)
    if dice.strikes(Fault.BOOK_EMPTY):
        world.empty_until_s = world.loop.time() + dice.between(Fault.BOOK_EMPTY, 0.3, 20)
    if dice.strikes(Fault.CASH_MOVED):
        world.venue.move_cash(Decimal(round(dice.between(Fault.CASH_MOVED, -500, 500))))
    if dice.strikes(Fault.POSITION_MOVED):
        chosen = dice.stream(Fault.POSITION_MOVED).choice(world.instruments)
        lots = dice.stream(Fault.POSITION_MOVED).choice((-20, -3, 1, 7, 20))
        if world.venue.mark(chosen.symbol) > 0:
            world.venue.move_position(chosen.symbol, chosen.lot * lots)
    if dice.strikes(Fault.FOREIGN_ORDER):
        await trade_by_hand(world)
    if dice.strikes(Fault.FOREIGN_RESTING):
        await trade_by_hand(world, is_resting=True)


def at_gate(world: World, seconds: float) -> None:
    """An order waits that long for its connection: somebody kills, or acts on the account, meanwhile."""
    dice = world.dice
    if dice.strikes(Fault.KILL_AT_GATE):
        world.loop.call_later(dice.between(Fault.KILL_AT_GATE, 0, seconds), world.pull_byte, "at the gate")
    if dice.strikes(Fault.FOREIGN_AT_GATE):
        world.spawn(trade_by_hand(world))


def at_write(world: World) -> None:
    """A decision is on the record, its order not yet: the host's clock is set back between the two.

    For a moment only, mostly: the engine looks at its clock once a second, and must not need to.
    """
    dice, fault = world.dice, Fault.CLOCK_BACK_AT_WRITE
    if dice.strikes(fault):
        world.clock.offset_ns -= round(dice.between(fault, 0.001, 5) * NS_PER_S)
        seconds = dice.between(fault, 0.02, 3)
        world.loop.call_later(seconds, setattr, world.clock, "offset_ns", 0, context=Context())


def lay_kill_file(world: World) -> None:
    """Somebody writes `kill.request`, by hand, on the engine's host."""
    stream = world.dice.stream(Fault.KILL_FILE)
    text = stream.choice((b"", b"halt", b"close_only", b"\xff\xfe", b"now!"))
    put_kill_file(world, text, is_told=stream.random() < 0.5)
    world.fact("kill", f"by file {text!r}")


def put_kill_file(world: World, text: bytes, *, is_told: bool) -> None:
    """Write the file; `is_told`: the host tells the engine so, which it need not (`seams.watch`)."""
    world.disk.files[KILL_FILE] = bytearray(text)
    incarnation = world.incarnation
    if is_told and incarnation is not None:
        world.loop.call_soon(_tell, incarnation.engine.outside.look, context=incarnation.wire.context)


def _tell(look: Callable[[], None]) -> None:
    """Let the engine look now; it may die in the middle of what it then does, like anywhere else."""
    with suppress(Died):
        look()


async def trade_by_hand(world: World, *, is_resting: bool = False) -> None:
    """Somebody trades on the account without us, or leaves an order in the book that never fills."""
    stream = world.dice.stream(Fault.FOREIGN_ORDER)
    chosen = stream.choice(world.instruments)
    mark = world.venue.mark(chosen.symbol)
    if mark <= 0:
        return
    request = OrderRequest(
        client_order_id=f"HAND-{len(world.venue.journal)}",
        symbol=chosen.symbol,
        side=Side.BUY if is_resting else stream.choice((Side.BUY, Side.SELL)),
        quantity=chosen.lot * stream.randint(1, 20),
        order_type=OrderType.LIMIT if is_resting else OrderType.MARKET,
        limit_price=(mark / 2) // chosen.tick * chosen.tick if is_resting else Decimal(0),
        time_in_force=TimeInForce.GTC if is_resting else TimeInForce.IOC,
        reduce_only=False,
        mark_price=mark,
    )
    with suppress(VenueError):
        await world.venue.submit(request)
