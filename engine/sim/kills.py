"""Kill injections (S9): the switch is pulled by every path at places drawn at random, and nothing may leave.

One world, many kills: the desk trades, the switch is pulled inside a step of our own code or between two,
the market goes on for a while, and the operator resumes by the rules: with a reason, after a clean
reconciliation. `Judge.on_sent` looks at every order at the instant its first byte leaves (I10, I11).
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from engine.api import subjects
from engine.api.commands import Command, Kill, Resume
from engine.sim.ending import ask
from engine.sim.faults import Fault, draw
from engine.sim.guard import Guard
from engine.sim.invariants import Judge
from engine.sim.mischief import put_kill_file
from engine.sim.people import Operator
from engine.sim.runner import Violation, in_fresh_folder, make_template, pool_of
from engine.sim.standing import look
from engine.sim.time import INCARNATION
from engine.sim.world import ENVIRON, HOME, KILL_FILE, Incarnation, World
from engine.trading.custody import Verdict
from safety.killbyte import KillLevel
from safety.killswitch import trip_on_disk
from seams import chaos
from seams.clock import NS_PER_S
from venues.types import OrderStatus, Record

FAULTS = frozenset(
    {
        Fault.RESPONSE_DELAYED,
        Fault.RESPONSE_DROPPED,
        Fault.REQUEST_DUPLICATED,
        Fault.CONNECT_CLOGGED,
        Fault.ORDER_CLOGGED,
        Fault.PUSH_DUPLICATED,
        Fault.PUSH_REORDERED,
        Fault.PUSH_DROPPED,
        Fault.VENUE_REJECTS,
        Fault.CANCEL_FAILS,
        Fault.PARTIAL_FILLS,
        Fault.LATE_YIELD,
    }
)
"""What befalls messages and steps meanwhile, in one world of four; the others are quiet, so that the desk is
busy when the switch is pulled. What stops the desk for seconds is left to the other mode."""
VIEWS_EVERY = 50
KILLS_PER_WORLD = 60
WORLDS_PER_BATCH = 4
WORLD_S = 240.0
WITHIN = 40
"""Of how many points, or turns of the loop, after the desk trades again, one is drawn."""
AFTER_S = (0.02, 0.5)
LATCHED_WITHIN_S = 2.0
STOPPED = """select client_order_id from order_events
    where payload like '%kill_switch_active%' or payload like '%the gate closed%'"""
CLOSE_ONLY_SHARE = 0.15
ALIVE = (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN, OrderStatus.OPEN, OrderStatus.PARTIAL)


class KillTally(Record):
    """What the kills of one world, or of many, came to."""

    kills: int = 0
    by_path: dict[str, int] = {}
    by_place: dict[str, int] = {}
    in_flight: int = 0
    """Kills that met at least one order or ticket on its way."""
    stopped: int = 0
    """Orders that were on record already and did not leave."""
    resets: int = 0


class KillOperator(Operator):
    """An operator who leaves the resuming to the trial."""

    async def _after_a_kill(self, verdict: Verdict) -> None:
        pass


class KillTrial:
    """Pulls the switch of one world `count` times."""

    def __init__(self, world: World, judge: Judge, operator: Operator, count: int) -> None:
        self.world, self.judge, self.operator, self.count = world, judge, operator, count
        self.paths: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self.in_flight = self.resets = 0
        self._left, self._at_points = 0, True
        self._path, self._level = "shared byte", KillLevel.HALT_ALL
        self._pulled = asyncio.Event()
        self._stream = world.dice.stream("kills")
        world.loop.before_turn = self._before_turn

    # --- where -----------------------------------------------------------------------------------

    def at_point(self, site: str) -> None:
        """The world's own point first: it may end the engine here."""
        self.world.at_point(site)
        if self._left and self._at_points and INCARNATION.get():
            self._left -= 1
            if not self._left:
                self._pull(site)

    def _before_turn(self, ready: deque[Any]) -> None:
        if self._left and not self._at_points and ready:
            self._left -= 1
            if not self._left:
                # Between two callbacks of this turn: wherever an await lets others run.
                handle = asyncio.Handle(self._pull, ("between steps",), self.world.loop)
                ready.insert(self._stream.randrange(len(ready) + 1), handle)

    def _arm(self) -> None:
        stream = self._stream
        self._path = stream.choice(sorted(PATHS))
        self._level = KillLevel.CLOSE_ONLY if stream.random() < CLOSE_ONLY_SHARE else KillLevel.HALT_ALL
        self._at_points = stream.random() < 0.6
        self._pulled.clear()
        self._left = stream.randint(1, WITHIN)

    def _pull(self, place: str) -> None:
        incarnation = self.world.incarnation
        if incarnation is None:
            return
        self.paths[self._path] += 1
        self.places[place] += 1
        engine = incarnation.engine
        custody = engine.custody
        assert custody is not None
        is_busy = any(order.status in ALIVE for order in custody.orders.orders.values())
        self.in_flight += is_busy or bool(engine.core.tickets.open())
        self.world.fact("pull", f"{self._path} {place}")
        PATHS[self._path](self.world, incarnation, self._level)
        self._pulled.set()

    # --- the round -------------------------------------------------------------------------------

    async def work(self) -> None:
        """Trade, pull, look, resume; again and again."""
        loop = self.world.loop
        while sum(self.paths.values()) < self.count and loop.time() < WORLD_S:
            if not self._is_trading():
                if self._is_latched() and self.operator.client is not None:  # the watchdog was first
                    await self._ask_to_resume()
                await asyncio.sleep(0.1)
                continue
            self._arm()
            try:
                await asyncio.wait_for(self._pulled.wait(), 10.0)
            except TimeoutError:
                self._left = 0
                continue
            await asyncio.sleep(self._stream.uniform(*AFTER_S))
            look(self.judge)
            await self._resume()
            look(self.judge)

    def _is_trading(self) -> bool:
        incarnation = self.world.incarnation
        if incarnation is None or incarnation.engine.custody is None:
            return False
        engine = incarnation.engine
        is_open = engine.core.kill.level is KillLevel.CLEAR and not engine.core.interlock.holds
        return is_open and bool(engine.desk.running)

    async def _resume(self) -> None:
        """Resume by the rules; where they do not let us yet, look again a little later."""
        world = self.world
        ends_s = world.loop.time() + LATCHED_WITHIN_S
        while not self._is_latched():
            is_late = world.loop.time() > ends_s
            if is_late and world.incarnation is not None:
                self.judge.say("I12", f"a kill by {self._path} has not latched in {LATCHED_WITHIN_S} s")
                return
            await asyncio.sleep(0.05)
        while self._is_latched() and world.loop.time() < WORLD_S:
            await self._ask_to_resume()
            await asyncio.sleep(0.02)
        self.resets += not self._is_latched()

    async def _ask_to_resume(self) -> None:
        self.world.disk.files.pop(KILL_FILE, None)  # whoever resumes takes the request away first
        await self.operator.ask(Resume(confirm="RESUME"), "a trial of the switch", 8.0)

    def _is_latched(self) -> bool:
        incarnation = self.world.incarnation
        return incarnation is not None and incarnation.engine.core.kill.level is not KillLevel.CLEAR

    def tally(self, stopped: int) -> KillTally:
        """Return what was done; `stopped` orders were found on record that never left."""
        return KillTally(
            kills=sum(self.paths.values()),
            by_path=dict(sorted(self.paths.items())),
            by_place=dict(sorted(self.places.items())),
            in_flight=self.in_flight,
            stopped=stopped,
            resets=self.resets,
        )


