"""The demo: an engine of its own on the sandbox market, watched in the console or run headless.

It keeps its state under `demo/` in the home folder, so that it never touches a desk in use.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from engine.api import launch
from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import (
    AlarmAck,
    EngineStop,
    Kill,
    KillArm,
    KillArmed,
    KillDone,
    PaperStart,
    Resume,
    RunStart,
    SessionStarted,
    Started,
    TicketApprove,
    TicketReject,
    TicketSelect,
)
from engine.api.home import HomePaths, home_folder
from engine.api.run_views import RunsView
from engine.api.views import AlarmsView, OverviewView, StatusView, TicketRow, TicketsView, View
from seams.clock import NS_PER_MS, NS_PER_S, SystemClock
from seams.disk import RealDisk
from seams.ids import SortableIds
from seams.net import NetDown, NoAnswer
from venues.types import Record

GRACE_S = 0.65
KILL_BEFORE_END_S = 4.0
STRATEGIES = ("ema_cross", "rsi_ma_cross")
SUPERVISED = ("ema_cross",)
DATA_BARS, SYMBOL = 6_000, "BTC-PERP"

T = TypeVar("T")
OpenConsole = Callable[[Path, str, bool], int]
"""Called with home, operator and whether it may only look; returns the exit code."""


class DemoReport(Record):
    """What happened in a headless demo; `missing` names what should have and did not."""

    ok: bool
    seconds: float
    seed: int
    session_id: str
    bars: int
    decisions: int
    intents: int
    tickets: int
    approvals: int
    rejections: int
    orders: int
    fills: int
    alarms: tuple[str, ...]
    alarms_acked: int
    run_id: str
    run_trades: int
    kill_latency_ms: float
    halted_seen: bool
    resumed: bool
    invariants_checked: int
    audit_records: int
    decision_sha256: str
    errors: tuple[str, ...]
    missing: tuple[str, ...]


def demo_home() -> Path:
    """Return the demo's own home folder."""
    return home_folder() / "demo"


def run_interactive(*, seed: int, operator: str, load_console: Callable[[], OpenConsole]) -> int:
    """Start the demo's engine and session, open the console on it, stop the engine when it closes.

    `load_console` imports the console and returns what opens it: called while the engine starts.
    """
    home = demo_home()
    engine, (open_console, bars) = asyncio.run(_start(home, lambda: (load_console(), _prepare(seed))))
    try:
        asyncio.run(_begin(home, operator, seed, bars))
        return open_console(home, operator, False)
    finally:
        launch.end(engine.process)


def run_headless(*, seconds: float, seed: int, operator: str) -> DemoReport:
    """Play the operator's part of the demo by script and report what happened."""
    home = demo_home()
    engine, bars = asyncio.run(_start(home, lambda: _prepare(seed)))
    try:
        return asyncio.run(_Script(home, operator, seed, seconds, bars).play())
    finally:
        launch.end(engine.process)


async def _start(home: Path, prepare: Callable[[], T]) -> tuple[launch.Launched, T]:
    """Start the demo's engine and prepare beside it, on another core, what its first frame waits for.

    Raises `EngineNotReady`, and what `prepare` raises; no engine stays behind then.
    """
    starting = asyncio.create_task(launch.start(HomePaths(home), follows_parent=True))
    await asyncio.sleep(0)  # the process first
    try:
        prepared = await asyncio.to_thread(prepare)
        return await starting, prepared
    except BaseException:
        starting.cancel()
        await asyncio.wait({starting})
        if not starting.cancelled() and starting.exception() is None:
            launch.end(starting.result().process)
        raise


def session_request(seed: int) -> PaperStart:
    """Return the demo's session: two bundled strategies on four symbols, one of them supervised."""
    return PaperStart(
        strategies=STRATEGIES,
        feed="sandbox",
        scenario="demo",
        seed=seed,
        is_supervised=True,
        supervised_strategies=SUPERVISED,
    )


def write_demo_bars(home: Path, seed: int) -> str:
    """Import one set of generated bars and return its name, for the demo's back-test."""
    return _Bars(seed).write(home)


def _prepare(seed: int) -> _Bars:
    """Import what the connection needs and generate the bars: half a second of work."""
    importlib.import_module("engine.api.nats")
    return _Bars(seed)


