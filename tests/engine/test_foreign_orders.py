"""Orders that rest at the venue and are not ours: cancelled, adopted or ignored, each by the venue's word."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.api.reconcile import Act
from engine.trading.custody import Verdict
from engine.trading.differences import Difference
from engine.trading.gather import order_fact
from safety.exposure import Carrying, gross_exposure
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from tests.engine.reconciliation_office import HAND, Office, run
from tests.venues.test_exchange import SPEC
from venues.types import OrderStatus


def test_a_resting_foreign_order_is_cancelled_at_the_venue_and_is_gone_when_the_venue_says_so(
    tmp_path: Path,
) -> None:
    async def work(office: Office) -> None:
        await office.by_hand(limit=Decimal(50))
        assert await office.passes(2) is Verdict.AMBIGUOUS
        row = office.rows()["foreign:HAND-1"]
        assert row.acts[0].act is Act.FLATTEN and row.venue.startswith("open buy")
        assert row.venue.endswith(f"{SPEC.symbol} limit 50"), "at what price it waits is said"
        office.house.custody.core.kill.trip(KillLevel.HALT_ALL, by="ada", reason="test", source="test")
        await office.do(Act.FLATTEN, "foreign:HAND-1")
        office.house.clock.advance(3.0)
        custody = office.house.custody
        await custody.reconcile()
        custody.differences = tuple(
            Difference(kind="foreign", subject=name, ours="unknown", theirs="open") for name in ("HAND-1",)
        )
        assert not office.rows()["foreign:HAND-1"].acts, "the pass has not ended, and people look"
        assert await office.passes() is Verdict.CLEAN, "cancels pass every hold"
        assert not await office.house.desk.link.open_orders() and not office.booked()[0]

    run(tmp_path, work)


def test_a_resting_foreign_order_that_is_adopted_is_ours_from_then_on(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        await office.by_hand(limit=Decimal(99))
        await office.passes(2)
        await office.do(Act.ADOPT, "foreign:HAND-1")
        assert await office.passes() is Verdict.CLEAN
        (order,) = office.house.custody.orders.alive()
        assert (order.order_id, order.request.limit_price) == ("HAND-1", 99)
        exposed = gross_exposure(Carrying((), (order_fact(order),)), None)
        assert exposed == HAND * 99, "what it may come to is known: nothing else is kept out for it"
        office.house.desk.quote(98.0)
        office.house.clock.advance(3.0)
        assert await office.passes() is Verdict.CLEAN
        assert office.house.custody.ledger.holding(SPEC.symbol).quantity == HAND

    run(tmp_path, work)


def test_what_is_ignored_returns_when_it_changes_and_after_a_day(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        custody = office.house.custody
        await office.by_hand(limit=Decimal(99))
        await office.passes(2)
        await office.do(Act.IGNORE, "foreign:HAND-1", reason="the treasurer's")
        assert await office.passes() is Verdict.CLEAN
        assert office.rows()["foreign:HAND-1"].state == "ignored" and not office.booked()[0]
        office.house.clock.advance(86_400.0)
        assert await office.passes() is Verdict.AMBIGUOUS, "a day is over"
        await office.do(Act.IGNORE, "foreign:HAND-1", reason="still the treasurer's")
        assert await office.passes() is Verdict.CLEAN
        office.house.desk.quote(98.0)  # it fills
        assert custody.core.interlock.has("ambiguity", "account"), "at once"
        office.house.clock.advance(3.0)
        assert await office.passes() is Verdict.AMBIGUOUS
        await office.do(Act.IGNORE, "foreign:HAND-1", reason="his position")
        assert await office.passes() is Verdict.AMBIGUOUS, "a position is real, whoever opened it"
        row = office.rows()[f"position:{SPEC.symbol}"]
        assert {each.act for each in row.acts} == {Act.ADOPT, Act.FLATTEN}
        with pytest.raises(Refusal, match="act_not_possible"):
            await office.do(Act.IGNORE, row.key)

    run(tmp_path, work)


def test_an_order_cancelled_behind_our_back_ends_by_the_venues_word_and_needs_nobody(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        order = await office.house.send()
        office.house.desk.exchange.listeners.clear()  # nobody tells us
        await office.house.desk.exchange.venue.cancel(order.order_id)
        office.house.clock.advance(3.0)
        assert await office.passes() is Verdict.CLEAN
        assert order.status is OrderStatus.CANCELLED and not office.house.custody.decided
        assert not office.house.custody.adjustments()

    run(tmp_path, work)
