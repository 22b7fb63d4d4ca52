"""Corridors begun one after another: where our budget of requests rests, the step says so and until when."""

from __future__ import annotations

import re
from pathlib import Path

from engine.api.corridor import Step
from tests.corridor.halls import Hall, in_hall
from tests.corridor.stages import HyperliquidStage
from venues.hyperliquid.budget import WEIGHT_A_MINUTE


def test_a_corridor_begun_within_a_minute_of_others_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    """Its readiness was called `venue_unreachable`, though nobody had asked the venue."""

    async def scene(hall: Hall) -> None:
        assert isinstance(hall.stage, HyperliquidStage)
        hall.stage.adapter.budget.per_minute = WEIGHT_A_MINUTE
        for _ in range(20):
            session_id = (await hall.opened()).session_id
            state = await hall.do(session_id, Step.READINESS)
            if state.reasons:
                break
        assert (state.status, state.reasons) == ("venue_busy", ("venue_busy",)), state
        (row,) = [each for each in hall.desk.sessions().rows if each.session_id == session_id]
        assert row.status == "venue_busy"
        wait = re.search(r"try again in (\d+) s: ", state.refused[0].said)
        assert wait is not None and 0 < int(wait[1]) <= 60, state.refused
        assert hall.artifact(session_id, "account_readiness")["state"] == "venue_busy"
        await hall.stage.clock.sleep(int(wait[1]))
        assert (await hall.do(session_id, Step.READINESS)).status == "account_ready"

    in_hall("hyperliquid", tmp_path, scene)
