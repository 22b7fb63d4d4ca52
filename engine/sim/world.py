"""One simulated world: an exchange, an engine that may die and come back, an operator, and their links."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.assembly import Seams, build_core
from engine.core import STORAGE_FAILURES
from engine.daemon import Engine
from engine.sim.bourses import BOURSES
from engine.sim.disk import DiskOfOne, SimDisk
from engine.sim.faults import Dice, Fault, Plan
from engine.sim.time import INCARNATION, SteppingClock, StirredLoop
from engine.sim.wires import Died, SimBus, SimWire
from safety.beat import BeatPage
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import REQUEST_FILE
from seams.clock import NS_PER_S
from seams.rng import Rng
from seams.virtual import VirtualClock

HOME = Path("desk")
"""Relative on purpose: no path of this host comes into a trace."""
ACCOUNT = "acct-1"
KILL_FILE = HOME / "safety" / REQUEST_FILE
VIEWS_EVERY = 5
RESTART_S = (0.1, 2.0)
LEVELS = (KillLevel.CLOSE_ONLY, KillLevel.HALT_ALL)
ENVIRON = {
    "INTERLOCK_ENGINE__MODE": "live",
    "INTERLOCK_ENGINE__ENVIRONMENT": "sandbox",
    "INTERLOCK_RISK__PRICE_DRIFT_5MIN": "0.5",
    "INTERLOCK_RISK__SYMBOL_ENTRIES_PER_MINUTE": "40",
    "INTERLOCK_RISK__ENTRIES_PER_MINUTE": "80",
    "INTERLOCK_ENGINE__CRASH_LOOP_DEATHS": "1000",
}
TIGHT = {
    "INTERLOCK_RISK__DAILY_LOSS_CLOSE_ONLY_USD": "150",
    "INTERLOCK_RISK__DAILY_LOSS_HALT_USD": "600",
    "INTERLOCK_RISK__DRAWDOWN_CLOSE_ONLY": "0.002",
    "INTERLOCK_RISK__DRAWDOWN_HALT": "0.008",
    "INTERLOCK_RISK__MAX_REPEATS": "6",
    "INTERLOCK_ENGINE__CRASH_LOOP_DEATHS": "3",
}
"""Limits that a simulated minute can breach: a fifth of the seeds has them: breaches meet deaths."""


@dataclass
class Incarnation:
    """One start of the engine, until it ends or dies."""

    number: int
    engine: Engine
    wire: SimWire
    since_s: float = 0.0
    """When it began, or went on after its last pause."""
    task: asyncio.Task[None] | None = None
    is_dead: bool = False
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)


class World:
    """Everything of one seed. `trace` receives every fact that left a process, in order."""

    def __init__(self, seed: int, plan: Plan, template: Path, venue: str = "sandbox") -> None:
        self.seed, self.dice = seed, Dice(seed, plan)
        self.views_every = VIEWS_EVERY
        self.is_supervised = seed % 4 == 0
        """Entries wait for the operator."""
        self.has_tight_limits = seed % 5 == 2
        self.environ = ENVIRON | (TIGHT if self.has_tight_limits else {})
        """How every engine of this world is configured."""
        self.loop = StirredLoop(self.dice)
        self.true_clock = VirtualClock(self.loop)
        self.clock = SteppingClock(self.loop)
        self.disk = SimDisk(self.dice, self.at_point)
        self.bus = SimBus(self._spawn_in)
        self.trace: list[bytes] = []
        self.events = 0
        self.crashes = 0
        self.incarnation: Incarnation | None = None
        self.started = 0
        self._template = template
        self._dead: set[int] = set()
        self.byte = KillByte.anonymous()
        """The shared page: it outlives every process of this host."""
        self._died = asyncio.Event()
        self._starting: Incarnation | None = None
        self.beat = BeatPage.anonymous()
        """The engine's proof of progress, which outlives it: the watchdog reads it."""
        self.on_sent: Callable[[bytes], None] = lambda body: None
        """Called with every request at the instant its first byte leaves the engine."""
        self.on_delivered: Callable[[bytes], None] = lambda frame: None
        """Called with every pushed frame right after the engine has taken it."""
        self.on_clogged: Callable[[float], None] = lambda seconds: None
        """Called with how long an order waits for its connection, when that is long."""
        self.on_point: Callable[[str], None] = lambda site: None
        """Called at every chaos point of the living engine, before anything befalls it there."""
        self.on_appended: Callable[[], None] = lambda: None
        """Called when the living engine has put a record behind one of its logs."""
        self.points: Counter[str] = Counter()
        """How often each point was reached, and (`!site`) how often something happened there."""
        self._world_tasks: set[asyncio.Task[Any]] = set()
        self.bourse = BOURSES[venue](self)
        self.venue, self.exchange, self.instruments = (
            self.bourse.venue,
            self.bourse.exchange,
            self.bourse.instruments,
        )
        self.closed_until_s = self.empty_until_s = 0.0
        """Until when the exchange is in maintenance (F19), and until when nothing executes there (F48)."""
        self.refused: set[str] = set()
        """The orders that the exchange has truly refused."""
        self.loop.set_task_factory(self._make_task)  # type: ignore[arg-type]

    # --- facts -----------------------------------------------------------------------------------

    def fact(self, kind: str, text: str | bytes) -> None:
        """Put one fact on the trace, with the true time."""
        body = text if isinstance(text, bytes) else text.encode()
        self.trace.append(b"%d %s " % (self.true_clock.monotonic_ns() // 1000, kind.encode()) + body)
        self.events += 1

    @property
    def sha256(self) -> str:
        return hashlib.sha256(b"\n".join(self.trace)).hexdigest()

    # --- the exchange's side ---------------------------------------------------------------------

    def part_of(self, quantity: Decimal, lot: Decimal) -> Decimal:
        """Let an order execute in parts (F48)."""
        if self.loop.time() < self.empty_until_s:
            return Decimal(0)
        lots = int(quantity / lot)
        if lots < 2 or not self.dice.strikes(Fault.PARTIAL_FILLS):
            return quantity
        return lot * self.dice.stream("parts").randint(1, lots - 1)

    # --- the engine's life -----------------------------------------------------------------------

    async def start_engine(self) -> Incarnation | None:
        """Start the engine on what is on the disk; None where it died (or refused) while starting."""
        self.started += 1
        number = self.started
        token = INCARNATION.set(number)
        try:
            incarnation = self._starting = self._build(number)
            incarnation.engine.recover()
            self.incarnation, self._starting = incarnation, None
            self._died.clear()
            incarnation.task = self.loop.create_task(self._serve(incarnation))
            self.fact("start", f"{number} epoch {incarnation.engine.core.epoch}")
            return incarnation
        except Died:
            return None
        except STORAGE_FAILURES as error:
            self._bury(number, f"refuses to start: {type(error).__name__} {error}")
            return None
        finally:
            self._starting = None
            INCARNATION.reset(token)
            gc.collect(0)  # a half-built engine lets go of its database

    def _build(self, number: int) -> Incarnation:
        self._prepare_database()
        dead: set[int] = self._dead
        seams = Seams(
            self.clock,
            None,
            Rng(self.seed * 1_000 + number),
            DiskOfOne(self.disk, lambda: number in dead),
            pid=number,
            commit="0" * 40,
            token=lambda size: f"token-{number}-{size}",
        )
        core = build_core(seams, HOME, self.environ, self.byte)
        link, wire = self.bourse.enter(number)
        wire.on_delivered = lambda frame: self.on_delivered(frame)
        engine = Engine(core, link, ACCOUNT, self.views_every)
        engine.beat = self.beat
        self.bourse.learn_desk(core)
        return Incarnation(number, engine, wire, self.loop.time())

    async def _serve(self, incarnation: Incarnation) -> None:
        """Run one engine to its orderly end; the service manager then starts the next."""
        await incarnation.engine.serve(self.bus.port(_name(incarnation.number)))
        await incarnation.engine.close()
        self.fact("stop", str(incarnation.number))
        self.crashes -= 1
        self.die(incarnation.number, "stopped in order")

    async def keep_alive(self) -> None:
        """Start the engine, and again whenever it has died: the service manager."""
        while True:
            incarnation = await self.start_engine()
            if incarnation is not None:
                await self._died.wait()
                await self._sweep_out(incarnation)
            if self.dice.strikes(Fault.KILL_WHILE_DOWN):
                self.pull_byte("while the engine is down")
            await asyncio.sleep(self.dice.stream("restart").uniform(*RESTART_S))

    def at_point(self, site: str) -> None:
        """A place between two effects: the engine may die here, or somebody may pull the kill switch."""
        number = INCARNATION.get()
        if number == 0 or number in self._dead:
            return
        self.points[site] += 1
        self.on_point(site)
        if site == "disk.appended":
            self.on_appended()
        strikes, is_order = self.dice.strikes, site.startswith(("orders.", "wire.order"))
        if strikes(Fault.KILL_ANYWHERE) or (is_order and strikes(Fault.KILL_AT_ORDER)):
            self.points[f"!{site}"] += 1
            self.pull_byte(f"at {site}")
        fault = Fault.CRASH_IN_CALL if site.startswith("wire") else Fault.CRASH
        if strikes(fault) or (is_order and strikes(Fault.CRASH_AT_ORDER)):
            self.points[f"!{site}"] += 1
            self.die(number, site)
            raise Died(site)

    def die(self, number: int, site: str) -> None:
        """The engine's process ends now, as by kill -9."""
        self._bury(number, site)
        self._died.set()

    def pause(self, seconds: float) -> None:
        """Stop the engine's process for a while (SIGSTOP, a long collection): the world goes on."""
        if self.incarnation is None or self.loop.frozen:
            return
        number = self.incarnation.number
        self.loop.freeze(number)
        self.incarnation.wire.is_frozen = True
        self.fact("pause", f"{number} {seconds:.3f}")
        self.loop.call_later(seconds, self._go_on, number)

    def _go_on(self, number: int) -> None:
        if self.loop.frozen != number:
            return
        self.fact("continue", str(number))
        self.loop.thaw()
        if self.incarnation is not None:
            self.incarnation.since_s = self.loop.time()
        if self.incarnation is not None and self.incarnation.number == number:
            self.incarnation.wire.thaw()

    def pull_byte(self, why: str, level: KillLevel | None = None) -> None:
        """Another process sets the shared kill byte, to a level that is drawn where none is given."""
        self.byte.raise_to(level or self.dice.stream("kill level").choice(LEVELS))
        self.fact("kill", why)

    def _bury(self, number: int, site: str) -> None:
        self._go_on(number)
        self.crashes += 1
        self._dead.add(number)
        self.fact("crash", f"{number} {site}")
        # The shared page outlives the process; what a dying process does to its copy does not count.
        page, self.byte = self.byte, KillByte.anonymous()
        self.byte.raise_to(page.level)
        self.byte.set_trips(page.trips)
        self.bus.drop(_name(number))
        for each in (self.incarnation, self._starting):
            if each is not None and each.number == number:
                each.is_dead = each.wire.is_dead = True
                each.engine.core.store.abandon()
        self.incarnation = None

    async def _sweep_out(self, incarnation: Incarnation) -> None:
        """Nothing of a dead process runs on, not even what swallows a cancel (`asyncio.wait_for` may)."""
        while tasks := [task for task in incarnation.tasks if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.01)
        incarnation.tasks.clear()

    def sent_out(self, body: bytes) -> None:
        """The first byte of a request leaves the engine now."""
        self.on_sent(body)
        self.fact("sent", hashlib.sha256(body).hexdigest()[:16])

    def _prepare_database(self) -> None:
        """Begin with an empty, migrated database: making one anew takes longer than a simulated minute."""
        folder = HOME / "db"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "live.db"
        if not path.exists():
            shutil.copyfile(self._template, path)

    def calm(self) -> None:
        """The faults stop: what is broken outside is mended, what is inside must mend itself."""
        self.dice.is_on = False
        self.disk.is_full = False
        self.bus.is_up = True
        self.closed_until_s = self.empty_until_s = 0.0
        self.bourse.settle()
        self._go_on(self.loop.frozen)
        if self.incarnation is not None:
            wire = self.incarnation.wire
            wire.is_reachable, wire.is_deaf, wire.silent_until_s = True, False, 0.0
            if not wire.is_up:
                wire.open_stream()
        self.fact("calm", "")

    def close(self) -> None:
        """Let go of everything that a world holds."""
        if self.incarnation is not None:
            self.incarnation.wire.is_dead = True
            self._dead.add(self.incarnation.number)
            self.incarnation.engine.core.store.abandon()
        pending = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            self.loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self.loop.close()

    # --- tasks -----------------------------------------------------------------------------------

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        context = options.get("context")
        number = context.get(INCARNATION, 0) if context is not None else INCARNATION.get()
        incarnation = self.incarnation or self._starting
        if number and incarnation is not None and incarnation.number == number:
            incarnation.tasks.append(task)
            if len(incarnation.tasks) > 200:
                incarnation.tasks = [each for each in incarnation.tasks if not each.done()]
        task.add_done_callback(_look_at)
        return task

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run something that belongs to the world, not to the engine that caused it."""
        self._spawn_in(contextvars.Context(), work)

    def _spawn_in(self, context: contextvars.Context, work: Coroutine[None, None, None]) -> None:
        task = self.loop.create_task(work, context=context)
        self._world_tasks.add(task)
        task.add_done_callback(self._world_tasks.discard)


def _look_at(task: asyncio.Task[Any]) -> None:
    """A crash ends the task that met it; that is not an error to be reported."""
    if not task.cancelled():
        task.exception()


def _name(number: int) -> str:
    return f"engine-{number}"


def now_s(world: World) -> float:
    """Return the world's time in seconds."""
    return world.true_clock.monotonic_ns() / NS_PER_S
