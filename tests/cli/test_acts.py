"""The acts: kill with and without an engine, tickets by hash, sessions, words that confirm."""

from __future__ import annotations

import json
import math
import sys
import types
from pathlib import Path

import pytest

from console.cli import diagnostics
from engine.api.commands import (
    Kill,
    KillDone,
    OrderAsk,
    PaperStart,
    TicketApprove,
    TicketDefer,
    TicketSelect,
)
from engine.api.endpoint import Endpoint

from .conftest import Shell
from .fake_engine import HASH, FakeEngine, session, ticket


@pytest.fixture
def disk_latch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for the engine-less latch; returns the levels it was asked for."""
    levels: list[str] = []

    def kill_direct(home: Path, *, operator: str, reason: str, level: str) -> KillDone:
        levels.append(level)
        return KillDone(
            kill_id="K-0", level=level, latched_at_ns=1, latch_ms=1.0, cancels_sent=0, cancels_confirmed=0,
            positions_kept=0,
        )  # fmt: skip

    local = types.ModuleType("engine.api.local")
    local.__spec__ = types.SimpleNamespace(name="engine.api.local")  # type: ignore[assignment]
    local.kill_direct = kill_direct  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "engine.api.local", local)
    return levels


def test_a_kill_needs_its_word(shell: Shell, engine: FakeEngine) -> None:
    assert shell("kill").code == 2
    assert shell("kill", "--confirm", "kill").code == 2
    assert shell("kill", "--confirm", "KILL", "--level", "gently").code == 2
    assert engine.told == []


def test_a_kill_is_confirmed_by_the_engine(shell: Shell, engine: FakeEngine) -> None:
    answer = shell("kill", "--confirm", "KILL", "--level", "close_only", "--json")
    assert answer.code == 0
    assert answer.body["path"] == "engine" and answer.body["confirmed"] is True
    assert engine.bodies == [Kill(level="close_only", confirm="KILL")]
    assert engine.told[0].operator == "alice"


def test_cancels_that_are_not_confirmed_make_the_kill_unconfirmed(shell: Shell, engine: FakeEngine) -> None:
    engine.cancels_confirmed = 2
    assert shell("kill", "--confirm", "KILL").code == 10


def test_a_kill_without_an_engine_latches_on_the_disk_and_says_so(
    shell: Shell, engine: FakeEngine, disk_latch: list[str]
) -> None:
    engine.is_down = True
    answer = shell("kill", "--confirm", "KILL")
    assert answer.code == 0 and disk_latch == ["halt_all"]
    assert "without" in answer.err and "direct" in answer.out


@pytest.mark.parametrize("fault", ["silent", "refused"])
def test_a_live_engine_that_does_not_confirm_leaves_exit_ten(
    fault: str, shell: Shell, engine: FakeEngine, disk_latch: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = Endpoint(url="nats://x", pid=1, epoch=1, engine_version="0", started_at_ns=0)
    monkeypatch.setattr("console.cli.kill.live_endpoint", lambda paths: alive)
    engine.is_silent = fault == "silent"
    engine.refusal = "wrong_epoch" if fault == "refused" else ""
    answer = shell("kill", "--confirm", "KILL")
    assert answer.code == 10 and disk_latch == ["halt_all"]
    assert "UNCONFIRMED" in answer.err


def test_a_direct_kill_does_not_ask_the_engine(
    shell: Shell, engine: FakeEngine, disk_latch: list[str]
) -> None:
    assert shell("kill", "--direct", "--confirm", "KILL", "--json").body["path"] == "direct"
    assert engine.told == [] and disk_latch == ["halt_all"]


def test_a_latch_that_cannot_be_written_is_unconfirmed(
    shell: Shell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(module: str, name: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("console.cli.facade.function", refuse)
    engine.is_down = True
    answer = shell("kill", "--confirm", "KILL", "--json")
    assert answer.code == 10 and answer.body["code"] == "kill_unconfirmed"
    assert "No space left" in str(answer.body["message"])


def test_resume_needs_word_and_reason(shell: Shell, engine: FakeEngine) -> None:
    assert shell("resume", "--confirm", "RESUME").code == 2
    assert shell("resume", "--confirm", "RESUME", "--reason", " ").code == 2
    assert shell("resume", "--confirm", "RESUME", "--reason", "drill over").code == 0
    assert engine.told[0].reason == "drill over"


def test_flatten_fails_while_anything_remains(shell: Shell, engine: FakeEngine) -> None:
    assert shell("flatten", "--dry-run").code == 0 and engine.told == []
    answer = shell("flatten", "--confirm", "FLATTEN", "--json")
    assert answer.code == 1 and answer.body["remaining"] == ["ETH-PERP"]
    assert "do it again" in answer.err


def test_flatten_of_a_paper_desk_whose_engine_is_gone_says_so(shell: Shell, engine: FakeEngine) -> None:
    """It ended in a traceback, on the one command that is for a dead engine."""
    engine.is_down = True
    for words in ((), ("--direct",)):
        answer = shell("flatten", "--confirm", "FLATTEN", "--json", *words)
        assert answer.code == 3 and answer.body["code"] == "engine_unreachable"
        assert "a paper account ends with its engine" in str(answer.body["message"])


def test_approval_selects_first_and_names_the_whole_hash(shell: Shell, engine: FakeEngine) -> None:
    assert shell("tickets", "approve", "T-1", "--hash", HASH[:8], "--size", "0.5").code == 0
    select, approve = engine.bodies
    assert isinstance(select, TicketSelect) and isinstance(approve, TicketApprove)
    assert approve.ticket_hash == HASH and str(approve.typed_size) == "0.5"


def test_a_wrong_hash_reserves_and_approves_nothing(shell: Shell, engine: FakeEngine) -> None:
    assert shell("tickets", "approve", "T-1", "--hash", "00000000").code == 6
    assert shell("tickets", "approve", "T-1", "--hash", HASH[:4]).code == 2
    assert engine.told == []


def test_a_ticket_that_changed_under_review_is_not_approved(shell: Shell, engine: FakeEngine) -> None:
    engine.after_select = lambda row: ticket(ticket_hash="ffff" * 4, version=2)
    answer = shell("tickets", "approve", "T-1", "--hash", HASH, "--json")
    assert answer.code == 6 and answer.body["code"] == "ticket_changed"
    assert not any(isinstance(body, TicketApprove) for body in engine.bodies)


def test_reject_takes_one_of_the_six_reasons(shell: Shell, engine: FakeEngine) -> None:
    assert shell("tickets", "reject", "T-1", "--reason", "7").code == 2
    assert shell("tickets", "reject", "T-1", "--reason", "1").code == 0


def test_a_deferral_carries_its_time_and_its_reason(shell: Shell, engine: FakeEngine) -> None:
    assert shell("tickets", "defer", "T-1", "--seconds", "-1").code == 2
    answer = shell("tickets", "defer", "T-1", "--seconds", "30", "--reason", "the print", "--json")
    assert answer.code == 0 and answer.body["ticket"]["deferred_by"] == "alice"  # type: ignore[index]
    assert engine.bodies == [TicketDefer(ticket_id="T-1", seconds=30)]
    assert engine.told[0].reason == "the print"


def test_asking_about_an_order_shows_what_the_venue_said(shell: Shell, engine: FakeEngine) -> None:
    answer = shell("orders", "ask", "O-7", "--json")
    assert answer.code == 0 and answer.body["asked"]["said"] == "venue says open"  # type: ignore[index]
    assert engine.bodies == [OrderAsk(order_id="O-7")]
    engine.refusal = "venue_unreachable"
    assert shell("orders", "ask", "O-7").code == 1


def test_paper_start_carries_every_choice_and_waits_for_the_hash(shell: Shell, engine: FakeEngine) -> None:
    answer = shell(
        "paper", "start", "--strategy", "ema_cross", "--symbol", "BTC-PERP", "--set", "fast=9", "--seed", "4",
        "--max-bars", "10", "--supervised", "--wait", "--json",
    )  # fmt: skip
    assert answer.code == 0
    found = answer.body["session"]
    assert isinstance(found, dict) and found["decision_sha256"] == "ab" * 32
    body = engine.bodies[0]
    assert isinstance(body, PaperStart)
    assert body.params == {"fast": 9.0} and body.seed == 4 and body.is_supervised and body.max_bars == 10


def test_paper_start_from_a_file_with_signals(shell: Shell, engine: FakeEngine, tmp_path: Path) -> None:
    request, lines = tmp_path / "request.json", tmp_path / "signals"
    params = {"strategies": ["ema_cross"], "symbols": ["BTC-PERP"], "seed": 5, "params": {"fast": 9}}
    body = {"schema_version": "1.0", "request_id": "R-7", "command": "paper", "params": params}
    request.write_text(json.dumps(body))
    words = ("paper", "start", "--json-request", str(request), "--signal-file", str(lines))
    assert shell(*words, "--max-bars", "10", "--json").code == 0
    sent = engine.bodies[0]
    assert isinstance(sent, PaperStart)
    assert (sent.strategies, sent.seed, sent.params, sent.max_bars) == (("ema_cross",), 5, {"fast": 9}, 10)
    assert engine.told[0].request_id == "R-7"
    assert shell(*words, "--wait", "--seed", "6").code == 0
    assert isinstance(engine.bodies[1], PaperStart) and engine.bodies[1].seed == 6
    engine.session = session(status="failed", status_reason="exception")
    assert shell(*words, "--wait").code == 1
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [line["event"].removeprefix("SESSION_") for line in told] == [
        "STARTED", "STARTED", "STARTED", "COMPLETED", "STARTED", "FAILED",
    ]  # fmt: skip
    assert {line["request_id"] for line in told} == {"R-7"} and {line["mode"] for line in told} == {"paper"}
    assert told[1]["run_id"] == told[3]["run_id"] == "P-1" and told[3]["report_path"].endswith("report.json")
    assert (told[5]["exit_code"], told[5]["error_type"]) == (1, "exception")
    body["params"] = {"strategies": ["ema_cross"], "luck": 1}
    request.write_text(json.dumps(body))
    assert shell(*words).code == 2 and len(engine.bodies) == 3


def test_a_session_that_failed_fails_the_wait(shell: Shell, engine: FakeEngine) -> None:
    engine.session = session(status="failed")
    assert shell("paper", "start", "--strategy", "x", "--wait").code == 1


def test_research_works_with_no_engine(shell: Shell) -> None:
    assert shell("run", "list", "--json").body["runs"] == []
    assert shell("run", "show", "nothing").code == 1
    assert shell("run", "best").code == 1
    assert shell("run", "best", "--metric", "luck").code == 2
    assert shell("data", "list", "--json").body["data"] == []
    assert shell("data", "coverage", "sandbox/BTC-PERP/1m", "--json").body["code"] == "not_found"
    assert shell("data", "coverage", "BTC-PERP").code == 2
    assert shell("paper", "list", "--json").body["sessions"] == []


def test_settings_show_where_they_come_from(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = shell("config", "show", "--origin", "--json")
    assert answer.code == 0
    settings = answer.body["settings"]
    assert isinstance(settings, list) and all(set(row) == {"key", "value", "origin"} for row in settings)


def test_a_file_with_a_fault_is_not_imported(shell: Shell, tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text("time,open\n1,2\n")
    answer = shell("data", "import", str(bars), "--as", "sandbox/BTC-PERP/1m", "--json")
    assert answer.code == 1 and answer.body["code"] == "data_invalid"


def test_from_a_file_of_bars_to_a_run_that_can_be_shown(shell: Shell, tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    rows = [(1_700_000_040_000 + 60_000 * n, 100 + 10 * math.sin(n / 40)) for n in range(600)]
    lines = [f"{at},{price:.2f},{price + 1:.2f},{price - 1:.2f},{price:.2f},5" for at, price in rows]
    bars.write_text("\n".join(["ts_ms,open,high,low,close,volume", *lines, ""]))
    assert shell("data", "import", str(bars), "--as", "sandbox/BTC-PERP/1m").code == 0
    words = ("run", "start", "--strategy", "ema_cross", "--data", "sandbox/BTC-PERP/1m", "--set", "fast=9")
    first, second = (shell(*words, "--json").body["run"] for _ in range(2))
    assert isinstance(first, dict) and isinstance(second, dict)
    assert first["decision_sha256"] == second["decision_sha256"]
    run_id = str(first["run_id"])
    assert run_id in shell("run", "list").out
    assert shell("run", "show", run_id).code == 0 and shell("run", "compare", run_id).code == 2
    assert shell("run", "compare", run_id, str(second["run_id"])).code == 0
    assert shell("run", "report", run_id, "--format", "md").out.startswith(f"# Run {run_id}")
    brief = shell(*words, "--max-bars", "300", "--json").body["run"]
    assert isinstance(brief, dict)
    mixed = shell("run", "compare", run_id, str(brief["run_id"]), "--json")
    assert (mixed.code, mixed.body["code"]) == (2, "mixed_contract") and "end" in str(mixed.body["message"])
    aligned = shell("run", "compare", run_id, str(brief["run_id"]), "--align", "--json")
    assert aligned.code == 0
    assert shell("run", "candidates", "add", run_id, "--note", "steady").code == 0
    assert shell("run", "candidates", "shortlist", run_id).code == 0
    assert shell("runs", "candidates", "baseline", run_id).code == 0
    listed = shell("run", "candidates", "ls", "--json").body["candidates"]
    assert [(row["run_id"], row["is_baseline"], row["shortlisted"]) for row in listed] == [
        (run_id, True, True)
    ]
    assert shell("run", "candidates", "add", "nope").code == 1
    assert shell("run", "best", "--metric", "total_return").code == 0
    assert shell("run", "start", "--strategy", "nope", "--data", "sandbox/BTC-PERP/1m").code == 1


def test_the_console_needs_a_terminal(shell: Shell) -> None:
    assert shell().code == 2
    assert shell("console", "--json").body["code"] == "usage"


def test_a_log_tail_is_short_and_clean(shell: Shell, home: Path) -> None:
    (home / "run").mkdir()
    (home / "run" / "engine.log").write_text("one\ntwo\x1b[31m\nthree\n")
    assert shell("engine", "logs", "-n", "2", "--json").body["lines"] == ["two[31m", "three"]


def test_no_color_and_dumb_terminals_get_none() -> None:
    assert diagnostics.has_colour({}, True)
    assert not diagnostics.has_colour({"NO_COLOR": "1"}, True)
    assert not diagnostics.has_colour({"TERM": "dumb"}, True)
    assert not diagnostics.has_colour({}, False)


def test_runbooks_are_readable_without_an_engine(shell: Shell) -> None:
    assert shell("runbook", "show", "kill-and-resume").out.startswith("# ")
    assert shell("runbook", "show", "../pyproject").code == 1


def test_the_console_alone_acts_in_the_name_that_the_environment_gives(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`interlock` has no option that would read the variable: the login name stood in the record instead."""
    opened: list[str] = []

    def run_console(home: Path, operator: str, readonly: bool) -> int:
        opened.append(operator)
        return 0

    monkeypatch.setenv("INTERLOCK_OPERATOR", "ana")
    monkeypatch.setattr("console.cli.desk.demand_terminal", lambda instead: None)
    monkeypatch.setattr("console.cli.desk._load_console", lambda: run_console)
    assert shell().code == 0 and shell("console").code == 0
    assert shell("console", "--operator", "bob").code == 0
    assert opened == ["ana", "ana", "bob"]
