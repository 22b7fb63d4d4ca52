"""Run seeds: one world each, a safety phase, a liveness phase, and what came of it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import msgspec

from engine.sim.bourses.contract import LIVENESS_S
from engine.sim.doubts import Doubts, doubts_of
from engine.sim.ending import settle
from engine.sim.faults import Fault, draw
from engine.sim.guard import Guard
from engine.sim.invariants import Judge
from engine.sim.mischief import at_gate, at_write, mischief
from engine.sim.people import Operator
from engine.sim.standing import look
from engine.sim.world import World
from engine.store.store import Store
from engine.trading.custody import Verdict
from seams import chaos
from seams.clock import NS_PER_S, FixedClock
from venues.types import Environment, Mode, Record

SANDBOX = "sandbox"


class Violation(Record):
    """One invariant that did not hold: `at_s` is simulated time."""

    seed: int
    invariant: str
    at_s: float
    what: str


class SeedResult(Record):
    """What one seed did."""

    seed: int
    events: int
    faults: dict[str, int]
    crashes: int
    starts: int
    orders: int
    fills: int
    checks: dict[str, int]
    """How often each invariant was judged."""
    points: dict[str, tuple[int, int]]
    """Each place of our own code that may fail: (times reached, times something befell it there)."""
    violations: tuple[Violation, ...]
    simulated_s: float
    sha256: str
    doubts: Doubts


def make_template(folder: Path) -> Path:
    """Make one empty, migrated database for all seeds to copy."""
    path = folder / "template.db"
    Store.open(path, Mode.LIVE, FixedClock(), Environment.SANDBOX).close()
    return path


def run_seed(
    seed: int,
    template: Path,
    *,
    only: frozenset[Fault] | None = None,
    stops_at_first: bool = False,
    venue: str = SANDBOX,
) -> tuple[SeedResult, list[bytes]]:
    """Run one seed in a fresh folder; return its result and its whole trace.

    `venue`: one of `BOURSES`. `stops_at_first`: end within a second of the first violation (who hunts wants
    no more).
    """
    with in_fresh_folder():
        return _run(seed, template, only, stops_at_first, venue)


@contextmanager
def in_fresh_folder() -> Iterator[None]:
    """Work in an empty folder, in memory where the host has one; it is gone afterwards."""
    before = os.getcwd()
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="interlock-sim-", dir=base) as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def replay_seed(
    seed: int, only: frozenset[Fault] | None, venue: str = SANDBOX
) -> tuple[SeedResult, list[bytes]]:
    """Run one seed by itself."""
    with tempfile.TemporaryDirectory(prefix="interlock-sim-") as folder:
        return run_seed(seed, make_template(Path(folder)), only=only, venue=venue)


def run_many(
    seeds: Sequence[int],
    only: frozenset[Fault] | None,
    jobs: int,
    on_result: Callable[[SeedResult, float], None],
    venue: str = SANDBOX,
) -> dict[str, object]:
    """Run seeds in `jobs` processes; `on_result` hears each with the wall time so far. Returns the sums."""
    began = time.perf_counter()
    results: list[SeedResult] = []
    cpu_s = 0.0
    with tempfile.TemporaryDirectory(prefix="interlock-sim-") as folder:
        template = make_template(Path(folder))
        work = partial(_result_of, template=template, only=only, venue=venue)
        with pool_of(jobs) as pool:
            for result, took_s in map(work, seeds) if pool is None else pool.map(work, seeds):
                results.append(result)
                cpu_s += took_s
                on_result(result, time.perf_counter() - began)
    wall_s = time.perf_counter() - began
    broken = [violation for result in results for violation in result.violations]
    told = msgspec.to_builtins(broken[:100])
    return {**summary(results), "wall_s": round(wall_s, 1), "cpu_s": round(cpu_s, 2), "broken": told}


def _result_of(
    seed: int, template: Path, only: frozenset[Fault] | None, venue: str
) -> tuple[SeedResult, float]:
    """Run one seed; return what it did and the processor seconds it took."""
    began_s = time.process_time()
    result, _ = run_seed(seed, template, only=only, venue=venue)
    return result, time.process_time() - began_s


def pool_of(jobs: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    if jobs == 1:
        return nullcontext()
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def _run(
    seed: int,
    template: Path,
    only: frozenset[Fault] | None,
    stops_at_first: bool,
    venue: str,
) -> tuple[SeedResult, list[bytes]]:
    world = World(seed, draw(seed, only), template, venue)
    phases_s = world.bourse.safety_s, world.bourse.liveness_s
    judge = Judge(world, Guard(world))
    world.on_sent, world.on_point, world.on_delivered = judge.on_sent, judge.on_point, judge.on_delivered
    world.on_clogged = partial(at_gate, world)
    world.on_appended = partial(at_write, world)
    world.bus.on_message = judge.on_bus
    loop = world.loop
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(partial(_uncaught, judge))
    try:
        with chaos.installed(world.at_point):
            loop.run_until_complete(_live(world, judge, *phases_s, stops_at_first))
        doubts = doubts_of(world)
    finally:
        world.close()
        asyncio.set_event_loop(None)
    drawn = {str(fault): count for fault, count in world.dice.counts.items()}
    result = SeedResult(
        seed=seed,
        events=world.events,
        faults=dict(sorted({**drawn, **world.bourse.counts()}.items())),
        crashes=world.crashes,
        starts=world.started,
        orders=len(world.venue.journal),
        fills=len(world.venue.all_fills()),
        checks=dict(sorted(judge.checks.items())),
        points={
            site: (count, world.points[f"!{site}"])
            for site, count in sorted(world.points.items())
            if not site.startswith("!")
        },
        violations=tuple(
            Violation(seed=seed, invariant=name, at_s=round(at_s, 3), what=what)
            for name, at_s, what in judge.broken
        ),
        simulated_s=min(sum(phases_s), round(world.true_clock.monotonic_ns() / NS_PER_S, 3)),
        sha256=world.sha256,
        doubts=doubts,
    )
    return result, world.trace


def _uncaught(judge: Judge, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What nobody caught would halt a real engine (`engine.unforeseen`): no seed may see it."""
    judge.say("I0", f"{context.get('message')}: {context.get('exception')!r}")