# --- the paths -----------------------------------------------------------------------------------


def _by_byte(world: World, incarnation: Incarnation, level: KillLevel) -> None:
    """Another process sets the shared byte, and nothing more."""
    incarnation.engine.core.kill.byte.raise_to(level)


def _by_file(world: World, incarnation: Incarnation, level: KillLevel) -> None:
    """Somebody lays `kill.request` beside the latch."""
    text = b"halt" if level is KillLevel.HALT_ALL else b"close_only"
    put_kill_file(world, text, is_told=world.dice.stream("told").random() < 0.5)


def _by_process(source: str) -> Callable[[World, Incarnation, KillLevel], None]:
    """Another process trips byte and latch file: the watchdog, or `interlock kill --direct`."""

    def trip(world: World, incarnation: Incarnation, level: KillLevel) -> None:
        byte, folder = incarnation.engine.core.kill.byte, HOME / "safety"
        pull = partial(trip_on_disk, world.disk, world.true_clock, folder, byte)
        contextvars.Context().run(partial(pull, level=level, by=source, reason="drawn", source=source))

    return trip


def _by_signal(world: World, incarnation: Incarnation, level: KillLevel) -> None:
    """SIGUSR1: the loop runs the engine's handler between two callbacks, as the engine."""
    world.loop.call_soon(incarnation.engine.outside.by_signal, context=incarnation.wire.context)


def _by_command(world: World, incarnation: Incarnation, level: KillLevel) -> None:
    """A console asks over the bus."""
    engine = incarnation.engine
    command = Command(
        request_id=f"kill-{world.events}-{world.loop.time():.6f}",
        operator="bob",
        reason="drawn",
        epoch=engine.core.epoch,
        expires_at_ns=world.clock.now_ns() + 60 * NS_PER_S,
        body=Kill(level=level.name.lower(), confirm="KILL"),
    )
    world.bus.send(subjects.KILL, msgspec.json.encode(command))


def _by_failure(world: World, incarnation: Incarnation, level: KillLevel) -> None:
    """What evaluates the desk fails: the next turn of the main loop meets what it does not know."""
    engine = incarnation.engine

    async def fail() -> None:
        del engine._publish
        raise RuntimeError("an evaluator failed")

    engine._publish = fail  # type: ignore[method-assign]


