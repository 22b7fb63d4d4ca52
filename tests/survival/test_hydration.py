"""An engine that boots while its venue does not answer stays HYDRATING and risks nothing until it does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from engine.api.client import EngineRefused
from engine.api.commands import PaperStart, SessionStarted
from engine.api.corridor import SessionState, SubmitOpen
from engine.api.views import AlarmsView, StatusView

from .conftest import eventually
from .loopback import LOOPBACKS, LoopbackProcess, LoopbackRig


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("venue", LOOPBACKS)
async def test_nothing_is_risked_before_the_venue_has_answered(venue: str, tmp_path: Path) -> None:
    process = LoopbackProcess(venue, tmp_path / "venue")
    os.kill(process.process.pid, signal.SIGSTOP)
    live = LoopbackRig(tmp_path / "home", process)
    symbol = process.about.symbols[0]
    session = PaperStart(feed="exchange", strategies=("ema_cross",), symbols=(symbol,))
    form = {
        "symbol": symbol,
        "side": "buy",
        "quantity": "0.001",
        "order_type": "limit",
        "time_in_force": "gtc",
        "limit_price": "60000",
        "stop_loss": "59000",
    }
    try:
        client = await live.start()

        async def is_silent() -> bool:
            rows = (await client.query_view("alarms", AlarmsView)).rows
            return any(row.code == "venue_silent" for row in rows)

        await eventually(is_silent, live.log, seconds=120.0)
        assert (await client.query_view("status", StatusView)).level == "hydrating"
        with pytest.raises(EngineRefused) as refused:
            await client.demand(session, SessionStarted)
        assert refused.value.reply.code == "not_hydrated"
        assert "hydrating" in refused.value.reply.message
        state = await client.demand(SubmitOpen(form=form), SessionState, timeout_s=60.0)
        assert state.status in ("preflight_refused", "venue_unreachable") and state.reasons, state
        assert (await client.query_view("status", StatusView)).level == "hydrating"
        assert not live.rows("SELECT 1 FROM orders") and not live.verdicts()
        os.kill(process.process.pid, signal.SIGCONT)
        assert await live.synced() == "clean"
        assert (await client.query_view("status", StatusView)).level == "clear"
        assert process.arrived() == [], "and what was refused meanwhile is not sent now"
        assert (await client.demand(session, SessionStarted)).session_id
    finally:
        os.kill(process.process.pid, signal.SIGCONT)
        await live.close()
        process.close()
