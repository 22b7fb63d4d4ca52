"""The simulator's gates in CI: the same bytes under any hash seed, and 20,000 faults without a violation."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.sim.runner import SeedResult, Violation, run_many
from tests.simulation.same_bytes import HASH_SEEDS, differing, traces_under

SAME = range(10_000, 10_100)
FAULTS = 20_000
BATCH = 60


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_seeds_are_the_same_bytes_under_three_hash_seeds() -> None:
    with ThreadPoolExecutor(len(HASH_SEEDS)) as pool:
        found = list(pool.map(traces_under, HASH_SEEDS, [SAME] * len(HASH_SEEDS)))
    assert differing(found, SAME) == []


def test_a_differing_and_a_missing_trace_are_both_named() -> None:
    found = [{"1": "a", "2": "b"}, {"1": "a", "2": "b"}, {"1": "a", "2": "c"}]
    assert differing(found, range(1, 3)) == [2]
    assert differing(found, range(1, 4)) == [2, 3]


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
