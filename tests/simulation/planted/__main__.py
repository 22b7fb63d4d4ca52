"""Run the catalogue: `python -m tests.simulation.planted --seeds N [--jobs J] [--write]`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from engine.sim.runner import make_template
from tests.simulation.planted.catalogue import PLANTS
from tests.simulation.planted.hunting import PINS, Found, bites, hunt

BEGIN, END = "<!-- planted bugs: begin -->", "<!-- planted bugs: end -->"


def table(rows: Sequence[Found], seeds: int, wall_s: float) -> str:
    """Return the report as Markdown."""
    caught = [row for row in rows if row.by]
    p0 = [row for row in rows if row.is_p0]
    lines = [
        f"`python -m tests.simulation.planted --seeds {seeds}`, {time.strftime('%Y-%m-%d', time.gmtime())}, "
        f"2 shared virtual cores, {wall_s:.0f} s wall: "
        f"{len(caught)} of {len(rows)} found ({len(caught) / len(rows):.1%}), P0 "
        f"{sum(1 for row in p0 if row.by)} of {len(p0)}; median faults needed "
        f"{statistics.median([row.faults for row in caught]):.0f}, median seeds "
        f"{statistics.median([row.seeds for row in caught]):.0f}.",
        "",
        "| bug | breaks | P0 | found by | seeds | faults |",
        "|---|---|---|---|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {row.breaks} | {'yes' if row.is_p0 else ''} | {row.by or 'not found'} "
        f"| {row.seeds} | {row.faults} |"
        for row in rows
    ]
    return "\n".join(lines)


def pin(rows: Sequence[Found], bitten: Mapping[str, list[str]]) -> None:
    """Pin each bug that was found to its seed, with all that it breaks there; the others keep theirs."""
    pins = json.loads(PINS.read_text())
    for row in rows:
        pins[row.name] = {"seed": row.seed, "by": bitten[row.name]} if row.by else None
    known = [plant.name for plant in PLANTS if pins.get(plant.name)]
    PINS.write_text(json.dumps({name: pins[name] for name in known}, indent=1) + "\n")


def main() -> int:
    """Hunt every bug; exit 1 where a P0 one is not found or fewer than 95 % are."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.planted", description=__doc__)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument(
        "--write",
        action="store_true",
        help="pin what was found; after a whole hunt replace the table in docs/reliability.md",
    )
    asked = parser.parse_args()
    names = set(filter(None, asked.only.split(",")))
    chosen = [number for number, plant in enumerate(PLANTS) if not names or plant.name in names]
    began, rows = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        work = partial(hunt, template=make_template(Path(folder)), seeds=asked.seeds)
        with ProcessPoolExecutor(asked.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            for row in pool.map(work, chosen):
                rows.append(row)
                sys.stderr.write(f"{row.name}: {row.by or 'NOT FOUND'} ({row.seeds} seeds)\n")
            if asked.write:
                found = {row.name: row.seed for row in rows if row.by}
                whole = pool.map(partial(bites, template=work.keywords["template"]), found, found.values())
                pin(rows, dict(zip(found, whole, strict=True)))
    text = table(rows, asked.seeds, time.perf_counter() - began)
    sys.stdout.write(text + "\n")
    if asked.write and not names:
        path = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
        before, _, rest = path.read_text().partition(BEGIN)
        path.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    missed = [row for row in rows if not row.by]
    return 1 if any(row.is_p0 for row in missed) or len(missed) > 0.05 * len(rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
