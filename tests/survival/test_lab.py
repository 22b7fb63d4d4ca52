"""Research under an engine: jobs that report, can be cancelled and crash alone; evidence read beside it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.api.client import EngineClient, EngineRefused
from engine.api.commands import JobCancel, RunStart, Started, SweepStart
from engine.api.demo import write_demo_bars
from engine.api.lab import (
    DataList,
    DataSets,
    DecisionPage,
    RunCompare,
    RunDecisions,
    RunShow,
    RunTrades,
    SweepPage,
    SweepShow,
    TradePage,
)
from engine.api.research import Comparison, load_config_with_origins
from engine.api.run_views import JobRow, RunDetail, RunsView
from engine.api.sweep import start_sweep
from engine.journal import read_table

from .conftest import Rig, eventually

SLOW = '''
from interlock import Strategy


class Slow(Strategy):
    """Takes its time over every bar."""

    def on_bar(self, bar):
        return sum(range(20_000)) * 0 + 1
'''


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "home")
    yield rig
    await rig.close()


async def job(client: EngineClient, job_id: str) -> JobRow | None:
    """Return a job's row; None until the view, built once a second, has it."""
    rows = (await client.query_view("runs", RunsView)).jobs
    return next((row for row in rows if row.job_id == job_id), None)


async def ended(client: EngineClient, job_id: str, seconds: float = 30.0) -> JobRow:
    found: list[JobRow] = []

    async def has_ended() -> bool:
        row = await job(client, job_id)
        found[:] = [row] if row else []
        return row is not None and row.state not in ("running", "cancelling")

    await eventually(has_ended, lambda: str(found), seconds=seconds)
    return found[0]


async def run(client: EngineClient, data: str, **fields: Any) -> str:
    started = await client.demand(RunStart(strategy="ema_cross", data=data, **fields), Started)
    row = await ended(client, started.job_id)
    assert (row.state, row.message, row.done) == ("finished", "success", row.total)
    assert row.total > 0 and row.unit == "bars"
    return row.run_id


async def test_a_run_reports_its_progress_and_its_evidence_is_read_page_by_page(rig: Rig) -> None:
    client = await rig.start()
    data = write_demo_bars(rig.home, 1)
    first = await run(client, data, max_bars=3_000)
    second = await run(client, data, max_bars=3_000, params={"fast": 5.0})
    journal = rig.paths.runs / first / "journal.h5"
    trades, decisions = read_table(journal, "trades"), read_table(journal, "decisions")
    page = await client.query(RunTrades(run_id=first, start=3, count=4), TradePage)
    assert (page.total, page.start, len(page.rows)) == (len(trades), 3, 4)
    assert [row.pnl_usd for row in page.rows] == trades["pnl"][3:7].tolist()
    said = await client.query(RunDecisions(run_id=first), DecisionPage)
    assert [row.at_ns for row in said.rows] == decisions["ts_ns"].tolist()
    assert {row.action for row in said.rows} == {"open", "close"}
    compared = await client.query(RunCompare(run_ids=(first, second)), Comparison)
    assert compared.contract == "same" and "fast=5" in str(compared.config_delta)
    (stored,) = (await client.query(DataList(), DataSets)).rows
    assert f"{stored.venue}/{stored.symbol}/{stored.interval}" == data and stored.rows > 3_000


async def test_a_sweep_from_a_console_is_the_one_of_the_command_line(rig: Rig) -> None:
    client = await rig.start()
    data = write_demo_bars(rig.home, 1)
    grid = {"fast": "5,8,12", "slow": "20,30"}
    body = SweepStart(strategy="ema_cross", data=data, grid=grid, max_bars=2_000)
    row = await ended(client, (await client.demand(body, Started)).job_id)
    assert (row.state, row.kind, row.unit) == ("finished", "sweep", "trials"), row.message
    page = await client.query(SweepShow(run_id=row.run_id), SweepPage)
    assert page.trials == 6 and [each.rank for each in page.rows] == [1, 2, 3, 4, 5, 6]
    assert page.heat is not None and (page.heat.x_name, page.heat.y_name) == ("fast", "slow")
    best = max(cell for cells in page.heat.cells for cell in cells if cell is not None)
    assert best == page.rows[0].total_pnl
    again = start_sweep(
        None,
        {"strategy": "ema_cross", "data": data, "param_grid": grid, "max_bars": 2_000},
        rig.home,
        loaded=load_config_with_origins(rig.home),
    )
    assert [each.config_id for each in again.leaderboard] == [each.config_id for each in page.rows]


async def test_a_cancelled_job_leaves_nothing_and_a_broken_one_says_why(rig: Rig, tmp_path: Path) -> None:
    client = await rig.start()
    data = write_demo_bars(rig.home, 1)
    slow = tmp_path / "slow.py"
    slow.write_text(SLOW)
    started = await client.demand(RunStart(strategy=str(slow), data=data), Started)

    async def moves() -> bool:
        row = await job(client, started.job_id)
        return row is not None and row.done > 0

    await eventually(moves, rig.log)
    assert (await client.command(JobCancel(job_id=started.job_id))).ok
    row = await ended(client, started.job_id)
    assert row.state == "aborted"
    assert [name.name for name in rig.paths.runs.iterdir()] == []
    assert (await client.command(JobCancel(job_id=started.job_id))).code == "not_found"
    broken = await client.demand(RunStart(strategy="no_such", data=data), Started)
    row = await ended(client, broken.job_id)
    assert row.state == "failed" and "no_such" in row.message


async def test_a_killed_reader_is_replaced_and_the_engine_does_not_notice(rig: Rig) -> None:
    client = await rig.start()
    run_id = await run(client, write_demo_bars(rig.home, 1), max_bars=2_000)
    before = await client.query(RunShow(run_id=run_id), RunDetail)
    assert rig.process is not None
    children = Path(f"/proc/{rig.process.pid}/task/{rig.process.pid}/children").read_text().split()
    readers = [pid for pid in children if b"engine.reader" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(readers) == 1
    os.kill(int(readers[0]), signal.SIGKILL)
    assert await client.query(RunShow(run_id=run_id), RunDetail) == before
    with pytest.raises(EngineRefused, match="not_found"):
        await client.query(RunShow(run_id="../../etc"), RunDetail)
