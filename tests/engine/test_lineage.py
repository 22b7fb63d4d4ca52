"""From a closed trade back to its entry in one query; a session's actions as a file; nothing is left out."""

from __future__ import annotations

import asyncio
import csv
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from engine.actions import Format, export_actions, session_actions
from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.daemon import Engine, Seams, build_core
from engine.research.exports import ExportExists
from engine.store.failures import StoreUnreadable
from engine.store.reading import reading
from engine.trading.trade_book import action_of
from safety.killbyte import KillByte
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from tests.store.looking import fills_without_a_trade, signals_of, trades_of

D = Decimal


@pytest.fixture
async def traded(tmp_path: Path) -> tuple[Path, str]:
    """A home in which one session has traded and ended: its database, and the session's id."""
    data = write_demo_bars(tmp_path, 1)
    seams = Seams(SystemClock(), None, Rng(1), RealDisk())
    engine = Engine(build_core(seams, tmp_path, {}, KillByte.anonymous()))
    start = PaperStart(strategies=(), preset="oracle-flip", feed=f"replay:{data}", speed=0.0, max_bars=400)
    entry = engine.desk.start_paper(start, "tester", "R-1")
    assert entry.task is not None
    await asyncio.wait_for(entry.task, 60)
    session = entry.session
    assert session.counts.fills > 20
    expected = session.ledger.equity_usd - session.ledger.cash_usd
    await engine.close()
    with reading(tmp_path / "db" / "paper.db") as reader:
        trades = trades_of(reader.link, session.plan.session_id)
        booked = sum((row.pnl_usd - row.fee_usd for row in trades), D(0))
        assert abs(booked + session.ledger.holding(trades[0].symbol).unrealised - expected) < D("1e-9")
    return tmp_path / "db" / "paper.db", session.plan.session_id


async def test_every_trade_leads_back_to_its_decision_and_its_entry(traded: tuple[Path, str]) -> None:
    path, session_id = traded
    with reading(path) as reader:
        rows = reader.lineage(session_id, limit=10_000)
        fills = reader.orders.fills_of_session(session_id)
        decisions = {row.decision_id: row for row in reader.decisions.decisions_of(session_id)}
        assert fills_without_a_trade(reader.link) == 0
    assert len(rows) == len(fills) > 20
    closed = [row for row in rows if row.action == "close"]
    assert closed and {row.action for row in rows} == {"open", "close"}
    for row in closed:
        assert row.entry_trade_id != row.trade_id and row.entry_at_ns < row.at_ns
        assert decisions[row.decision_id].event_type == "exit"
        assert decisions[row.entry_decision_id].event_type == "entry"
        assert row.entry_reason == decisions[row.entry_decision_id].reason_code != ""
        assert row.ticket_state == "SENT" or row.ticket_state
        assert row.config_fingerprint and row.run_fingerprint
    for row in rows:
        if row.action == "open":
            assert row.entry_trade_id == row.trade_id and row.pnl_usd == 0


async def test_what_was_done_is_exported_whole_and_in_order(traded: tuple[Path, str], tmp_path: Path) -> None:
    path, session_id = traded
    target = tmp_path / "actions.jsonl"
    count = export_actions(path, session_id, target, Format.JSONL, RealDisk())
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(lines) == count > 100
    kinds = Counter(line["kind"] for line in lines)
    with reading(path) as reader:
        assert kinds["fill"] == len(reader.orders.fills_of_session(session_id))
        assert kinds["order"] == len(reader.orders.orders_of(session_id))
        assert kinds["wish"] == len(reader.decisions.decisions_of(session_id))
        assert kinds["wish"] == len(signals_of(reader.link, session_id))
    seen: set[str] = set()
    for line in lines:
        assert not line["parent"] or line["parent"] in seen, f"{line['kind']} before its cause"
        seen.add(line["id"])
    assert [line["at_ns"] for line in lines] == sorted(line["at_ns"] for line in lines)
    table = tmp_path / "actions.csv"
    assert export_actions(path, session_id, table, Format.CSV, RealDisk()) == count
    with table.open(newline="") as text:
        assert [dict(row) for row in csv.DictReader(text)] == [
            {name: str(value) for name, value in line.items()} for line in lines
        ]


async def test_nothing_is_replaced_and_an_unknown_session_is_said(
    traded: tuple[Path, str], tmp_path: Path
) -> None:
    path, session_id = traded
    (tmp_path / "there").write_text("mine")
    with pytest.raises(ExportExists):
        export_actions(path, session_id, tmp_path / "there", Format.CSV, RealDisk())
    with pytest.raises(LookupError):
        export_actions(path, "S-none", tmp_path / "new", Format.CSV, RealDisk())
    with pytest.raises(StoreUnreadable, match="nothing has traded"):
        export_actions(tmp_path / "none.db", session_id, tmp_path / "new", Format.CSV, RealDisk())
    assert not (tmp_path / "new").exists()
    with reading(path) as reader, pytest.raises(Exception, match="readonly"):
        reader.decisions.record_trade(trades_of(reader.link, session_id)[0])
    with reading(path) as reader:
        assert session_actions(reader, "S-none") == ()


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [(0, 1, "open"), (0, -1, "open"), (1, 2, "add"), (-1, -2, "add"), (2, 1, "reduce"), (1, 0, "close"),
     (-2, -1, "reduce"), (-1, 0, "close"), (1, -1, "close")],
)  # fmt: skip
def test_a_fill_is_named_by_what_it_does_to_the_position(before: int, after: int, action: str) -> None:
    assert action_of(D(before), D(after)) == action
