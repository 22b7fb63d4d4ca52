"""How long an alarm takes to its sink and to a console in a storm; is priority 1 ever lost (S21)?

    python -m benchmarks.alarm_storm --seconds 60

A real engine in this process over a real home and database: the alarm desk, a file sink, and the publisher at
its own pace; a console listens on a bus of the same process. A storm raises and clears alarms at `--rate` a
second, one in ten of priority 1. Latencies run from the call that raises to the letter's last byte in the
sink's file, and to the view that a console has received with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path

from engine.api.client import EngineClient
from engine.api.views import AlarmsView, View
from engine.daemon import Engine, Seams, build_core
from engine.ops.sinks import Sinks
from safety.alarm_codes import ALARMS
from seams.clock import NS_PER_MS, NS_PER_S, SystemClock
from seams.disk import RealDisk
from seams.ids import SortableIds
from seams.net import LoopbackNet
from seams.rng import Rng

CLOCK = SystemClock()
URGENT = tuple(code for code, spec in ALARMS.items() if spec.priority == 1 and not spec.on_delay_s)
OTHERS = tuple(code for code, spec in ALARMS.items() if spec.priority > 1 and not spec.on_delay_s)
ONE_IN = 10


class Heard:
    """When each alarm that rang was first told."""

    def __init__(self) -> None:
        self.raised: dict[str, int] = {}
        self.sink: dict[str, int] = {}
        self.console: dict[str, int] = {}

    def view(self, view: View) -> None:
        if isinstance(view, AlarmsView):
            now_ns = CLOCK.monotonic_ns()
            for row in view.rows:
                self.console.setdefault(row.alarm_id, now_ns)

    def spread(self, told: dict[str, int], names: set[str]) -> dict[str, float]:
        """Return count and percentiles of the latencies in ms, of those that were told."""
        found = sorted((told[n] - self.raised[n]) / NS_PER_MS for n in names if n in told)
        if not found:
            return {"n": 0}
        at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        last = len(found) - 1
        return {"n": len(found)} | {
            name: round(found[min(last, int(q * len(found)))], 1) for name, q in at.items()
        }


async def storm(home: Path, seconds: float, rate: float) -> dict[str, object]:
    environ = {
        "INTERLOCK_ALARMS__SINKS": json.dumps({"file": {"kind": "file", "target": str(home / "letters")}})
    }
    core = build_core(Seams(CLOCK, None, Rng(1), RealDisk(), commit="0" * 40), home, environ)
    engine, net, heard = Engine(core), LoopbackNet(), Heard()
    sinks = Sinks(core, core.settings.alarms.sinks)
    (sink,) = sinks.all = [each for each in sinks.all if each.name == "file"]
    deliver = sink._deliver

    async def timed(body: bytes) -> None:
        await deliver(body)
        heard.sink.setdefault(json.loads(body)["alarm_id"], CLOCK.monotonic_ns())

    sink._deliver = timed
    sinks.start()
    serving = asyncio.create_task(engine.serve(net))
    await asyncio.sleep(1.0)
    console = EngineClient(net, CLOCK, SortableIds(CLOCK), "bench", core.epoch)
    await console.watch(heard.view)
    urgent: set[str] = set()
    dice = Rng(2).stream("storm")
    ends_ns, number = CLOCK.monotonic_ns() + round(seconds * NS_PER_S), 0
    while CLOCK.monotonic_ns() < ends_ns:
        number += 1
        is_urgent = number % ONE_IN == 0
        code = dice.choice(URGENT if is_urgent else OTHERS)
        before_ns = CLOCK.monotonic_ns()
        name = core.alarms.raise_alarm(code, f"s{number}", "bench", "storm", CLOCK.now_ns())
        heard.raised[name] = before_ns
        if is_urgent:
            urgent.add(name)
        else:
            asyncio.get_running_loop().call_later(0.5, core.alarms.clear, code, f"s{number}", CLOCK.now_ns())
        if number % 20 == 0:
            sinks.tend()
        await asyncio.sleep(dice.expovariate(rate))
    await asyncio.sleep(2.0)
    result: dict[str, object] = {
        "load": [round(each, 1) for each in os.getloadavg()],
        "raised": number,
        "priority_1": len(urgent),
        "priority_1_not_at_sink": len(urgent - heard.sink.keys()),
        "priority_1_not_at_console": len(urgent - heard.console.keys()),
        "others_singly_at_sink": len(heard.sink.keys() & (heard.raised.keys() - urgent)),
        "priority_1_to_sink_ms": heard.spread(heard.sink, urgent),
        "priority_1_to_console_ms": heard.spread(heard.console, urgent),
        "all_to_console_ms": heard.spread(heard.console, set(heard.raised)),
        "dead_letters": sink.dead,
    }
    engine.handlers.stop_requested.set()
    await serving
    await sinks.close()
    await engine.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=10.0, help="Alarms a second.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alarm-storm-") as folder:
        print(json.dumps(asyncio.run(storm(Path(folder) / "home", given.seconds, given.rate)), indent=1))


if __name__ == "__main__":
    main()
