"""Flatten without a running engine: with its record where nobody holds it, else bare at the venue.

The first way opens the record like an engine that serves nobody: orders are durable, fills are booked,
the next engine finds its account CLEAN. The second is for an engine that is frozen or a record that does
not open: it needs the key file only, and the next engine will call its orders foreign, and be AMBIGUOUS.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from engine.api.commands import FlattenDone
from engine.api.home import HomePaths
from engine.api.local import kill_direct
from engine.api.venue_calls import FOLDER
from engine.assembly import Seams, build_core
from engine.closing import closing_limit, slice_of
from engine.config import load_settings
from engine.config.risk import RiskBlock
from engine.core import STORAGE_FAILURES
from engine.daemon import Engine
from engine.flatten import UNVERIFIED, flatten
from engine.judging import listed
from engine.keeping import transport_without_engine
from engine.lock import AlreadyRunning, EngineLock
from engine.ops.call_log import CallLog, Logged
from engine.trading.custody import Custody, Verdict
from engine.transport import Sockets
from engine.venue import configured_venue
from safety.reasons import Refusal
from seams.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from seams.disk import RealDisk
from seams.ids import SortableIds
from seams.rng import Rng
from venues.contract import LiveVenue, VenueError
from venues.types import Mode, OrderRequest, OrderType, Record, Side, TimeInForce, VenuePosition

SYNC_S = 10.0
BARE_S = 15.0
STEP_S = 0.3
EMPTY_LOOKS = 2


class Flattened(Record):
    """How it went: `way` is `record` or `bare`."""

    way: str
    done: FlattenDone


async def flatten_offline(home: Path, environ: dict[str, str], operator: str, reason: str) -> Flattened:
    """Latch close_only, then close everything at the configured venue and verify that it is flat.

    Raises `Refusal` (no venue is configured, a key that cannot be used), `ConfigError` or `OSError`.
    """
    settings = load_settings(home, environ).settings
    if Mode(settings.engine.mode) is not Mode.LIVE:
        raise Refusal("mode_not_live", "a paper account ends with its engine: there is nothing to flatten")
    wires = transport_without_engine(settings, RealDisk(), HomePaths(home).safety)
    configured_venue(settings, SystemClock(), wires)  # refuse before anything is touched
    kill_direct(home, operator=operator, reason=reason or "flatten", level="close_only")
    lock = EngineLock(HomePaths(home).lock)
    try:
        lock.acquire()
    except AlreadyRunning:
        return Flattened(way="bare", done=await flatten_bare(home, environ))
    try:
        return Flattened(way="record", done=await _on_record(home, environ, operator, reason))
    except STORAGE_FAILURES:
        return Flattened(way="bare", done=await flatten_bare(home, environ))
    finally:
        lock.release()


async def _on_record(home: Path, environ: dict[str, str], operator: str, reason: str) -> FlattenDone:
    clock = SystemClock()
    core = build_core(Seams(clock, None, Rng(clock.now_ns()), RealDisk()), home, environ)
    core.calls = CallLog.of_engine(core)
    logged = Logged(Sockets(), core.calls, clock)
    wires = transport_without_engine(core.settings, core.disk, core.paths.safety, logged)
    venue, account = configured_venue(core.settings, clock, wires)
    engine = Engine(core, venue, account)
    custody = engine.custody
    assert custody is not None
    try:
        engine.recover()
        venue.start()
        await _sync(custody, clock)
        done = await flatten(core, engine.desk, operator, reason)
        await _sync(custody, clock)
        return done
    finally:
        await engine.close()
        core.calls.tend()


async def _sync(custody: Custody, clock: Clock) -> None:
    """Let both sides agree if they will; positions are closed by the venue's books in any case."""
    deadline_ns = clock.monotonic_ns() + round(SYNC_S * NS_PER_S)
    while clock.monotonic_ns() < deadline_ns:
        if await custody.reconcile() in (Verdict.CLEAN, Verdict.AMBIGUOUS):
            return
        await clock.sleep(STEP_S)


async def flatten_bare(home: Path, environ: dict[str, str]) -> FlattenDone:
    """Cancel everything and close every position with nothing but the key file; verify twice."""
    clock = SystemClock()
    settings = load_settings(home, environ).settings
    paths, disk = HomePaths(home), RealDisk()
    calls = _call_log(paths, disk, clock)
    sockets = Sockets() if calls is None else Logged(Sockets(), calls, clock)
    wires = transport_without_engine(settings, disk, paths.safety, sockets)
    link, _ = configured_venue(settings, clock, wires)
    try:
        _list_markets(link)
        return await _close_all(link, clock, settings.risk)
    finally:
        await link.close()
        if calls is not None:
            calls.tend()


def _call_log(paths: HomePaths, disk: RealDisk, clock: Clock) -> CallLog | None:
    """Return where the calls are written down, beside those of an engine; a disk that refuses stops nobody
    from getting out."""
    with suppress(OSError):
        return CallLog(paths.outputs / FOLDER, disk, f"bare-{clock.now_ns() // NS_PER_MS}")
    return None


def _list_markets(link: LiveVenue) -> None:
    """Let a venue whose markets are asked for list them; nobody needs what its stream says besides."""
    if not link.instruments():
        link.on_order_event(lambda event: None)
        link.on_link(lambda is_up: None)
        link.start()


async def _close_all(link: LiveVenue, clock: Clock, risk: RiskBlock) -> FlattenDone:
    deadline_ns = clock.monotonic_ns() + round(BARE_S * NS_PER_S)
    asked: dict[str, None] = {}
    empty, held = 0, [UNVERIFIED]
    while empty < EMPTY_LOOKS and clock.monotonic_ns() < deadline_ns:
        try:
            await link.cancel_all()
            positions = [p for p in (await link.account()).positions if p.quantity]
            for position in positions:
                asked.setdefault(position.symbol)
                with suppress(VenueError, Refusal):  # one that is refused must not keep the next from closing
                    await _close_bare(link, position, risk)
            held = [position.symbol for position in positions]
            empty = 0 if held else empty + 1
        except VenueError:
            empty, held = 0, held or [UNVERIFIED]
        await clock.sleep(STEP_S)
    if empty < EMPTY_LOOKS and not held:
        held = [UNVERIFIED]
    closed = tuple(symbol for symbol in asked if symbol not in held)
    return FlattenDone(is_flat=not held, closed=closed, remaining=tuple(held))


async def _close_bare(link: LiveVenue, position: VenuePosition, risk: RiskBlock) -> None:
    """Send one reduce-only order for the next slice; what is left or refused the caller tries again.

    Raises `VenueError`, or `Refusal`: venue_not_ready, instrument_unknown.
    """
    instrument = listed(link).get(position.symbol)
    if instrument is None:
        raise Refusal("instrument_unknown", position.symbol)
    side, mark = Side.SELL if position.quantity > 0 else Side.BUY, position.mark_price
    part = slice_of(instrument, position.quantity, mark, Decimal(str(risk.max_order_notional_usd)))
    request = OrderRequest(
        client_order_id=SortableIds(SystemClock()).new("X"),
        symbol=position.symbol,
        side=side,
        quantity=abs(part),
        order_type=OrderType.MARKET,
        limit_price=closing_limit(instrument, side, mark, Decimal(str(risk.price_collar))),
        time_in_force=TimeInForce.IOC,
        reduce_only=True,
        mark_price=mark or Decimal(0),
    )
    await link.submit(link.sign(request, await link.time_ns() // NS_PER_MS, 0))
