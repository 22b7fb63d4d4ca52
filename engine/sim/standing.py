"""What must hold at every second: the standing state of engine, exchange and watchdog."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path

from engine.api.home import HomePaths
from engine.core import Core
from engine.daemon import Engine
from engine.desk import MAX_SESSIONS
from engine.research.sessions import FILES
from engine.sim.guard import CANCEL_S, CLOSE_ONLY_S
from engine.sim.invariants import Judge
from engine.sim.wires import CLOGGED_S
from engine.sim.world import HOME, Incarnation, now_s
from engine.trading.custody import IN_TOUCH_NS, Custody, Verdict
from engine.trading.ledger import Ledger
from native.identity import kernel_sha256
from safety.beat import BeatState
from safety.interlock import Action, HoldLevel, permits
from safety.killbyte import KillLevel
from safety.killswitch import LatchUnreadable, read_latch
from seams.clock import NS_PER_S
from venues.types import TERMINAL, OrderStatus

SLACK_S = 1.5
"""Between two looks, and a step of the one who is judged."""
CANCELS_WITHIN_S = 9.0
"""Within which the cancel that a sound engine wants must have left it: a connection may be clogged."""
LEDGER_EVERY_S = 5
SESSIONS = HomePaths(HOME).sessions


def look(judge: Judge) -> None:
    """Judge everything that must hold now."""
    _watchdog(judge)
    _seal(judge)
    incarnation = judge.world.incarnation
    if incarnation is None:
        judge.wanted_since_s.clear()
        return
    engine = incarnation.engine
    custody = engine.custody
    assert custody is not None
    _exposure(judge, engine)
    _orders(judge, engine, custody)
    _latch(judge, engine.core)
    _cancels(judge, incarnation)
    _record(judge, engine, custody)
    _risk_memory(judge, engine.core)
    _bounded(judge, engine, custody)
    _beat(judge, incarnation)
    for each in HoldLevel:
        judge.check("I14", permits(Action.CANCEL, each), lambda: "a cancel is held back")
    is_named = engine.core.kernel_sha256 == kernel_sha256()
    judge.check("I43", is_named, lambda: "another kernel runs than the one named")


def _orders(judge: Judge, engine: Engine, custody: Custody) -> None:
    """I5, I6, I9, I16: what is said of each order is not against the exchange's truth."""
    working = {entry.request.client_order_id for entry in judge.world.venue.working()}
    for order in custody.orders.orders.values():
        oid, status = order.order_id, order.status
        if "overfill" not in order.reason:
            is_ok = order.filled <= order.request.quantity
            judge.check("I9", is_ok, lambda o=oid: f"{o} is filled beyond its quantity")  # type: ignore[misc]
            is_ok = status is not OrderStatus.FILLED or order.filled == order.request.quantity
            judge.check("I9", is_ok, lambda o=order: f"{o.order_id} is FILLED with {o.filled}")  # type: ignore[misc]
        is_dead = status in TERMINAL
        judge.check("I6", not (is_dead and oid in working), lambda o=oid: f"{o} is called dead, and works")  # type: ignore[misc]
        if status is OrderStatus.UNKNOWN:
            held = engine.core.interlock.has("ambiguity", order.request.symbol)
            judge.check("I5", held, lambda o=oid: f"{o} is UNKNOWN and nothing holds")  # type: ignore[misc]
    if custody.verdict is Verdict.AMBIGUOUS:
        is_held = engine.core.interlock.has("ambiguity", "account")
        judge.check("I16", is_held, lambda: "AMBIGUOUS and nothing holds")


def _exposure(judge: Judge, engine: Engine) -> None:
    """I7: the worst that the exchange's book could come to stays within its limit."""
    limit = Decimal(str(engine.core.settings.risk.max_symbol_exposure_usd)) * Decimal("1.02")
    for symbol, worst_usd in _worst(judge).items():
        judge.check("I7", worst_usd <= limit, lambda s=symbol, w=worst_usd: f"{s} may reach {w:.0f} USD")  # type: ignore[misc]


