"""The drills: severe paths performed on a rehearsal desk of real processes, measured, kept as evidence."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from engine.api.commands import Kill, KillDone, PaperStart, SessionStarted
from engine.api.home import HomePaths
from engine.api.views import OrdersView, StatusView
from engine.assembly import ENGINE_VERSION
from engine.failures import reason_code
from engine.keys import drill_key
from engine.offline import flatten_offline
from engine.ops.drill_evidence import Drill, SealedDrill, goals_of, keep, seal
from engine.rehearsal import Rehearsal
from engine.research.identity import git_commit
from native.identity import kernel_sha256
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE
from seams.clock import NS_PER_MS, SystemClock
from seams.disk import RealDisk

RESTING = 20
TRADING_S = 120.0
Tell = Callable[[str], None]
Figures = dict[str, float]

GOALS: Mapping[str, Mapping[str, float]] = {
    "kill": {"blocked_ms": 50, "first_cancel_ms": 100, "verified_ms": 5_000, "orders_after_block": 0},
    "dead-man": {"close_only_ms": 6_000, "first_cancel_ms": 11_000, "verified_ms": 15_000, "orders_left": 0},
    "flatten": {"verified_ms": 20_000, "positions_left": 0},
}
"""Kind -> figure -> the most it may be. Times count from the trigger: the command, the frozen loop."""


async def rehearse(home: Path, environ: dict[str, str], kind: str, who: str, why: str, tell: Tell) -> Path:
    """Perform one drill and return where its evidence lies. Raises `KeyError` for an unknown kind, and
    `Refusal` or `ConfigError` where key or configuration cannot be used; a drill that fails is evidence."""
    bounds, clock = GOALS[kind], SystemClock()
    key = drill_key(home, environ)
    desk = Rehearsal(HomePaths(home).run / "drill")
    began_ns, problem = clock.now_ns(), ""
    figures: Figures = {}
    try:
        tell("starting an exchange and an engine of their own")
        await desk.open()
        await _DRILLS[kind](desk, figures, tell)
    except Exception as error:  # whatever went wrong, the drill has failed and says so
        problem = f"{reason_code(error)}: {error}"
    finally:
        await desk.close()
    goals = goals_of(figures, bounds)
    drill = Drill(
        kind=kind,
        scope="rehearsal",
        ok=not problem and all(goal.is_met for goal in goals),
        problem=problem,
        operator=who,
        reason=why,
        began_ns=began_ns,
        goals=goals,
        facts={name: round(value) for name, value in figures.items() if name not in bounds},
        engine_version=ENGINE_VERSION,
        commit=git_commit(),
        kernel_sha256=kernel_sha256(),
    )
    return keep(HomePaths(home).outputs, RealDisk(), seal(drill, key))


async def _trade(desk: Rehearsal, tell: Tell, *, is_working: bool) -> None:
    """Let a session trade until an order works at the exchange, or a position is held there."""
    client, link = await desk.client(), desk.link()
    start = PaperStart(feed="exchange", strategies=("ema_cross",), params={"fast": 2.0, "slow": 3.0})
    try:
        await client.demand(start, SessionStarted, timeout_s=10.0)
        tell("a session trades; waiting for its orders")

        async def is_there() -> bool:
            if is_working:
                return (await client.query_view("status", StatusView)).orders_working > 0
            return any(position.quantity for position in (await link.account()).positions)

        await desk.until(is_there, TRADING_S, "the session did not trade")
    finally:
        await client.close()


async def _kill(desk: Rehearsal, figures: Figures, tell: Tell) -> None:
    """A halt_all by command while orders work: blocked by the byte, cancelled, verified, nothing after."""
    await _trade(desk, tell, is_working=True)
    client, clock = await desk.client(), desk.clock
    byte, pause = KillByte.shared(desk.paths.safety / BYTE_FILE), threading.Event()

    def blocked() -> int:
        deadline_ns = clock.monotonic_ns() + 5_000 * NS_PER_MS
        while byte.level is not KillLevel.HALT_ALL and clock.monotonic_ns() < deadline_ns:
            pause.wait(0.0002)  # a busy look would take the interpreter from the command that is measured
        return clock.now_ns()

    try:
        looking = asyncio.get_running_loop().run_in_executor(None, blocked)
        await clock.sleep(0.01)
        tell("kill: halt_all by command")
        began_ns = clock.now_ns()
        body = Kill(level="halt_all", confirm="KILL")
        done = await client.demand(body, KillDone, reason="drill", timeout_s=5.0)
        blocked_ns = await looking
        orders = (await client.query_view("orders", OrdersView)).rows
    finally:
        await client.close()
    is_empty = await desk.verified_empty(10.0)
    figures["blocked_ms"] = (blocked_ns - began_ns) / NS_PER_MS
    if is_empty:
        figures["verified_ms"] = (clock.now_ns() - began_ns) / NS_PER_MS
    await clock.sleep(1.0)  # what might still leave has left
    cancels = [at_ns for at_ns in desk.arrivals(b"cancel") if at_ns >= began_ns]
    if cancels:
        figures["first_cancel_ms"] = (cancels[0] - began_ns) / NS_PER_MS
    figures["cancels"] = len(cancels)
    figures["latch_us"] = done.latch_ms * 1_000
    figures["orders_after_block"] = sum(1 for order in orders if order.sent_ns > blocked_ns)
    figures["orders_in_flight"] = sum(1 for at_ns in desk.arrivals(b"place") if at_ns > blocked_ns)


async def _dead_man(desk: Rehearsal, figures: Figures, tell: Tell) -> None:
    """The engine freezes with orders on the book: its watchdog latches, cancels, verifies."""
    desk.watch()
    await desk.rest_orders(RESTING)
    await desk.clock.sleep(1.5)  # the watchdog has begun, and seen progress
    tell(f"dead man: the engine is frozen with {RESTING} orders at the exchange")
    began_ns = desk.clock.now_ns()
    byte = KillByte.shared(desk.paths.safety / BYTE_FILE)
    desk.hurt(signal.SIGSTOP)
    await desk.until(lambda: byte.level is not KillLevel.CLEAR, 15.0, "close_only was not latched")
    figures["close_only_ms"] = (desk.clock.now_ns() - began_ns) / NS_PER_MS
    await desk.until(lambda: bool(desk.arrivals(b"cancel_all")), 20.0, "nothing was cancelled")
    figures["first_cancel_ms"] = (desk.arrivals(b"cancel_all")[0] - began_ns) / NS_PER_MS
    if await desk.verified_empty(15.0):
        figures["verified_ms"] = (desk.clock.now_ns() - began_ns) / NS_PER_MS
    figures["orders_left"] = len(await desk.link().open_orders())
    figures["orders_open_before"] = RESTING


async def _flatten(desk: Rehearsal, figures: Figures, tell: Tell) -> None:
    """The engine is dead and positions stand: they are closed without it, and the exchange says flat."""
    await _trade(desk, tell, is_working=False)
    desk.hurt(signal.SIGKILL)
    link = desk.link()
    figures["positions_before"] = sum(1 for p in (await link.account()).positions if p.quantity)
    tell("flatten: the engine is dead and positions stand")
    began_ns = desk.clock.now_ns()
    found = await flatten_offline(desk.home, desk.environ(), "drill", "drill")
    left = sum(1 for p in (await link.account()).positions if p.quantity)
    figures["positions_left"] = left
    if found.done.is_flat and not left:
        figures["verified_ms"] = (desk.clock.now_ns() - began_ns) / NS_PER_MS


_DRILLS: Mapping[str, Callable[[Rehearsal, Figures, Tell], Awaitable[None]]] = {
    "kill": _kill,
    "dead-man": _dead_man,
    "flatten": _flatten,
}
KINDS = tuple(_DRILLS)
__all__ = ["GOALS", "KINDS", "SealedDrill", "drill_key", "rehearse"]