class _Bars:
    """The demo's bars, generated before there is a home that they may be written to."""

    def __init__(self, seed: int) -> None:
        from engine.market.seed import generated
        from venues.sandbox.market import SandboxMarket

        self.market = SandboxMarket(seed=seed, scenario="sideways")
        self.made = generated(self.market, SYMBOL, DATA_BARS)

    def write(self, home: Path) -> str:
        from engine.market.seed import START_NS, store_made

        info = store_made(home, self.market, SYMBOL, self.made, START_NS, RealDisk())
        return f"{info.venue}/{info.symbol}/{info.interval}"


async def _connect(home: Path, operator: str) -> EngineClient:
    clock = SystemClock()
    return await EngineClient.connect(home, clock, SortableIds(clock), operator)


async def _begin(home: Path, operator: str, seed: int, bars: _Bars) -> None:
    """Start the session, and a back-test that will be finished when the operator looks."""
    client = await _connect(home, operator)
    try:
        await _ensure_clear(client)
        await client.demand(session_request(seed), SessionStarted, timeout_s=5.0)
        data = bars.write(home)
        await client.demand(RunStart(strategy="ema_cross", data=data, name="demo"), Started)
    finally:
        await client.close()


async def _ensure_clear(client: EngineClient) -> bool:
    """A demo that was left killed starts by resuming, with a reason on the record."""
    status = await client.query_view("status", StatusView)
    if status.kill_level == "clear":
        return False
    await client.demand(Resume(confirm="RESUME", note="left by a demo"), object, reason="a new demo begins")
    return True


