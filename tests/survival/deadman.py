"""Take the engine away over and over while orders rest at its exchange, and see that its watchdog ends them.

    python -m tests.survival.deadman --drills 100 --jobs 4 --json outputs/deadman.json

Each drill has an exchange, an engine and a watchdog of its own, all real processes, with the times in
service. The engine is frozen (SIGSTOP), killed (kill -9) or cut off from its exchange, by turns; how many
orders rest there, whether a session trades, and when it happens are drawn. Times count from that moment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine.api.commands import PaperStart, SessionStarted
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE
from venues.sandbox import messages as m

from .conftest import eventually
from .live import STRATEGIES, ExchangeProcess
from .watched import Relay, WatchedRig, beats

HOW = ("frozen", "killed", "cut off")
BOUNDS_MS = {"close_only_ms": 9_500.0, "gone_ms": 15_000.0, "verified_ms": 17_000.0}
"""S14 asks for 15 s until no order is left, by what the exchange lists (0.2 s late). The watchdog's proof,
two empty lists a second apart, comes after that; one that is cut off is told by its silence 3 s later."""
AFTER_S = 3.0
"""So long an engine that has thawed is watched: what it latched must hold it."""
LOOK_S = 0.005


@dataclass
class Drill:
    """One drill; times in ms from the moment the engine was taken away. `late_ms` is the longest that this
    program itself was kept waiting for a processor: the measure of what the times are worth."""

    number: int
    how: str
    orders: int
    is_trading: bool
    close_only_ms: float = -1.0
    first_cancel_ms: float = -1.0
    gone_ms: float = -1.0
    verified_ms: float = -1.0
    orders_left: int = -1
    entries_after: int = 0
    latch: str = ""
    late_ms: float = 0.0
    load: float = 0.0
    problem: str = ""
    is_begun: bool = False

    @property
    def is_good(self) -> bool:
        return (
            not self.problem
            and self.orders_left == 0
            and self.entries_after == 0
            and self.latch == KillLevel.CLOSE_ONLY.name
            and all(0 <= getattr(self, name) <= bound for name, bound in BOUNDS_MS.items())
        )


@dataclass
class Tally:
    """All drills of a run."""

    seed: int
    jobs: int
    drills: list[Drill] = field(default_factory=list)
    not_begun: list[Drill] = field(default_factory=list)
    """Desks that did not get as far as that moment: a host that stands still for seconds is silence, too."""
    wall_s: float = 0.0

    def summary(self) -> dict[str, object]:
        """Return what was found: counts, and the quantiles of each time for each way and for all."""
        by_how = {how: [drill for drill in self.drills if drill.how == how] for how in HOW}
        return {
            "drills": len(self.drills),
            "good": sum(drill.is_good for drill in self.drills),
            "orders_before": sum(drill.orders for drill in self.drills),
            "orders_left": sum(max(0, drill.orders_left) for drill in self.drills),
            "entries_after": sum(drill.entries_after for drill in self.drills),
            "times_ms": {how: _times(drills) for how, drills in {**by_how, "all": self.drills}.items()},
            "load": [min(d.load for d in self.drills), max(d.load for d in self.drills)],
            "late_ms": max(drill.late_ms for drill in self.drills),
            "seed": self.seed,
            "jobs": self.jobs,
            "wall_s": self.wall_s,
            "not_begun": [asdict(drill) for drill in self.not_begun],
            "not_good": [asdict(drill) for drill in self.drills if not drill.is_good],
            "each": [asdict(drill) for drill in self.drills],
        }


def _times(drills: list[Drill]) -> dict[str, dict[str, float]]:
    found = {}
    for name in ("close_only_ms", "first_cancel_ms", "gone_ms", "verified_ms"):
        ordered = sorted(getattr(drill, name) for drill in drills)
        marks = {
            f"p{q}": ordered[min(len(ordered) - 1, len(ordered) * q // 100)] for q in (50, 99) if ordered
        }
        found[name] = {key: round(value) for key, value in marks.items()} | {"n": len(ordered)}
        found[name]["max"] = round(max(ordered, default=0))
    return found


class Desk:
    """Exchange, line, engine and watchdog of one drill."""

    def __init__(self, folder: Path, exchange: ExchangeProcess) -> None:
        self.exchange, self.relay = exchange, Relay(int(exchange.ready.url.rsplit(":", 1)[1]))
        self.rig = WatchedRig(folder / "home", exchange)
        self.rig.timing = {}
        self.byte: KillByte | None = None

    async def begin(self, drill: Drill) -> None:
        """Start everything, rest the orders, let a session trade where one is drawn."""
        client = await self.rig.start(INTERLOCK_EXECUTION__VENUE_URL=await self.relay.open())
        await self.rig.synced()
        self.rig.watch()
        self.byte = KillByte.shared(self.rig.paths.safety / BYTE_FILE)
        await eventually(lambda: beats(self.rig), self.rig.log)
        if drill.is_trading:  # first: orders that are not its own hold an engine's entries back
            await client.demand(
                PaperStart(feed="exchange", strategies=STRATEGIES), SessionStarted, timeout_s=20.0
            )
            await eventually(lambda: self._arrivals(m.Place) > 0, self.rig.log)
        await self.rig.rest_orders(drill.orders)
        await eventually(lambda: self._rest(drill.orders), self.rig.log)

    async def perform(self, drill: Drill) -> None:
        """Take the engine away and follow what its watchdog does."""
        assert self.byte is not None and self.byte.level is KillLevel.CLEAR, self.rig.log()
        drill.is_begun = True
        drill.load, began_ns = round(os.getloadavg()[0], 1), time.time_ns()
        self._take_away(drill.how)
        await self._until(drill, lambda: self.byte.level is not KillLevel.CLEAR, 20.0)  # type: ignore[union-attr]
        drill.close_only_ms = (time.time_ns() - began_ns) / 1e6
        await self._until(drill, self._has_cancel, 20.0)
        while await self._open():
            assert time.time_ns() - began_ns < 40e9, "orders are left"
            await asyncio.sleep(LOOK_S)
        drill.gone_ms = (time.time_ns() - began_ns) / 1e6
        await self._until(drill, lambda: "cancelled" in self.rig.pages(), 30.0)
        drill.verified_ms = (self._said_ns("cancelled") - began_ns) / 1e6
        drill.gone_ms = min(drill.gone_ms, drill.verified_ms)  # we may be kept waiting longer than it
        drill.first_cancel_ms = (min(self._cancelled()) - began_ns) / 1e6
        placed = self._arrivals(m.Place)
        if drill.how == "frozen":
            os.kill(self.rig.pid, signal.SIGCONT)
            await asyncio.sleep(AFTER_S)
        drill.orders_left = len(await self._open())
        drill.entries_after = self._arrivals(m.Place) - placed
        drill.latch = self.rig.latch().name

    def _take_away(self, how: str) -> None:
        if how == "cut off":
            self.relay.is_cut = True
            return
        os.kill(self.rig.pid, signal.SIGSTOP if how == "frozen" else signal.SIGKILL)

    async def _until(self, drill: Drill, check: object, seconds: float) -> None:
        """Wait for `check`, noting how late this program comes to look."""
        assert callable(check)
        end_s = time.monotonic() + seconds
        while not check():
            asked_s = time.monotonic()
            assert asked_s < end_s, f"not within {seconds} s: {self.rig.log()[-400:]}"
            await asyncio.sleep(LOOK_S)
            drill.late_ms = max(drill.late_ms, (time.monotonic() - asked_s - LOOK_S) * 1e3)

    async def _rest(self, count: int) -> bool:
        return len(await self._open()) >= count

    async def _open(self) -> list[object]:
        return list(await self.exchange.link().open_orders())

    def _lines(self) -> list[tuple[int, object]]:
        """Return what arrived at the exchange: when (UTC ns), and the decoded body."""
        found: list[tuple[int, object]] = []
        if not self.exchange.record.exists():
            return found
        for line in self.exchange.record.read_bytes().splitlines():
            at, _, frame = line.partition(b" ")
            with suppress(Exception):  # the last line may be half written
                found.append((int(at), m.BODIES.decode(bytes(m.FRAMES.decode(frame).body))))
        return found

    def _arrivals(self, kind: type) -> int:
        """Count requests of a kind, of orders only those that add risk."""
        bodies = [body for _, body in self._lines() if isinstance(body, kind)]
        return sum(1 for body in bodies if not (isinstance(body, m.Place) and body.order.reduce_only))

    def _has_cancel(self) -> bool:
        path = self.exchange.record
        return path.exists() and b'"type":"cancel_all"' in path.read_bytes()

    def _cancelled(self) -> list[int]:
        """Return when cancels of everything arrived (UTC ns)."""
        return [at for at, body in self._lines() if isinstance(body, m.CancelAll)]

    def _said_ns(self, kind: str) -> int:
        lines = (self.rig.paths.safety / "watchdog.pages.jsonl").read_bytes().splitlines()
        return next(int(page["at_ns"]) for page in map(json.loads, lines) if page["kind"] == kind)

    async def close(self) -> None:
        """End every process; a frozen engine is killed all the same."""
        await self.rig.close()
        await self.relay.close()
        await asyncio.to_thread(self.exchange.close)


async def perform(number: int, seed: int) -> Drill:
    """Do one drill from nothing to nothing; what goes wrong in it stands in `problem`."""
    dice = random.Random(f"{seed}-{number}")
    drill = Drill(number, HOW[number % len(HOW)], dice.randint(1, 20), dice.random() < 0.5)
    folder = Path(tempfile.mkdtemp(prefix="deadman-"))
    exchange = await asyncio.to_thread(ExchangeProcess, folder / "exchange", seed=dice.randrange(1000))
    desk = Desk(folder, exchange)
    try:
        await desk.begin(drill)
        await asyncio.sleep(dice.uniform(1.5, 4.0))  # the watchdog has seen progress
        await desk.perform(drill)
    except Exception as error:  # a drill that cannot be done is a drill that failed
        drill.problem = f"{type(error).__name__}: {error}"
    finally:
        await desk.close()
    if drill.is_good:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"not good, kept for a look: {folder}: {asdict(drill)}", file=sys.stderr, flush=True)
    return drill


async def drills(count: int, jobs: int, seed: int, told: Path | None = None, first: int = 0) -> Tally:
    """Do so many drills, `jobs` at once; `told` gets the tally after each.

    One that cannot be begun is done again, under the same number, up to twice.
    """
    tally, numbers, began_s = Tally(seed, jobs), iter(range(first, first + count)), time.monotonic()

    async def lane() -> None:
        for number in numbers:
            for _ in range(3):
                drill = await perform(number, seed)
                if drill.is_begun:
                    break
                tally.not_begun.append(drill)
            tally.drills.append(drill)
            tally.wall_s = round(time.monotonic() - began_s, 1)
            if told is not None:
                told.write_text(json.dumps(tally.summary(), indent=1))

    await asyncio.gather(*(lane() for _ in range(jobs)))
    return tally


def main() -> int:
    """Exit 0 where every drill was good."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drills", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first drill's number")
    given = parser.parse_args()
    tally = asyncio.run(drills(given.drills, given.jobs, given.seed, given.json, given.first))
    found = tally.summary()
    print(json.dumps({name: value for name, value in found.items() if name != "each"}, indent=1))
    return 0 if found["good"] == given.drills else 1


if __name__ == "__main__":
    raise SystemExit(main())
