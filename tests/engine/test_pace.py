"""A difference that stands is asked for more and more rarely, and anything new begins the count again."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.reconcile import Act
from engine.loosening import loosen
from engine.trading.custody import Verdict
from engine.trading.pace import BUSY_NS, QUICK_PASSES, QUIET_NS, Pace
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from seams.clock import NS_PER_MS, NS_PER_S, FixedClock
from seams.wire import Lost
from tests.engine.reconciliation_office import DEPOSIT, Office, run
from venues.types import OrderStatus

STALE_MS = 30_000


def pace_of(clock: FixedClock, *, stale_ms: int = STALE_MS, is_idle: bool = True) -> Pace:
    return Pace(clock, lambda: stale_ms, lambda: is_idle)


@given(
    st.lists(st.sampled_from(("same", "other", "news")), max_size=40),
    st.integers(1, 120_000),
    st.booleans(),
)
def test_the_wait_is_bounded_and_starts_anew_at_anything_new(
    story: list[str], stale_ms: int, is_idle: bool
) -> None:
    pace, repeats = pace_of(FixedClock(), stale_ms=stale_ms, is_idle=is_idle), 0
    for each in story:
        if each == "news":
            pace.news()
        else:
            pace.passed(is_same=each == "same")
        repeats = repeats + 1 if each == "same" else 0
        assert 0 <= pace.wait_ns <= stale_ms * NS_PER_MS // 2
        assert is_idle or pace.wait_ns <= BUSY_NS
        assert (pace.wait_ns > 0) == (repeats > QUICK_PASSES)


def test_the_wait_doubles_up_to_half_of_what_a_reconciliation_may_be_old() -> None:
    pace, waits = pace_of(FixedClock()), []
    for _ in range(QUICK_PASSES + 8):
        pace.passed(is_same=True)
        waits.append(pace.wait_ns // NS_PER_S)
    assert waits == [0, 0, 0, 2, 4, 8, 15, 15, 15, 15, 15]


@pytest.mark.parametrize(
    ("is_counted", "is_idle", "stale_ms", "wait_ns"),
    [
        (True, True, STALE_MS, QUIET_NS),
        (True, False, STALE_MS, BUSY_NS),
        (False, True, STALE_MS, BUSY_NS),
        (True, True, 8_000, 4 * NS_PER_S),
    ],
)
def test_a_clean_account_is_compared_more_rarely_where_requests_count_and_nothing_works(
    is_counted: bool, is_idle: bool, stale_ms: int, wait_ns: int
) -> None:
    pace = pace_of(FixedClock(), stale_ms=stale_ms, is_idle=is_idle)
    assert pace.clean_ns(is_counted=is_counted) == wait_ns


async def _tended(office: Office, seconds: int) -> list[float]:
    """Tend the account once a second; return at which seconds a whole pass was made."""
    custody, made = office.house.custody, []
    for second in range(seconds):
        before = custody.passes
        await custody.tend()
        if custody.passes > before:
            made.append(second)
        office.house.clock.advance(1.0)
    return made


def test_a_difference_that_waits_for_a_person_does_not_eat_the_request_budget(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        custody = office.house.custody
        office.house.desk.exchange.venue.move_cash(DEPOSIT)
        custody.look_again()
        made = await _tended(office, 120)
        assert custody.verdict is Verdict.AMBIGUOUS
        assert made[: QUICK_PASSES + 1] == [0, 1, 2, 3], "a lag is told from a difference as quickly as ever"
        assert 8 <= len(made) <= 16, made
        gaps = [later - earlier for earlier, later in pairwise(made)]
        assert gaps == sorted(gaps) and gaps[-1] == STALE_MS / 2_000
        assert custody.core.clock.monotonic_ns() - custody.heard_ns <= NS_PER_S, (
            "it stays in touch between them"
        )

    run(tmp_path, work)


@pytest.mark.parametrize("what", ["link", "person", "fill"])
def test_anything_new_is_looked_at_at_once(tmp_path: Path, what: str) -> None:
    async def work(office: Office) -> None:
        custody = office.house.custody
        office.house.desk.exchange.venue.move_cash(DEPOSIT)
        custody.look_again()
        await _tended(office, 60)
        if what == "link":
            custody._on_link(True)
        elif what == "person":
            await office.do(Act.ADOPT, "cash:USD")
        else:
            await office.by_hand()
        made = await _tended(office, 6)
        assert made[0] == 0
        assert custody.verdict is Verdict.CLEAN if what == "person" else len(made) >= QUICK_PASSES

    run(tmp_path, work)


def test_while_an_order_of_ours_works_the_passes_are_as_frequent_as_those_of_a_clean_account(
    tmp_path: Path,
) -> None:
    async def work(office: Office) -> None:
        custody = office.house.custody
        order = await office.house.send()
        assert order.is_alive
        office.house.desk.exchange.venue.move_cash(DEPOSIT)
        made = await _tended(office, 90)
        assert order.is_alive and custody.verdict is Verdict.AMBIGUOUS
        gaps = [later - earlier for earlier, later in pairwise(made)]
        assert max(gaps) * NS_PER_S == BUSY_NS

    run(tmp_path, work)


def test_a_shorter_age_limit_shortens_the_wait(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        core = office.house.custody.core
        risk = core.settings.risk.model_copy(update={"reconcile_stale_ms": 6_000})
        core.settings = core.settings.model_copy(update={"risk": risk})
        office.house.desk.exchange.venue.move_cash(DEPOSIT)
        made = await _tended(office, 60)
        assert max(later - earlier for earlier, later in pairwise(made[2:])) == 3

    run(tmp_path, work)


def test_who_resumes_again_and_again_asks_no_more_of_the_venue_than_one_pass(tmp_path: Path) -> None:
    """Hyperliquid's seed 5001076: each press asked about a doubtful order once more, beside the pass that had
    just asked, and the request budget never had room for the question that would have settled it."""

    async def work(office: Office) -> None:
        house = office.house
        custody = house.custody
        house.desk.wire.fault = Lost("silence")
        house.desk.exchange.listeners.clear()
        order = await house.send()
        house.desk.wire.fault = None
        real, asked = house.desk.wire.call, []

        async def counted(body: bytes, *given: Any) -> bytes:
            asked.append(body)
            return await real(body, *given)

        house.desk.wire.call = counted  # type: ignore[method-assign]
        await custody.reconcile()
        asked.clear()
        await custody.reconcile()  # the fence, which the first asked for, is not asked for again
        once = len(asked)
        assert order.status is OrderStatus.UNKNOWN, "not in the lists yet"
        custody.core.kill.trip(KillLevel.HALT_ALL, by="ada", reason="a drill", source="test")
        for _ in range(3):
            asked.clear()
            with pytest.raises(Refusal):
                await loosen(office.desk, "ada", "looked at everything", lambda: None)
            assert len(asked) <= once
        house.clock.advance(3.0)
        await loosen_until_clear(office)
        assert order.status is OrderStatus.OPEN and custody.core.kill.level is KillLevel.CLEAR

    run(tmp_path, work)


async def loosen_until_clear(office: Office) -> None:
    """Press on while the lists still lag."""
    for _ in range(5):
        try:
            await loosen(office.desk, "ada", "looked at everything", lambda: None)
        except Refusal:
            office.house.clock.advance(1.0)
        else:
            return
