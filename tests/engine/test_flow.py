"""The desk's entries of the last minute: every account together, those that live in another time apart."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.daemon import Engine, Seams, build_core
from engine.store.rows import SentValue
from engine.trading.flow import EntryFlow
from engine.trading.traffic import MINUTE_NS
from safety.canonical import changed
from safety.intent import ExecutionIntent, IntentCategory
from safety.killbyte import KillByte
from seams.clock import NS_PER_S, SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from venues.types import OrderType, Side, TimeInForce

ENTRY = ExecutionIntent(
    request_id="R",
    session_id="S",
    strategy_id="s",
    decision_id="D",
    config_fingerprint="c",
    intent_category=IntentCategory.RISK_INCREASE,
    broker_target="v",
    account_id="a",
    symbol="BTC-USD",
    side=Side.BUY,
    quantity=Decimal(2),
    notional_usd=Decimal(200),
    limit_price=Decimal(101),
    stop_loss=Decimal(90),
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.IOC,
    reduce_only=False,
    mark_price=Decimal(100),
    mark_age_ms=0,
)


def test_an_entry_counts_for_a_minute_at_the_worst_of_what_it_says() -> None:
    now = [MINUTE_NS]
    flow = EntryFlow(
        lambda: now[0],
        [SentValue(created_ns=NS_PER_S, quantity=Decimal(1), limit_price=Decimal(9), mark_price=Decimal(10))],
    )
    assert flow.usd() == 10
    flow.sent(ENTRY)
    flow.sent(changed(ENTRY, reduce_only=True))
    assert flow.usd() == 10 + 202, "what only reduces is no entry"
    now[0] += NS_PER_S
    assert flow.usd() == 202, "the first is a minute old"
    flow.sent(changed(ENTRY, notional_usd=Decimal(300)))
    assert flow.usd() == 502
    now[0] -= 2 * MINUTE_NS
    assert flow.usd() == 502, "a clock that is set back forgets nothing"
    now[0] += 4 * MINUTE_NS
    assert flow.usd() == 0


async def test_a_replay_counts_by_its_own_minutes_and_not_for_the_desk(tmp_path: Path) -> None:
    data = write_demo_bars(tmp_path, 1)
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())
    engine = Engine(core)
    start = PaperStart(strategies=(), preset="oracle-flip", feed=f"replay:{data}", speed=0.0, max_bars=400)
    entry = engine.desk.start_paper(start, "tester", "R-1")
    try:
        assert entry.task is not None
        await asyncio.wait_for(entry.task, 60)
        rows = core.store.risk.judgements(entry.session.plan.session_id)
        assert any(row.is_allowed for row in rows)
        seen = [Decimal(json.loads(row.facts)["desk"]["entry_usd_in_minute"]) for row in rows]
        assert max(seen) < 25_000, "bars of a minute: hardly two entries within one"
        assert core.entry_flow.usd() == 0 and core.store.risk.entries_since(0) == []
    finally:
        await engine.close()


async def test_a_hurried_market_counts_by_its_own_minutes_and_is_no_storm(tmp_path: Path) -> None:
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())
    engine = Engine(core)
    start = PaperStart(strategies=("ema_cross",), speed=200.0, max_bars=240, seed=2)
    entry = engine.desk.start_paper(start, "tester", "R-1")
    try:
        assert entry.task is not None
        await asyncio.wait_for(entry.task, 60)
        rows = core.store.risk.judgements(entry.session.plan.session_id)
        assert sum(row.is_allowed for row in rows) > 30
        refused = {reason for row in rows for reason in row.reasons}
        assert "entry_notional_rate_exceeded" not in refused, "four minutes of market pass in two seconds"
        assert core.entry_flow.usd() == 0 and core.store.risk.latched() == []
    finally:
        await engine.close()