def _latch(judge: Judge, core: Core) -> None:
    """I12: byte, record and disk agree; I13: only a reset by name and with a reason loosens."""
    level, epoch, record = core.kill.level, core.kill.epoch, core.kill.record
    judge.check("I12", level >= core.kill.byte.level, lambda: f"latch {level} below its byte")
    try:
        kept = read_latch(judge.world.disk, HOME / "safety")
        is_kept = kept is not None and kept.level >= record.level and kept.epoch >= record.epoch
    except LatchUnreadable:
        is_kept = False
    judge.check("I12", is_kept, lambda: f"the latch is {record.level.name} in memory only")
    if level < judge.latch[0]:
        is_reset = record.source == "reset" and record.by == "ada" and bool(record.reason)
        # A reset may have been followed by a milder trip since the last look.
        is_ok = epoch > judge.latch[1] and (is_reset or level is not KillLevel.CLEAR)
        judge.check("I13", is_ok, lambda: f"{judge.latch[0].name} became {level.name} by {record}")
        _looked_again(judge, record.source)
    judge.check("I13", epoch >= judge.latch[1], lambda: f"epoch {judge.latch[1]} became {epoch}")
    incarnation = judge.world.incarnation
    if incarnation is not None and (level is KillLevel.CLEAR or incarnation.number != judge.latched[0]):
        judge.latched = (incarnation.number, now_s(judge.world))
    judge.latch = (level, max(epoch, judge.latch[1]))
    held = {(hold.code, hold.subject) for hold in core.interlock.holds}
    latched = {(row.code, row.subject) for row in core.store.risk.latched()}
    judge.check("I27", latched <= held, lambda: f"latched, and held no more: {latched - held}")


def _looked_again(judge: Judge, source: str) -> None:
    """I13: nobody resumes on what was known before the kill: the exchange has answered since."""
    incarnation = judge.world.incarnation
    number, since_s = judge.latched
    if incarnation is not None and incarnation.number == number and source == "reset":
        early_s = since_s - incarnation.wire.answered_s
        judge.check(
            "I13", early_s <= SLACK_S, lambda: f"reset on an answer {early_s:.1f} s older than the kill"
        )


def _cancels(judge: Judge, incarnation: Incarnation) -> None:
    """I14: under halt_all the cancel of whatever works is asked for, and what was asked for has left."""
    world, custody = judge.world, incarnation.engine.custody
    assert custody is not None
    is_halted = incarnation.engine.core.kill.record.level is KillLevel.HALT_ALL
    is_sound = incarnation.wire.is_reachable and not world.loop.frozen
    working = {entry.request.client_order_id for entry in world.venue.working()} if is_sound else set()
    wanted = {
        oid: judge.wanted_since_s.get(oid, now_s(world))
        for oid, order in custody.orders.orders.items()
        if oid in working and (order.pending == "cancel" or (is_halted and not order.is_flatten))
    }
    judge.wanted_since_s = wanted
    for oid, since_s in wanted.items():
        is_asked = bool(judge.cancels[oid]) or now_s(world) - since_s < CANCELS_WITHIN_S
        judge.check("I14", is_asked, lambda o=oid: f"{o} works on, and no cancel has left")  # type: ignore[misc]


def _record(judge: Judge, engine: Engine, custody: Custody) -> None:
    """I17, I31: memory knows every open order and every booking that a restart would read."""
    open_rows = engine.core.store.orders.orders_open()
    lost = {row.client_order_id for row in open_rows} - custody.orders.orders.keys()
    judge.check("I17", not lost, lambda: f"open on record, and forgotten: {sorted(lost)}")
    if round(now_s(judge.world)) % LEDGER_EVERY_S == 0:
        ledgers(judge, custody)


def ledgers(judge: Judge, custody: Custody) -> Ledger:
    """Judge that the ledger in memory is the one that a restart would build, and return that one."""
    anew = custody.ledger_of_record()
    for symbol in sorted({*anew.holdings, *custody.ledger.holdings}):
        ours, read = _figures(custody.ledger, symbol), _figures(anew, symbol)
        judge.check("I31", ours == read, lambda s=symbol, o=ours, r=read: f"{s}: memory {o}, record {r}")  # type: ignore[misc]
    judge.check("I31", anew.cash_usd == custody.ledger.cash_usd, lambda: "cash of memory and record differ")
    return anew


