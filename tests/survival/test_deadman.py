"""A few dead-man drills on real processes; the hundred are run by hand."""

from __future__ import annotations

import pytest

from .deadman import HOW, Drill, drills


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_no_order_outlives_an_engine_that_is_taken_away() -> None:
    tally = await drills(len(HOW), jobs=len(HOW), seed=7)
    found = tally.summary()
    assert found["not_good"] == [] and found["good"] == len(HOW)
    assert {drill.how for drill in tally.drills} == set(HOW)


def test_a_drill_is_good_only_with_every_order_gone_in_time_under_the_latch() -> None:
    times = {"close_only_ms": 5_000.0, "first_cancel_ms": 1e4, "gone_ms": 10_200.0, "verified_ms": 11_500.0}
    good = {**times, "orders_left": 0, "latch": "CLOSE_ONLY"}
    assert Drill(0, "frozen", 3, False, **good).is_good
    for wrong in (
        {"orders_left": 1},
        {"orders_left": -1},
        {"latch": "CLEAR"},
        {"entries_after": 1},
        {"gone_ms": 15_001.0},
        {"verified_ms": 17_001.0},
        {"verified_ms": -1.0},
        {"problem": "OSError"},
    ):
        assert not Drill(0, "frozen", 3, False, **{**good, **wrong}).is_good, wrong
