"""Each blocker of a paper session, made by a session that has it; three signals from artifacts alone."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from engine.research.session_promotion import CRITERIA, promotion_report
from engine.research.session_records import SessionMetadata
from engine.research.sessions import FILES, SessionFolder
from seams.clock import FixedClock
from seams.disk import RealDisk


def session(folder: Path, number: int, clock: FixedClock, reason: str = "completed") -> Path:
    """Leave the folder of a session that ended as `reason`; it still runs where that is empty."""
    metadata = SessionMetadata(
        session_id=f"20260101_00000{number}_paper_{number:05d}",
        mode="paper",
        command="paper start",
        request_id=f"R-{number}",
        started_at="2026-01-01T00:00:00.000000Z",
        operator="ada",
        strategies=("ema_cross",),
        symbols=("BTC-PERP",),
        feed="sandbox",
        scenario="bull",
        seed=1,
        is_supervised=False,
        pid=1,
        git_commit="0" * 40,
        python_version="3.11",
        kernel_sha256="k" * 64,
        config_sha256="c" * 64,
    )
    made = SessionFolder(folder, metadata, {}, RealDisk(), clock)
    made.update(bars=1, decisions=1, orders=1, fills=1, equity_usd=Decimal(1))
    if reason:
        error = "Broken" if reason == "exception" else None
        made.finish(reason, metrics={}, decision_sha256="d" * 64, error_type=error)
    return made.folder


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


def test_a_sound_session_is_ready_and_only_the_two_newest_are_named(
    tmp_path: Path, clock: FixedClock
) -> None:
    for number in range(1, 4):
        clock.advance(1)
        session(tmp_path / "sessions", number, clock)
    report = promotion_report(tmp_path / "sessions", RealDisk(), clock, tmp_path / "alerts.json")
    assert report.promotion_ready_count == 3 and report.blocked_count == 0
    assert [row.session_id[-1] for row in report.ready_candidates] == ["3", "2"]
    assert report.ready_candidates[0].reasons == CRITERIA == report.criteria
    assert all(signal.ok for signal in report.signals) and len(report.signals) == 3


def broken(folder: Path, clock: FixedClock, how: str) -> None:
    reasons = {"status_failed": "exception", "status_aborted": "operator_abort", "non_terminal": ""}
    path = session(folder, 1, clock, reasons.get(how, "completed"))
    if how == "non_paper_mode":
        edit(path / FILES["metadata"], mode="live")
    elif how == "missing_report":
        (path / FILES["report"]).unlink()
    elif how == "unexpected_report_contract":
        contract = json.loads((path / FILES["report"]).read_text())["machine_contract"]
        edit(path / FILES["report"], machine_contract={**contract, "contract_type": "interlock.run.result"})
    elif how == "has_error_type":
        edit(path / FILES["status"], error_type="Late")
    elif how == "damaged_status":
        (path / FILES["status"]).write_text("{")


@pytest.mark.parametrize(
    "how",
    ["status_failed", "status_aborted", "non_terminal", "non_paper_mode", "missing_report",
     "unexpected_report_contract", "has_error_type", "damaged_status"],
)  # fmt: skip
def test_each_blocker_is_reproduced_by_a_session_that_has_it(
    tmp_path: Path, clock: FixedClock, how: str
) -> None:
    broken(tmp_path / "sessions", clock, how)
    report = promotion_report(tmp_path / "sessions", RealDisk(), clock, tmp_path / "alerts.json")
    assert not report.ready_candidates and report.promotion_ready_count == 0 and report.blocked_count == 1
    (row,) = report.blocked_sessions
    assert how in row.blockers
    assert set(row.reasons) < set(CRITERIA)


def test_the_signals_name_what_is_missing(tmp_path: Path, clock: FixedClock) -> None:
    failed = session(tmp_path / "sessions", 1, clock, "exception")
    alerts = tmp_path / "alerts.json"
    read = lambda: {  # noqa: E731
        row.name: row.ok for row in promotion_report(tmp_path / "sessions", RealDisk(), clock, alerts).signals
    }
    assert read() == {
        "explicit_terminal_status": True,
        "research_and_paper_apart": True,
        "failures_leave_alerts": False,
    }
    alerts.write_text(json.dumps({"alerts": [{"session_id": failed.name}]}))
    assert read()["failures_leave_alerts"]
    alerts.write_text("{")
    assert not read()["failures_leave_alerts"], "what cannot be read proves nothing"
    edit(failed / FILES["metadata"], mode="run")
    assert not read()["research_and_paper_apart"]
    (failed / FILES["status"]).write_text("")
    assert not read()["explicit_terminal_status"]
