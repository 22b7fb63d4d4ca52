"""The simulator's gates in CI: the same bytes under any hash seed, and 20,000 faults without a violation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.sim.runner import SeedResult, Violation, run_many

ROOT = Path(__file__).resolve().parents[2]
SAME = range(10_000, 10_100)
FAULTS = 20_000
BATCH = 60
HASHES = """
import json, sys
from engine.sim.runner import run_many
shas = {}
run_many(range(*map(int, sys.argv[1:])), None, 1, lambda result, _: shas.update({result.seed: result.sha256}))
print(json.dumps(shas))
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_seeds_are_the_same_bytes_under_three_hash_seeds() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", HASHES, str(SAME.start), str(SAME.stop)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        for hash_seed in ("0", "1", "31337")
    ]
    said = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    assert len(set(said)) == 1 and said[0].count(b":") == len(SAME)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_twenty_thousand_faults_break_no_invariant() -> None:
    faults, first = 0, 20_000
    broken: list[Violation] = []

    def note(result: SeedResult, _: float) -> None:
        nonlocal faults
        faults += sum(result.faults.values())
        broken.extend(result.violations)

    while faults < FAULTS and not broken:
        run_many(range(first, first + BATCH), None, os.cpu_count() or 1, note)
        first += BATCH
    assert broken == []