class _Script:
    """The operator of the headless demo."""

    def __init__(self, home: Path, operator: str, seed: int, seconds: float, bars: _Bars) -> None:
        self.home, self.operator, self.seed, self.seconds = home, operator, seed, seconds
        self.bars, self.clock = bars, SystemClock()
        self.views: dict[str, View] = {}
        self.alarms: dict[str, str] = {}
        self.approvals = self.rejections = self.acked = self.invariants = self.tickets = 0
        self.seen: set[str] = set()
        self.errors: list[str] = []

    async def play(self) -> DemoReport:
        client = await _connect(self.home, self.operator)
        try:
            return await self._scenes(client)
        finally:
            try:
                await client.command(EngineStop(), timeout_s=3.0)
            except (NetDown, NoAnswer):
                self.errors.append("the engine did not answer the stop")
            await client.close()

    async def _scenes(self, client: EngineClient) -> DemoReport:
        await _ensure_clear(client)
        await client.watch(self._see)
        began_ns = self.clock.monotonic_ns()
        started = await client.demand(session_request(self.seed), SessionStarted, timeout_s=5.0)
        data = self.bars.write(self.home)
        await client.demand(RunStart(strategy="ema_cross", data=data, name="demo"), Started)
        until_ns = began_ns + round(max(1.0, self.seconds - KILL_BEFORE_END_S) * NS_PER_S)
        while self.clock.monotonic_ns() < until_ns:
            await self._operate(client)
            await self.clock.sleep(0.2)
        kill_ms, halted = await self._kill(client)
        resumed = await self._resume(client)
        overview = await client.query_view("overview", OverviewView)
        runs = await client.query_view("runs", RunsView)
        return self._report(started.session_id, overview, runs, kill_ms, halted, resumed, began_ns)

    def _see(self, view: View) -> None:
        self.views[type(view).__name__] = view
        if isinstance(view, AlarmsView):
            for row in view.rows:
                self.alarms.setdefault(row.alarm_id, row.code)
        self._check(view)

    def _check(self, view: View) -> None:
        """Check what must hold in every view that comes by."""
        self.invariants += 1
        if isinstance(view, StatusView) and view.orders_unknown and view.level == "clear":
            self.errors.append("an order is UNKNOWN and nothing holds")
        if isinstance(view, StatusView) and view.kill_level != "clear" and view.level == "clear":
            self.errors.append("the latch is set and the level is clear")

    async def _operate(self, client: EngineClient) -> None:
        """Decide each new ticket (the second one is rejected) and acknowledge alarms."""
        tickets = self.views.get("TicketsView")
        rows = tickets.rows if isinstance(tickets, TicketsView) else ()
        for row in rows:
            if row.state == "proposed" and row.ticket_id not in self.seen:
                self.seen.add(row.ticket_id)
                await self._decide(client, row)
                break
        alarms = self.views.get("AlarmsView")
        for alarm in alarms.rows if isinstance(alarms, AlarmsView) else ():
            if alarm.state in ("UNACK", "RTN-UN") and alarm.code != "kill_latched":
                await client.command(AlarmAck(alarm_id=alarm.alarm_id))
                self.acked += 1
                break

    async def _decide(self, client: EngineClient, row: TicketRow) -> None:
        self.tickets += 1
        try:
            if self.tickets == 2:
                reject = TicketReject(ticket_id=row.ticket_id, reason_digit=1, text="demo")
                await client.demand(reject, object)
                self.rejections += 1
                return
            await self._approve(client, row.ticket_id)
            self.approvals += 1
        except EngineRefused as refused:
            # A hold (the provoked stale feed) or a session's own exit may win the race; that is an answer.
            if refused.reply.code not in ("checks_failed", "ticket_used", "ticket_expired"):
                self.errors.append(str(refused))

    async def _approve(self, client: EngineClient, ticket_id: str) -> None:
        """Look and approve; where a check came out worse meanwhile, look again."""
        for is_last in (False, False, True):
            shown = await client.demand(TicketSelect(ticket_id=ticket_id), TicketRow)
            await self.clock.sleep(GRACE_S)
            size: Decimal | None = shown.quantity if shown.worst == "warn" else None
            approve = TicketApprove(ticket_id=ticket_id, ticket_hash=shown.ticket_hash, typed_size=size)
            try:
                await client.demand(approve, object)
                return
            except EngineRefused as refused:
                if is_last or refused.reply.code not in ("ticket_hash_mismatch", "ticket_changed"):
                    raise

    async def _kill(self, client: EngineClient) -> tuple[float, bool]:
        armed = await client.demand(KillArm(), KillArmed)
        before_ns = self.clock.monotonic_ns()
        await client.demand(Kill(confirm="KILL", nonce=armed.nonce), KillDone, reason="demo")
        kill_ms = (self.clock.monotonic_ns() - before_ns) / NS_PER_MS
        status = await client.query_view("status", StatusView)
        await self.clock.sleep(1.0)
        return kill_ms, status.level == "halt" and status.kill_level == "halt_all"

    async def _resume(self, client: EngineClient) -> bool:
        await client.demand(
            Resume(confirm="RESUME", note="the demo pulled it"), object, reason="demo: looked, all is well"
        )
        return (await client.query_view("status", StatusView)).kill_level == "clear"

    def _report(
        self,
        session_id: str,
        overview: OverviewView,
        runs: RunsView,
        kill_ms: float,
        halted: bool,
        resumed: bool,
        began_ns: int,
    ) -> DemoReport:
        from engine.api.record import audit_verify

        session = next(row for row in runs.sessions if row.session_id == session_id)
        run = next((row for row in runs.runs if row.status in ("success", "no_trades")), None)
        audit = audit_verify(self.home, dict(os.environ))
        codes = tuple(sorted(set(self.alarms.values())))
        facts = {
            "bars": session.bars,
            "decisions": overview.decisions,
            "tickets": self.tickets,
            "approvals": self.approvals,
            "rejections": self.rejections,
            "orders": session.orders,
            "fills": session.fills,
            "alarm feed_stale": int("feed_stale" in codes),
            "alarm order_rejected": int("order_rejected" in codes),
            "alarms acked": self.acked,
            "run": int(run is not None),
            "halted": int(halted),
            "resumed": int(resumed),
            "audit": int(bool(getattr(audit, "ok", False))),
        }
        missing = tuple(name for name, count in facts.items() if not count)
        return DemoReport(
            ok=not missing and not self.errors,
            seconds=round((self.clock.monotonic_ns() - began_ns) / NS_PER_S, 3),
            seed=self.seed,
            session_id=session_id,
            bars=session.bars,
            decisions=overview.decisions,
            intents=session.decisions,
            tickets=self.tickets,
            approvals=self.approvals,
            rejections=self.rejections,
            orders=session.orders,
            fills=session.fills,
            alarms=codes,
            alarms_acked=self.acked,
            run_id=run.run_id if run else "",
            run_trades=run.trades if run else 0,
            kill_latency_ms=round(kill_ms, 3),
            halted_seen=halted,
            resumed=resumed,
            invariants_checked=self.invariants,
            audit_records=int(getattr(audit, "records", 0)),
            decision_sha256=session.decision_sha256,
            errors=tuple(self.errors),
            missing=missing,
        )
