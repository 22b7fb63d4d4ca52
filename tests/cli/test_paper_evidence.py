"""Paper sessions as evidence, with no engine: health, alerts, promotion, export, lineage."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from engine.api.home import HomePaths
from engine.research.sessions import FILES
from seams.clock import FixedClock
from tests.research.test_session_promotion import session

from .conftest import Shell


def test_health_equals_a_recount_of_the_folders(shell: Shell, home: Path) -> None:
    folder, clock = HomePaths(home).sessions, FixedClock()
    assert shell("paper", "health").code == 0
    for number, reason in enumerate(("completed", "completed", "exception", "operator_abort", ""), 1):
        session(folder, number, clock, reason)
        clock.advance(1)
    said = shell("paper", "health", "--json")
    body = json.loads(said.out)
    written = Counter(
        status["status"] if status["terminal"] else "stale"  # its process is gone
        for status in (json.loads((each / FILES["status"]).read_text()) for each in folder.iterdir())
    )
    assert said.code == 1 and body["healthy"] is False
    assert body["total_sessions"] == 5 == sum(written.values())
    assert {name: count for name, count in body["counts"].items() if count} == dict(written)
    assert body["latest_session_id"].endswith("_00005") and body["active_sessions"] == []
    assert body["latest_issue_error_type"] is None and body["latest_issue_status"] == "stale"


def test_alerts_name_each_session_that_went_wrong(shell: Shell, home: Path) -> None:
    folder, clock = HomePaths(home).sessions, FixedClock()
    session(folder, 1, clock, "operator_abort")
    warned = shell("paper", "alerts", "--json")
    assert warned.code == 0 and json.loads(warned.out)["alert_status"] == "warning"
    session(folder, 2, clock, "exception")
    session(folder, 3, clock, "")
    said = shell("paper", "alerts", "--json")
    assert said.code == 1
    codes = {"PAPER_SESSION_ABORTED": 1, "PAPER_SESSION_FAILED": 1, "PAPER_SESSION_STALE": 1}
    assert json.loads(said.out)["alert_counts"] == codes


def test_promotion_fails_until_a_session_may_count(shell: Shell, home: Path) -> None:
    folder, clock = HomePaths(home).sessions, FixedClock()
    assert shell("paper", "promotion").code == 1
    session(folder, 1, clock)
    said = shell("paper", "promotion", "--json")
    assert said.code == 0 and json.loads(said.out)["promotion_ready_count"] == 1
    session(folder, 2, clock, "exception")
    assert shell("paper", "promotion").code == 1, "a failure that left no alert is no ground to promote"


def test_export_and_lineage_say_when_nothing_was_traded(shell: Shell, home: Path) -> None:
    out = home / "new.jsonl"
    for words in (("export", "S-1", "--out", str(out)), ("lineage",)):
        said = shell("paper", *words)
        assert said.code != 0 and "nothing has traded" in said.err
    wrong = shell("paper", "export", "S-1", "--out", str(out), "--format", "xml")
    assert wrong.code == 2 and "jsonl" in wrong.err and not out.exists()
