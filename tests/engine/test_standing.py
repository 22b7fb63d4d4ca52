"""A wish that stands is one wish: told once, and no storm; one that turns round at each close is many."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from engine.api.commands import PaperStart
from engine.daemon import Engine, Seams, build_core
from engine.ops.events import EventRing
from engine.trading.standing import TOLD_AGAIN, Standing
from native.intents import OrderIntent
from safety.facts import Preflight
from safety.intent import ExecutionIntent
from safety.killbyte import KillByte
from seams.clock import FixedClock, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

BUY = cast(ExecutionIntent, SimpleNamespace(side="buy", symbol="BTC-PERP"))
GAP, SLOW = ("market_gap",), ("symbol_entry_rate_exceeded",)


class Heard:
    """What people and the storm watch hear of refusals."""

    def __init__(self) -> None:
        self.events = EventRing(FixedClock())
        self.standing = Standing(self.events)
        self.news = 0
        self.standing.on_new.append(lambda intent, verdict: self._one_more())

    def refuse(self, step: int, reasons: tuple[str, ...] = GAP, **other: int) -> tuple[int, int]:
        """Refuse one wish of a close; return how many were new and how many were told by now."""
        made = SimpleNamespace(**{"lane": 0, "offset": 1, "side": 1, "step": step, **other})
        verdict = Preflight(allowed=False, reasons=reasons, checks=())
        self.standing.refused(BUY, verdict, cast(OrderIntent, made))
        return self.news, self.events.seq

    def _one_more(self) -> None:
        self.news += 1


def test_a_wish_that_is_asked_again_at_each_close_is_told_once_and_again_after_long() -> None:
    heard = Heard()
    for step in range(1, TOLD_AGAIN):
        assert heard.refuse(step) == (1, 1)
    assert heard.refuse(TOLD_AGAIN) == (1, 2)
    newest, oldest = (row.text for row in heard.events.page())
    assert newest == f"buy BTC-PERP denied: market_gap (at {TOLD_AGAIN} closes)"
    assert oldest == "buy BTC-PERP denied: market_gap"


@pytest.mark.parametrize(
    ("step", "reasons", "other"),
    [
        (2, GAP, {"side": -1}),
        (2, SLOW, {}),
        (2, GAP, {"lane": 1}),
        (2, GAP, {"offset": 0}),
        (3, GAP, {}),
        (1, GAP, {}),
    ],
)
def test_what_turned_round_came_back_or_loops_within_a_close_is_new(
    step: int, reasons: tuple[str, ...], other: dict[str, int]
) -> None:
    heard = Heard()
    heard.refuse(1)
    assert heard.refuse(step, reasons, **other) == (2, 2)


def test_every_order_by_hand_is_new() -> None:
    heard = Heard()
    for _ in range(3):
        heard.standing.refused(BUY, Preflight(allowed=False, reasons=GAP, checks=()), None)
    assert heard.news == 3 and heard.events.seq == 3


async def test_a_strategy_that_waits_at_a_throttle_is_no_storm(tmp_path: Path) -> None:
    few = {"INTERLOCK_RISK__SYMBOL_ENTRIES_PER_MINUTE": "1"}
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), tmp_path, few, KillByte.anonymous())
    engine = Engine(core)
    start = PaperStart(strategies=("ema_cross",), symbols=("BTC-PERP",), speed=200.0, max_bars=300, seed=2)
    entry = engine.desk.start_paper(start, "tester", "R-1")
    try:
        assert entry.task is not None
        await asyncio.wait_for(entry.task, 120)
        rows = core.store.risk.judgements(entry.session.plan.session_id)
        waited = sum("symbol_entry_rate_exceeded" in row.reasons for row in rows)
        told = sum(row.kind == "denied" for row in core.events.page(limit=500))
        assert waited > 2 * core.settings.risk.storm_refusals, "each refusal is on the record"
        assert 0 < told < waited / 4
        assert core.store.risk.latched() == []
    finally:
        await engine.close()
