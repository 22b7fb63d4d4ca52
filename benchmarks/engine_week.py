"""Memory of an engine over a simulated week: what it holds, hour by hour, and which of its lists only grow.

    python -m benchmarks engine_week [--days N] [--bar S] [--every S] [--sample H] [--kept N] [--json]

The whole engine in live mode on the sandbox exchange (custody, reconciliation, a session that trades,
views, audit log, database), on virtual time and without faults; the session ends and begins anew every
`--session` hours. At each sample, after a collection, Python's own count of allocated bytes (tracemalloc)
is taken for the engine's modules; exchange, simulator, disk and database are memory of their own and count
apart, and what the virtual clock makes belongs to who asked it the time. What is kept is bounded by count
(5,000 orders, 2,000 events and tickets, 20,000 fills) and full after four days at a bar a minute: shorter
bars fill it sooner, and `--kept` lowers these bounds, so that all is full within minutes and whatever still
rises is a leak. `--lines` names the lines of code whose memory rose most over the second half. `grows`:
lists, dicts, sets and queues of the engine's objects that were longer at each sample of the second half
than at the one before it: what a leak would look like.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import tracemalloc
from collections import Counter, deque
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from engine import conduct
from engine.api.commands import PaperStart
from engine.desk import Desk
from engine.flatten import flatten
from engine.loosening import loosen
from engine.ops import events
from engine.sim.bourses.sandbox import SandboxBourse
from engine.sim.faults import draw
from engine.sim.runner import in_fresh_folder, make_template
from engine.sim.world import HOME, World
from engine.trading import ledger, orders
from safety import approval
from venues.sandbox.market import SandboxFeed

HOUR_S, DAY_S = 3_600, 86_400
SESSION_H = 6.0
BAR_S, EVERY_S = 60.0, 5.0
VIEWS_EVERY = 50
"""Turns between two views: nobody looks at them, and they are what a simulated hour is spent on."""
START = PaperStart(feed="exchange", strategies=("ema_cross",), params={"fast": 2.0, "slow": 4.0})
ENVIRON = {
    "INTERLOCK_RISK__MAX_ORDER_NOTIONAL_USD": "400",
    "INTERLOCK_RISK__MAX_REPEATS": "1000000",
    "INTERLOCK_RISK__RAISE_COOLDOWN_S": "0",
    "INTERLOCK_RISK__MIN_PROFIT_FACTOR": "0",
    "INTERLOCK_RISK__MIN_WIN_RATE": "0",
    "INTERLOCK_RISK__MAX_MEDIAN_SLIPPAGE_BPS": "10000",
    "INTERLOCK_RISK__ENTRY_USD_PER_MINUTE": "1000000000",
    "INTERLOCK_RISK__DAILY_LOSS_CLOSE_ONLY_USD": "1000000",
    "INTERLOCK_RISK__DAILY_LOSS_HALT_USD": "2000000",
}
"""Small orders, and every limit of loss and conduct far away: a held engine trades, and keeps, little."""
TREE = Path(__file__).resolve().parents[1]
ROOTS = ("engine", "safety", "venues", "seams")
NOT_OURS = (TREE / "engine" / "sim", TREE / "venues" / "sandbox")
CLOCK = str(TREE / "seams" / "virtual.py")
FRAMES = 2
"""How far back each allocation is known: as far as who asked the virtual clock."""
MIN_FILLS = 1_000
"""An account is told again what it has heard lately, so that it must know that many fills in any case."""
NAMED = 12
Lines = Counter[str]
Found = tuple[list[dict[str, float]], list[Counter[str]], list[Lines]]


async def live(world: World, hours: float, sample_h: float, session_h: float) -> Found:
    """Return for each sample a row, the lengths of the engine's containers, and its bytes by line."""
    works = [world.loop.create_task(each) for each in (world.bourse.run_market(), world.keep_alive())]
    rows: list[dict[str, float]] = []
    lengths: list[Counter[str]] = []
    lines: list[Lines] = []
    for number in range(round(hours / sample_h) + 1):
        await asyncio.sleep(10.0 if number == 0 else sample_h * HOUR_S)
        incarnation = world.incarnation
        assert incarnation is not None and incarnation.number == 1, "the engine went on"
        desk = incarnation.engine.desk
        if number and number % max(1, round(session_h / sample_h)) == 0:
            await _end_sessions(desk)
        if not desk.running:
            desk.start_paper(START, "bench", f"R-{number}")
        world.trace.clear()
        gc.collect()
        lines.append(_by_line())
        rows.append(_row(world, number * sample_h, lines[-1]))
        lengths.append(_lengths())
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    for work in works:
        work.cancel()
    await asyncio.gather(*works, return_exceptions=True)
    return rows, lengths, lines


async def _end_sessions(desk: Desk) -> None:
    """A session starts flat: close everything, as an operator would, and lift the latch that this sets."""
    await flatten(desk.core, desk, "bench", "the next session begins")
    for session_id in list(desk.running):
        await desk.stop_paper(session_id, "bench")
    await loosen(desk, "bench", "the next session begins", lambda: None)


def _row(world: World, hour: float, lines: Lines) -> dict[str, float]:
    disk = sum(map(len, world.disk.files.values())) + (HOME / "db" / "live.db").stat().st_size
    return {
        "hour": hour,
        "engine_kb": round(sum(lines.values()) / 1e3, 1),
        "all_kb": round(tracemalloc.get_traced_memory()[0] / 1e3),
        "disk_kb": round(disk / 1e3),
        "orders": len(world.venue.journal),
    }


