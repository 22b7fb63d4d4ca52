"""A sandbox desk in ordinary use: tickets can be read before the market is past them, markets are traded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.api.commands import PaperStart
from engine.daemon import Engine, Seams, build_core
from engine.store.rows import JudgementRecord
from safety.killbyte import KillByte
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from venues.sandbox.market import SandboxMarket
from venues.sandbox.scenarios import SCENARIOS, in_bars_of

READ_S = 30
"""How long a person may take over a ticket."""


async def trade(home: Path, start: PaperStart) -> tuple[list[JudgementRecord], list[tuple[float, float]]]:
    """Run a session to its end; return its judgements, and mark and stop of every ticket that waits."""
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())
    engine = Engine(core)
    entry = engine.desk.start_paper(start, "tester", "R-1")
    try:
        assert entry.task is not None
        tickets: dict[str, tuple[float, float]] = {}
        while not entry.task.done():
            for ticket in core.tickets.open():
                assert ticket.intent.mark_price is not None and ticket.intent.stop_loss is not None
                tickets[ticket.id] = float(ticket.intent.mark_price), float(ticket.intent.stop_loss)
            await asyncio.wait({entry.task}, timeout=0.01)
        return list(core.store.risk.judgements(entry.session.plan.session_id)), list(tickets.values())
    finally:
        await engine.close()


@pytest.mark.parametrize("scenario", ["demo", "sideways", "bull"])
async def test_a_ticket_is_still_good_when_it_is_read(tmp_path: Path, scenario: str) -> None:
    start = PaperStart(
        strategies=("ema_cross",), scenario=scenario, is_supervised=True, speed=50.0, max_bars=40
    )
    rows, tickets = await trade(tmp_path, start)
    assert len(tickets) >= 4 and any(row.is_allowed for row in rows)
    market = SandboxMarket(seed=1, scenario=in_bars_of(SCENARIOS[scenario], 1.0))
    closes = [market.path("BTC-PERP", index, 1)[-1] for index in range(600)]
    moves = sorted(abs(after / before - 1.0) for before, after in zip(closes, closes[READ_S:], strict=False))
    ordinary = moves[round(len(moves) * 0.7)]
    for mark, stop in tickets:
        assert ordinary < abs(stop / mark - 1.0) < 0.1


@pytest.mark.parametrize("scenario", ["bull", "sideways"])
async def test_a_strategy_trades_in_each_market(tmp_path: Path, scenario: str) -> None:
    start = PaperStart(
        strategies=("ema_cross",), symbols=("BTC-PERP",), scenario=scenario, speed=200.0, max_bars=300
    )
    rows, _ = await trade(tmp_path, start)
    ran = sum("price_drift_exceeded" in row.reasons for row in rows)
    assert sum(row.is_allowed for row in rows) > 20 and ran < len(rows) / 4
