"""The same seeds in fresh processes, one for each hash seed: `python -m tests.simulation.same_bytes`.

Sets and dicts of strings are walked in an order that PYTHONHASHSEED decides; whatever of it reaches a
decision shows as two traces of one seed. A long run is made of slices: `--from 10000`, `--from 10100`, …
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.sim.runner import run_many

ROOT = Path(__file__).resolve().parents[2]
HASH_SEEDS = ("0", "1", "31337")


def traces(seeds: range) -> dict[str, str]:
    """Run the seeds in this process; return the sha256 of each one's trace, under its seed."""
    found: dict[str, str] = {}
    run_many(seeds, None, 1, lambda result, _: found.update({str(result.seed): result.sha256}))
    return found


def traces_under(hash_seed: str, seeds: range) -> dict[str, str]:
    """Run the seeds in a fresh process under this hash seed; return what `traces` found there."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            __spec__.name,
            "--seeds",
            str(len(seeds)),
            "--from",
            str(seeds.start),
            "--one",
        ],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(ran.stdout))


def differing(found: Sequence[dict[str, str]], seeds: range) -> list[int]:
    """Name the seeds whose traces are not one and the same in all of them; a missing trace differs."""
    return [seed for seed in seeds if len({run.get(str(seed), n) for n, run in enumerate(found)}) != 1]


def main() -> int:
    """Compare the traces of the seeds under each hash seed; exit 1 where any differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.same_bytes", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--from", dest="first", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--one", action="store_true", help="only this process, under its own hash seed")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.one:
        print(json.dumps(traces(seeds)))
        return 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        found = list(pool.map(traces_under, HASH_SEEDS, [seeds] * len(HASH_SEEDS)))
    bad = differing(found, seeds)
    print(json.dumps({"from": asked.first, "seeds": len(seeds), "hash_seeds": HASH_SEEDS, "differ": bad}))
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
