"""Paper sessions: lifecycle, health, alerts, index, published schemas."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from engine.api import research
from engine.research.session_health import alert_snapshot, refresh_sessions_index
from engine.research.session_records import SessionMetadata
from engine.research.sessions import SessionEnded, SessionFolder, mark_all_interrupted, read_status
from seams.clock import FixedClock, iso_z
from seams.disk import MemoryDisk, RealDisk

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
DEAD_PID = 999_999_999


def open_session(home: Path, name: str, clock: FixedClock, pid: int | None = None) -> SessionFolder:
    metadata = SessionMetadata(
        session_id=name,
        mode="paper",
        command="paper start",
        request_id="C-1",
        started_at=iso_z(clock.now_ns()),
        operator="ann",
        strategies=("ema_cross",),
        symbols=("BTC-USD",),
        feed="sandbox",
        scenario="demo",
        seed=1,
        is_supervised=False,
        pid=os.getpid() if pid is None else pid,
        git_commit="unknown",
        python_version="3.11",
        kernel_sha256="k",
        config_sha256="c",
    )
    return SessionFolder(home / "outputs" / "paper_sessions", metadata, {"seed": 1}, RealDisk(), clock)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("completed", "success"), ("exception", "failed"), ("operator_abort", "aborted")],
)
def test_a_session_ends_once_and_complete(tmp_path: Path, reason: str, status: str) -> None:
    clock = FixedClock()
    session = open_session(tmp_path, "PS-1", clock)
    session.update(bars=3, decisions=2, orders=1, fills=1, equity_usd=Decimal("100000.50"))
    session.add_trade(
        at_ns=clock.now_ns(),
        side="buy",
        close=Decimal("100"),
        exec_price=Decimal("100.1"),
        quantity=Decimal("1"),
        fee=Decimal("0.04"),
        equity_after=Decimal("99999.86"),
        slippage=Decimal("0.1"),
        reason="signal_long",
    )
    clock.advance(90)
    ended = session.finish(reason, metrics={"total_return": float("nan")}, decision_sha256="d")
    assert (ended.status, ended.terminal, ended.duration_seconds) == (status, True, 90.0)
    report = json.loads((session.folder / "report.json").read_bytes())
    assert report["summary"]["total_return"] is None
    assert report["machine_contract"]["contract_type"] == "interlock.paper.result"
    assert len((session.folder / "trades.csv").read_text().splitlines()) == 2
    with pytest.raises(SessionEnded):
        session.update(bars=4, decisions=2, orders=1, fills=1, equity_usd=Decimal(1))


def test_stale_is_derived_and_a_dead_engine_is_noticed_at_start(tmp_path: Path) -> None:
    clock, sessions = FixedClock(), tmp_path / "outputs" / "paper_sessions"
    open_session(tmp_path, "PS-alive", clock)
    open_session(tmp_path, "PS-dead", clock, DEAD_PID)
    rows = research.list_sessions(tmp_path, clock=clock)
    assert all(str(row.equity_usd).partition(".")[2] == "00" for row in rows), "cents, however it is kept"
    shown = {row.session_id: row.status for row in rows}
    assert shown == {"PS-alive": "running", "PS-dead": "stale"}
    clock.advance(61 * 60)
    assert {row.status for row in research.list_sessions(tmp_path, clock=clock)} == {"stale"}
    assert read_status(sessions / "PS-alive", RealDisk()).status == "running"
    assert mark_all_interrupted(sessions, RealDisk(), clock, own_pid=1) == ("PS-dead",)
    ended = read_status(sessions / "PS-dead", RealDisk())
    assert (ended.status, ended.status_reason, ended.error_type) == ("failed", "exception", "engine_restart")


def test_health_and_alerts_equal_a_recount_and_the_index_is_separate(tmp_path: Path) -> None:
    clock, sessions = FixedClock(), tmp_path / "outputs" / "paper_sessions"
    for name, reason in (("PS-1", "completed"), ("PS-2", "exception"), ("PS-3", "operator_abort")):
        open_session(tmp_path, name, clock).finish(
            reason, metrics={}, decision_sha256="", error_type="Boom" if reason == "exception" else None
        )
        clock.advance(1)
    (sessions / "PS-4").mkdir()
    health = research.session_health(tmp_path, clock=clock)
    assert health.total_sessions == 3
    assert health.status_counts == {"aborted": 1, "failed": 1, "success": 1}
    assert (health.latest_session_id, health.latest_issue_session_id) == ("PS-3", "PS-3")
    alerts = alert_snapshot(sessions, RealDisk(), clock)
    assert alerts.alert_status == "critical"
    assert alerts.alert_counts == {"PAPER_SESSION_ABORTED": 1, "PAPER_SESSION_FAILED": 1}
    refresh_sessions_index(sessions, RealDisk(), clock)
    index = json.loads((tmp_path / "outputs" / "paper_sessions_index.json").read_bytes())
    assert index["n_sessions"] == 3
    assert index["excluded"] == [{"path": "PS-4", "reason": "unreadable_status"}]


def test_a_full_disk_during_an_update_keeps_the_last_status(tmp_path: Path) -> None:
    disk, clock = MemoryDisk(), FixedClock()
    template = open_session(tmp_path, "PS-1", clock)
    session = SessionFolder(Path("/s"), template.metadata, {}, disk, clock)
    disk.fail_after_writes = 0
    with pytest.raises(OSError):
        session.update(bars=9, decisions=0, orders=0, fills=0, equity_usd=Decimal(1))
    assert read_status(session.folder, disk).bars == 0
