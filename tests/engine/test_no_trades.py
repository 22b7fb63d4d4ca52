"""A session that traded nothing says so, and what stood in its way."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.daemon import Engine, Seams, build_core
from safety.interlock import HoldLevel
from safety.killbyte import KillByte
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

QUICK = {"fast": 3.0, "slow": 8.0}


async def message_of(
    home: Path, *, params: dict[str, float] = QUICK, held: bool = False, **settings: str
) -> tuple[str, str]:
    """Run a replay of 300 bars; return its status and what it said at the end."""
    write_demo_bars(home, seed=1)
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, settings, KillByte.anonymous())
    engine = Engine(core)
    if held:
        core.interlock.raise_hold(
            "order_storm", since_ns=1, source="eng", evidence="a test's", level=HoldLevel.CLOSE_ONLY
        )
    fields: dict[str, Any] = {
        "strategies": ("ema_cross",), "feed": "replay:sandbox/BTC-PERP/1m", "params": params,
        "speed": 0.0, "max_bars": 300,
    }  # fmt: skip
    try:
        entry = engine.desk.start_paper(msgspec.convert(fields, PaperStart), "tester", "R-1")
        assert entry.task is not None
        await asyncio.wait_for(entry.task, 60)
        row = next(iter(engine.desk.rows()))
        status = json.loads((Path(row.path) / "session_status.json").read_text())
        assert status["message"] == row.message
        return row.status, row.message
    finally:
        await engine.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, ""),
        ({"params": {"fast": 900.0, "slow": 1000.0}}, "no trades: nothing was decided in 300 bars"),
        ({"held": True}, "no trades: nothing was decided in 300 bars, entries held by order_storm"),
    ],
)
async def test_an_empty_session_says_why(tmp_path: Path, words: dict[str, Any], said: str) -> None:
    assert await message_of(tmp_path, **words) == ("success", said)


async def test_a_session_whose_every_wish_was_refused_names_the_rule(tmp_path: Path) -> None:
    status, said = await message_of(tmp_path, INTERLOCK_RISK__MAX_ORDER_NOTIONAL_USD="1")
    assert status == "success" and said.startswith("no trades: ")
    assert said.endswith("decisions were refused, most by max_notional_exceeded")