def _by_disk(world: World, incarnation: Incarnation, level: KillLevel) -> None:
    """A record cannot be kept: whoever tried to write it says so as soon as it runs on."""
    halt, error = incarnation.engine.core.halt, OSError(errno.ENOSPC, "No space left on device")
    world.loop.call_soon(halt, error, "drawn", context=incarnation.wire.context)


PATHS: Mapping[str, Callable[[World, Incarnation, KillLevel], None]] = {
    "shared byte": _by_byte,
    "file": _by_file,
    "watchdog": _by_process("watchdog"),
    "command line": _by_process("cli"),
    "signal": _by_signal,
    "command": _by_command,
    "failing evaluator": _by_failure,
    "failing record": _by_disk,
}
"""Every way to the one latch that an engine on one host has."""


# --- worlds --------------------------------------------------------------------------------------


class KillResult(Record):
    """What one world of kills did."""

    seed: int
    tally: KillTally
    faults: dict[str, int]
    orders: int
    checks: int
    simulated_s: float
    violations: tuple[Violation, ...]


def run_world(seed: int, template: Path, kills: int = KILLS_PER_WORLD) -> KillResult:
    """Run one world of `kills` kills; the same arguments give the same result."""
    with in_fresh_folder():
        world = World(seed, draw(seed, FAULTS if seed % 4 == 1 else frozenset()), template)
        # A desk that breached tight limits stands still: no kill would meet an order.
        world.has_tight_limits, world.environ = False, ENVIRON
        world.views_every, world.is_supervised = VIEWS_EVERY, False
        judge = Judge(world, Guard(world))
        world.on_sent, world.on_point, world.on_delivered = judge.on_sent, judge.on_point, judge.on_delivered
        operator = KillOperator(world, judge.on_garbage)
        asyncio.set_event_loop(world.loop)
        try:
            trial = KillTrial(world, judge, operator, kills)
            with chaos.installed(trial.at_point):
                world.loop.run_until_complete(_live(world, trial, operator))
            stopped = len(ask(STOPPED))
        finally:
            world.close()
            asyncio.set_event_loop(None)
        return KillResult(
            seed=seed,
            tally=trial.tally(stopped),
            faults={str(fault): count for fault, count in sorted(world.dice.counts.items())},
            orders=len(world.venue.journal),
            checks=sum(judge.checks.values()),
            simulated_s=round(world.loop.time(), 3),
            violations=tuple(
                Violation(seed=seed, invariant=name, at_s=round(at_s, 3), what=what)
                for name, at_s, what in judge.broken
            ),
        )


async def _live(world: World, trial: KillTrial, operator: Operator) -> None:
    works = (world.bourse.run_market(), world.keep_alive(), operator.work(), trial.judge.guard.run())
    tasks = [world.loop.create_task(work) for work in works]
    await trial.work()
    for task in tasks:
        if task.done():
            task.result()  # a part of the world has broken: that is the simulator's own fault
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run_kills(
    count: int, first: int, jobs: int, on_result: Callable[[KillResult, float], None]
) -> dict[str, object]:
    """Run worlds from seed `first` until `count` kills are done; return the sums. `on_result` hears each
    world with the wall time so far."""
    began_s, cpu_s = time.perf_counter(), 0.0
    results: list[KillResult] = []
    done = 0
    with tempfile.TemporaryDirectory(prefix="interlock-sim-") as folder, pool_of(jobs) as pool:
        work = partial(_result_of, template=make_template(Path(folder)))
        while done < count:
            batch = range(first, first + jobs * WORLDS_PER_BATCH)
            for result, took_s in map(work, batch) if pool is None else pool.map(work, batch):
                results.append(result)
                done, cpu_s = done + result.tally.kills, cpu_s + took_s
                on_result(result, time.perf_counter() - began_s)
                if done >= count:
                    break
            first = batch[-1] + 1
    wall_s = time.perf_counter() - began_s
    return {**add_up(results), "wall_s": round(wall_s, 1), "cpu_s": round(cpu_s, 1)}


def _result_of(seed: int, template: Path) -> tuple[KillResult, float]:
    began_s = time.process_time()
    return run_world(seed, template), time.process_time() - began_s


def add_up(results: Sequence[KillResult]) -> dict[str, object]:
    """Add up what many worlds of kills did."""
    paths: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for result in results:
        paths.update(result.tally.by_path)
        places.update(result.tally.by_place)
    broken = [violation for result in results for violation in result.violations]
    return {
        "worlds": len(results),
        "kills": sum(paths.values()),
        "in_flight": sum(r.tally.in_flight for r in results),
        "stopped": sum(r.tally.stopped for r in results),
        "resets": sum(r.tally.resets for r in results),
        "orders": sum(r.orders for r in results),
        "faults": sum(sum(r.faults.values()) for r in results),
        "checks": sum(r.checks for r in results),
        "violations": len(broken),
        "simulated_s": round(sum(r.simulated_s for r in results), 1),
        "by_path": dict(sorted(paths.items())),
        "by_place": dict(sorted(places.items())),
        "broken": msgspec.to_builtins(broken[:100]),
    }
