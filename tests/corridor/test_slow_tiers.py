"""An account of a slower tier than we count with: the venue tells nobody which one it is, and what asks on as
if it were the fastest is refused for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.api.corridor import Step
from engine.trading.custody import Verdict
from seams.wire import MayLeave, always
from tests.corridor.halls import Hall, in_hall
from tests.corridor.stages import KrakenStage
from venues.kraken.client import OVERRUN
from venues.kraken.client import TIERS as OURS
from venues.sandbox.kraken.limits import TIERS
from venues.sandbox.programs import Strike
from venues.types import OrderStatus

MOST_REFUSED = {"pro": 0, "intermediate": 2, "starter": 3}
"""How often the venue has to say so until we count as it does."""


def count_overruns(stage: KrakenStage) -> list[bytes]:
    """Keep every answer of the venue from now on that says that we asked too often."""
    found: list[bytes] = []
    call = stage.wire.call

    async def heard(body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        answer = await call(body, timeout_s, may_leave)
        if OVERRUN.encode() in answer:
            found.append(answer)
        return answer

    stage.wire.call = heard  # type: ignore[method-assign]
    return found


@pytest.mark.parametrize("nth", range(3), ids=["pro", "intermediate", "starter"])
def test_a_lost_order_is_proved_dead_whatever_the_accounts_tier(nth: int, tmp_path: Path) -> None:
    tier = ("pro", "intermediate", "starter")[nth]

    async def scene(hall: Hall) -> None:
        stage = hall.stage
        assert isinstance(stage, KrakenStage)
        stage.exchange.trading.budgets.tier = TIERS[tier]
        refused = count_overruns(stage)
        session_id = await hall.at_gate()
        stage.strike(Strike.DROP_WITHOUT_APPLY)
        await hall.do(session_id, Step.SUBMIT)
        order = hall.order(session_id)
        assert order.status is OrderStatus.UNKNOWN
        await hall.house.tend(stage.lag_s + 80)
        assert order.status is OrderStatus.REJECTED, order.heard
        await hall.house.tend(60)
        assert hall.house.custody.verdict is Verdict.CLEAN
        told = stage.adapter.client.tier
        assert (told.most, told.per_s) == (OURS[nth].most, OURS[nth].per_s)
        assert len(refused) <= MOST_REFUSED[tier], refused

    in_hall("kraken", tmp_path, scene)
