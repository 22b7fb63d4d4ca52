"""How fast a kill is: the headless command from a cold start, and the command on the bus alone."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from statistics import median

from benchmarks._engine import percentile, running_engine, timed
from engine.api.client import EngineClient
from engine.api.commands import Kill, KillDone, Resume
from seams.clock import SystemClock
from seams.ids import SortableIds

COLD, ON_THE_BUS = 7, 50


def main(arguments: list[str]) -> int:
    """Print the durations in milliseconds."""
    with running_engine() as home:
        cold = []
        for _ in range(COLD):
            cold.append(timed(home, "kill", "--confirm", "KILL", "--json")[0] * 1e3)
            timed(home, "resume", "--confirm", "RESUME", "--reason", "benchmark")
        acks, latches = asyncio.run(_on_the_bus(home))
    figures = {
        "cold_kill_p50_ms": round(median(cold), 1),
        "cold_kill_max_ms": round(max(cold), 1),
        "ack_p50_ms": round(median(acks), 2),
        "ack_p95_ms": round(percentile(acks, 0.95), 2),
        "latch_p50_ms": round(median(latches), 2),
        "latch_p95_ms": round(percentile(latches, 0.95), 2),
    }
    if "--json" in arguments:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:18} {value}" for name, value in figures.items()))
    return 0


async def _on_the_bus(home: Path) -> tuple[list[float], list[float]]:
    """Kill and resume in turn over one connection: milliseconds to the answer, and of the latch alone."""
    clock = SystemClock()
    client = await EngineClient.connect(home, clock, SortableIds(clock), "bench")
    acks, latches = [], []
    try:
        for number in range(ON_THE_BUS):
            body = Kill(level=("close_only", "halt_all")[number % 2], confirm="KILL")
            began = time.perf_counter()
            done = await client.demand(body, KillDone, reason="benchmark")
            acks.append((time.perf_counter() - began) * 1e3)
            latches.append(done.latch_ms)
            await client.demand(
                Resume(confirm="RESUME", note="bench"), object, reason="benchmark", timeout_s=5.0
            )
    finally:
        await client.close()
    return acks, latches
