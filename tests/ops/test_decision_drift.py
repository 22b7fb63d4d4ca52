"""This week's decisions against the weeks before: steady stays quiet, a shift rings and names what moved."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.daemon import Seams, build_core
from engine.ops.decision_drift import DriftWatch, compared, decision_drift
from safety.audit import AuditLog
from safety.intent import IntentCategory
from safety.killbyte import KillByte
from seams.clock import FixedClock
from seams.disk import MemoryDisk, RealDisk
from seams.rng import Rng

COUNTS = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 500), max_size=5)


def decide(log: AuditLog, blocked: int, allowed: int, reason: str = "self_trade") -> None:
    for count, is_allowed in ((allowed, True), (blocked, False)):
        for _ in range(count):
            log.decision(
                intent_category=IntentCategory.RISK_INCREASE,
                policy_result={"allowed": is_allowed, "reasons": [] if is_allowed else [reason]},
                outcome="proposed" if is_allowed else "blocked",
                body={},
            )


@pytest.mark.parametrize(("blocked", "state"), [(11, "steady"), (60, "shifted")])
def test_a_week_like_the_others_is_steady_and_one_of_refusals_is_not(blocked: int, state: str) -> None:
    disk, clock, path = MemoryDisk(), FixedClock(), Path("/d/audit.jsonl")
    log = AuditLog(disk, clock, path)
    for _ in range(4):
        decide(log, 10, 90)
        log.append("note", {"text": "no decision"})
        clock.advance(7 * 86_400)
    decide(log, blocked, 100 - blocked)
    found = decision_drift(disk, path, clock.now_ns())
    assert (found.state, found.baseline_decisions, found.week_decisions) == (state, 400, 100)
    assert found.shares[0].kind.startswith("risk_increase")
    names = {share.kind: (share.baseline, share.week) for share in found.shares}
    assert names["risk_increase blocked self_trade"] == (40, blocked)


def test_too_few_decisions_say_nothing() -> None:
    assert compared(Counter(a=49), Counter(b=49)).state == "too_few"
    assert compared(Counter(), Counter()).state == "too_few" and compared({}, {}).psi == 0.0
    assert compared(Counter(a=50), Counter(b=50)).state == "shifted"


@given(COUNTS, COUNTS)
def test_the_measure_is_never_negative_and_nothing_for_equal_weeks(
    before: dict[str, int], after: dict[str, int]
) -> None:
    assert compared(before, after).psi >= 0.0
    assert compared(before, before).psi == 0.0
    assert abs(compared(before, after).psi - compared(after, before).psi) < 1e-9


async def test_the_engine_rings_for_a_shift_and_stops_when_it_is_over(tmp_path: Path) -> None:
    clock = FixedClock()
    core = build_core(Seams(clock, None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())
    decide(core.audit, 5, 55)
    clock.advance(8 * 86_400)
    decide(core.audit, 55, 5)
    watch = DriftWatch(core)

    async def look() -> set[str]:
        watch.tend()
        assert watch._task is not None
        await asyncio.wait_for(watch._task, 20)
        return {row.code for row in core.alarms.rows() if row.state in ("UNACK", "ACKED")}

    assert "decision_drift" in await look()
    clock.advance(14 * 86_400)
    decide(core.audit, 60, 60)
    assert "decision_drift" not in await look(), "the weeks before were like this one"
    await watch.close()