def _figures(ledger: Ledger, symbol: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    held = ledger.holding(symbol)
    return held.quantity, held.entry_price, held.realised, held.fees


def _risk_memory(judge: Judge, core: Core) -> None:
    """I26: the day's start and the high-water mark are not forgotten."""
    memory, (day, start, peak, epoch) = core.risk_memory, judge.memory
    if day:
        judge.check("I26", memory.day >= day, lambda: f"day {day} became {memory.day}")
        is_kept = memory.day > day or memory.day_start_usd == start
        judge.check("I26", is_kept, lambda: f"the day began at {start}, now {memory.day_start_usd}")
        is_kept = memory.peak_usd >= peak - Decimal("0.01") or core.kill.epoch > epoch
        judge.check("I26", is_kept, lambda: f"high water {peak} became {memory.peak_usd}")
    row = core.store.risk.memory("desk")
    if row is not None:
        judge.memory = (row.day, row.day_start_usd, row.peak_usd, core.kill.epoch)


def _bounded(judge: Judge, engine: Engine, custody: Custody) -> None:
    """I40: nothing grows with every session or event."""
    sizes = {
        "market listeners": (judge.world.bourse.listening(custody.venue), len(engine.desk.running)),
        "tasks": (len(engine.handlers.background), 50),
        "holds": (len(engine.core.interlock.holds), 100),
        "sessions": (len(engine.desk.running), MAX_SESSIONS),
    }
    for name, (size, most) in sizes.items():
        judge.check("I40", size <= most, lambda n=name, s=size: f"{s} {n}")  # type: ignore[misc]


def _beat(judge: Judge, incarnation: Incarnation) -> None:
    """I37: progress is told only while the exchange answers: a loop that turns alone is none."""
    beat = judge.world.beat.read()
    if beat is None or beat.count == judge.beaten:
        return
    judge.beaten = beat.count
    if beat.state is BeatState.RUNNING and beat.pid == incarnation.number:
        heard_s = max(incarnation.wire.answered_s, incarnation.since_s)
        silent_s = beat.at_ns / NS_PER_S - heard_s
        is_true = silent_s <= IN_TOUCH_NS / NS_PER_S + SLACK_S
        judge.check("I37", is_true, lambda: f"progress was told {silent_s:.1f} s after the last answer")


def _watchdog(judge: Judge) -> None:
    """I38: an engine without progress is latched and cancelled from outside, whatever ails it."""
    world, guard = judge.world, judge.guard
    beat = world.beat.read()
    if beat is None or beat.state is not BeatState.RUNNING:
        return
    last_s = beat.at_ns / NS_PER_S
    watched_s = now_s(world) - max(last_s, guard.up_since_s)
    was_open, judge.is_open = judge.is_open, world.byte.level is KillLevel.CLEAR
    if watched_s > CLOSE_ONLY_S + SLACK_S:
        is_shut = not (was_open and judge.is_open)  # a reset comes just before the next beat
        judge.check("I38", is_shut, lambda: f"silent for {watched_s:.1f} s, and nothing is latched")
    if watched_s > CANCEL_S + CLOGGED_S[1] + SLACK_S:
        is_asked = guard.cancelled_s > last_s
        judge.check("I38", is_asked, lambda: f"silent for {watched_s:.1f} s, and no cancel has left")


def _seal(judge: Judge) -> None:
    """Remember what every ended session's folder held when it was first seen: I33 compares at the end."""
    disk = judge.world.disk
    for name in disk.list(SESSIONS):
        folder = SESSIONS / name
        status = disk.files.get(folder / FILES["status"], b"")
        if folder not in judge.sealed and b'"terminal": true' in status:
            judge.sealed[folder] = folder_sha256(judge, folder)


def folder_sha256(judge: Judge, folder: Path) -> str:
    """Return one hash over the names and contents of a folder's files."""
    files = judge.world.disk.files
    digest = hashlib.sha256()
    for path in sorted(path for path in files if folder in path.parents):
        digest.update(str(path).encode() + b"\0" + hashlib.sha256(files[path]).digest())
    return digest.hexdigest()


def _worst(judge: Judge) -> dict[str, Decimal]:
    """Return, by symbol, the worst value the exchange's position could reach with what works there."""
    venue = judge.world.venue
    books: dict[str, list[Decimal]] = {}
    for fill in venue.all_fills():
        book = books.setdefault(fill.symbol, [Decimal(0)] * 3)
        book[0] += fill.quantity * fill.side.sign
    for entry in venue.working():
        if not entry.request.reduce_only and entry.request.client_order_id in judge.bytes_of:
            book = books.setdefault(entry.request.symbol, [Decimal(0)] * 3)
            book[1 if entry.request.side.sign > 0 else 2] += entry.request.quantity - entry.filled
    return {
        symbol: max(abs(held), abs(held + buys), abs(held - sells)) * venue.mark(symbol)
        for symbol, (held, buys, sells) in books.items()
    }
