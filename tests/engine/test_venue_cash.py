"""A difference of cash is asked about often at first, and then only now and then."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.trading.cash import PATIENCE_NS, QUICK_ASKS, VenueCash
from seams.clock import NS_PER_S
from tests.engine.custody_house import House
from venues.contract import VenueError


async def test_a_difference_that_stands_does_not_use_up_the_request_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, asked = House(tmp_path), []
    cash = VenueCash(house.custody.core, house.desk.link, "a")

    async def catch_up() -> bool:
        asked.append(house.clock.now_ns())
        return False

    monkeypatch.setattr(cash, "catch_up", catch_up)
    for _ in range(60):
        await cash.explain(Decimal("1.018"))
        house.clock.advance(1.0)
    assert len(asked) == QUICK_ASKS + (60 - QUICK_ASKS) * NS_PER_S // PATIENCE_NS
    before = len(asked)
    await cash.explain(Decimal("1.019"))
    assert len(asked) == before + 1, "another one is news"


async def test_a_question_that_was_not_answered_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)
    cash = VenueCash(house.custody.core, house.desk.link, "a")
    asked = []

    async def silent() -> bool:
        asked.append(1)
        raise VenueError("silence")

    monkeypatch.setattr(cash, "catch_up", silent)
    for _ in range(QUICK_ASKS + 3):
        with pytest.raises(VenueError):
            await cash.explain(Decimal(1))
    assert len(asked) == QUICK_ASKS + 3