async def _live(world: World, judge: Judge, safety_s: float, liveness_s: float, stops_at_first: bool) -> None:
    operator, guard = Operator(world, judge.on_garbage), judge.guard
    works = (
        world.bourse.run_market(),
        world.keep_alive(),
        operator.work(),
        guard.run(),
        mischief(world, guard),
    )
    tasks = [world.loop.create_task(work) for work in works]
    for second in range(round(safety_s + liveness_s)):
        if second == round(safety_s):
            world.calm()
        operator.is_closing = second >= round(safety_s + min(liveness_s, LIVENESS_S) / 4)
        await asyncio.sleep(1.0)
        look(judge)
        for task in tasks:
            if task.done():
                task.result()  # a part of the world has broken: that is the simulator's own fault
        if stops_at_first and judge.broken:
            break
        if second >= safety_s + LIVENESS_S and _is_quiet(world, safety_s):
            await settle(judge)
            break
    else:
        await settle(judge)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_quiet(world: World, calm_s: float) -> bool:
    """Tell whether all has settled before a slow venue's time is up: nothing more is to be waited for.

    A verdict from before the faults ended (`calm_s`) is none: a request budget that deaths have used up may
    keep the next pass waiting for a minute.
    """
    incarnation = world.incarnation
    if incarnation is None or incarnation.engine.custody is None:
        return False
    engine, custody = incarnation.engine, incarnation.engine.custody
    is_new = custody.reconciled_ns > calm_s * NS_PER_S
    is_clean = custody.verdict is Verdict.CLEAN and is_new and not custody.is_dirty
    return is_clean and not custody.orders.alive() and not engine.desk.running


def summary(results: list[SeedResult]) -> dict[str, object]:
    """Add up what many seeds did."""
    faults: Counter[str] = Counter()
    checks: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    struck: Counter[str] = Counter()
    for result in results:
        faults.update(result.faults)
        checks.update(result.checks)
        reached.update({site: count for site, (count, _) in result.points.items()})
        struck.update({site: count for site, (_, count) in result.points.items()})
    return {
        "seeds": len(results),
        "events": sum(r.events for r in results),
        "faults": sum(faults.values()),
        "faults_by_kind": dict(sorted(faults.items())),
        "crashes": sum(r.crashes for r in results),
        "orders": sum(r.orders for r in results),
        "fills": sum(r.fills for r in results),
        "checks": sum(checks.values()),
        "checks_by_invariant": dict(sorted(checks.items(), key=lambda each: int(each[0][1:]))),
        "points": {site: [count, struck[site]] for site, count in sorted(reached.items())},
        "unknown": sum(r.doubts.unknown for r in results),
        "dead": sum(r.doubts.dead for r in results),
        "wrongly_dead": sum(r.doubts.wrongly_dead for r in results),
        "resolved_ms": [ms for r in results for ms in r.doubts.resolved_ms],
        "violations": sum(len(r.violations) for r in results),
        "simulated_s": sum(r.simulated_s for r in results),
    }