def _by_line() -> Lines:
    """Return the bytes that the engine's lines hold, by file and line."""
    held: Lines = Counter()
    for each in tracemalloc.take_snapshot().statistics("traceback"):
        frames = list(reversed(each.traceback))  # the one that allocated first
        frame = next((one for one in frames if one.filename != CLOCK), frames[0])
        if _is_ours(frame.filename):
            held[f"{Path(frame.filename).relative_to(TREE)}:{frame.lineno}"] += each.size
    return held


def _is_ours(name: str) -> bool:
    """Tell whether memory was taken by the engine, and not by the world around it."""
    path = Path(name)
    inside = path.is_relative_to(TREE) and path.relative_to(TREE).parts[0] in ROOTS
    return inside and not any(path.is_relative_to(other) for other in NOT_OURS)


def bound(kept: int) -> None:
    """Lower what is kept by count: of ended orders, closed tickets, events, points and closed trades."""
    for module, name in (
        (orders, "MAX_KEPT_ORDERS"), (approval, "MAX_CLOSED_TICKETS"), (ledger, "MAX_EQUITY_POINTS"),
        (conduct, "MAX_TRADES"),
    ):  # fmt: skip
        setattr(module, name, kept)
    ledger.MAX_SEEN_FILLS = max(kept, MIN_FILLS)
    events.EventRing.__init__.__defaults__ = tuple(
        kept if each == events.CAPACITY else each for each in events.EventRing.__init__.__defaults__ or ()
    )


def _lengths() -> Counter[str]:
    """Return how much the containers of the engine's objects hold, by class and attribute."""
    found: Counter[str] = Counter()
    for each in gc.get_objects():
        module = getattr(type(each), "__module__", "")
        if not isinstance(module, str) or not module.startswith(("engine.", "safety.", "venues.", "seams.")):
            continue
        if module.startswith(("engine.sim", "venues.sandbox")):
            continue
        for name, value in _attributes(each):
            if isinstance(value, dict | list | set | deque):
                inside = value.values() if isinstance(value, dict) else value
                deeper = sum(len(x) for x in inside if isinstance(x, dict | list | set | deque))
                found[f"{type(each).__name__}.{name}"] += len(value) + deeper
    return found


def _attributes(each: object) -> Iterator[tuple[str, object]]:
    yield from getattr(each, "__dict__", {}).items()
    for name in getattr(type(each), "__slots__", ()):
        if hasattr(each, name):
            yield name, getattr(each, name)


def growing(lengths: list[Counter[str]]) -> dict[str, list[int]]:
    """Return the containers that grew at each sample of the second half."""
    late = lengths[len(lengths) // 2 :]
    return {
        name: [each[name] for each in late]
        for name in sorted(late[-1])
        if len(late) > 1 and all(a[name] < b[name] for a, b in pairwise(late))
    }


def main(arguments: list[str]) -> int:
    """Print a row for each sample, the slope over the second half, and what grows."""
    parser = argparse.ArgumentParser(prog="benchmarks engine_week", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--days", type=float, default=7.0, help="how many simulated days")
    parser.add_argument("--every", type=float, default=EVERY_S, help="market seconds between two prices")
    parser.add_argument("--bar", type=float, default=BAR_S, help="market seconds of a bar")
    parser.add_argument("--sample", type=float, default=6.0, help="hours between two samples")
    parser.add_argument("--session", type=float, default=SESSION_H, help="hours of a session")
    parser.add_argument("--kept", type=int, default=0, help="lower every bound by count; 0: as they are")
    parser.add_argument("--lines", action="store_true", help="name the lines whose memory rose most")
    given = parser.parse_args(arguments)
    if given.kept:
        bound(given.kept)
    with tempfile.TemporaryDirectory() as folder:
        template = make_template(Path(folder))
        with in_fresh_folder():
            rows, lengths, lines = _simulate(template, given)
    first, last = rows[len(rows) // 2], rows[-1]
    days = max(last["hour"] - first["hour"], given.sample) / 24
    grown_kb = last["engine_kb"] - first["engine_kb"]
    figures = {
        "engine_slope_kb_a_day": round(grown_kb / days, 1),
        "bytes_an_order": round(grown_kb * 1e3 / max(1, last["orders"] - first["orders"]), 1),
        "grows": growing(lengths),
    }
    if given.lines:
        risen = Counter(lines[-1])
        risen.subtract(lines[len(lines) // 2])
        figures["lines"] = dict(risen.most_common(NAMED))
    if given.json:
        print(json.dumps({"samples": rows, **figures}))
    else:
        for row in rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
        print(figures)
    return 0


def _simulate(template: Path, given: argparse.Namespace) -> Found:
    world = World(1, draw(1, frozenset()), template)
    world.views_every = VIEWS_EVERY
    world.environ = world.environ | ENVIRON
    bourse = world.bourse
    assert isinstance(bourse, SandboxBourse)
    bourse.feed = SandboxFeed(
        bourse.feed.market,
        world.true_clock,
        bar_seconds=given.bar,
        ticks_per_second=1 / given.every,
        stalls=(),
    )
    tracemalloc.start(FRAMES)
    asyncio.set_event_loop(world.loop)
    try:
        return world.loop.run_until_complete(
            live(world, given.days * DAY_S / HOUR_S, given.sample, given.session)
        )
    finally:
        tracemalloc.stop()
        world.close()
        asyncio.set_event_loop(None)
