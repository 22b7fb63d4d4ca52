"""The whole engine on virtual time: the same inputs give the same bytes, and the rules hold throughout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.api.views import LimitsView
from safety.rules import RULES

from .desk_run import Outcome, simulate

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0


def _simulate(folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    folder.mkdir()
    monkeypatch.chdir(folder)
    return simulate(seed, SECONDS)


@pytest.mark.parametrize("seed", [1, 3, 7])
def test_the_rules_hold_after_every_view(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = _simulate(tmp_path / "desk", seed, monkeypatch)
    assert outcome.broken == []
    assert outcome.checks > 1_000
    happened = ("orders", "fills", "denied", "operator approved", "operator rejected", "acks", "kills",
                "views under the latch", "flat", "closed by flatten")  # fmt: skip
    assert [name for name in happened if not outcome.facts[name]] == []
    assert outcome.facts["resumes"] == 2
    _limits_are_shown_by_closeness(outcome)


def _limits_are_shown_by_closeness(outcome: Outcome) -> None:
    """Every view of the limits has every rule once, what refuses first, then by the share used."""
    head = b"view ilk.view.limits "
    bodies = [line.removeprefix(head) for line in outcome.trace if line.startswith(head)]
    views = [msgspec.json.decode(body, type=LimitsView) for body in bodies]
    assert len(views) > 20
    for view in views:
        assert sorted(row.code for row in view.rows) == sorted(rule.code for rule in RULES)
        refusing = [row.state in ("breach", "missing") for row in view.rows]
        assert refusing == sorted(refusing, reverse=True)
        shares = [row.used or 0.0 for row in view.rows if row.state in ("ok", "warn")]
        assert shares == sorted(shares, reverse=True)
        assert view.limits_epoch == 1 and len(view.limits_hash) == 64
    held = {row.code for view in views for row in view.rows if row.state == "breach"}
    assert {"kill_switch_active", "hold_blocks_entry"} <= held
    assert any(row.used and row.state in ("ok", "warn") for row in views[-1].rows)


def test_a_lost_answer_is_unknown_and_holds_until_the_venue_proves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = _simulate(tmp_path / "desk", 7, monkeypatch)
    assert outcome.facts["views with an unknown order"] > 0
    assert any(
        line.startswith(b"row order_events") and b"never_reached_venue" in line for line in outcome.trace
    )


@pytest.mark.timeout(600)
def test_two_runs_and_two_fresh_processes_leave_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = b"\n".join(_simulate(tmp_path / "here", 7, monkeypatch).trace)
    assert mine == b"\n".join(_simulate(tmp_path / "again", 7, monkeypatch).trace)
    kinds = {line.split(b" ", 2)[1] for line in mine.split(b"\n") if line.startswith(b"row ")}
    assert {b"orders", b"fills", b"tickets", b"decision_events", b"alarms"} <= kinds
    assert b"file desk/audit/audit.jsonl " in mine and b"view " in mine
    for hash_seed in ("1", "31337"):
        folder = tmp_path / f"process-{hash_seed}"
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation.desk_run", "7", str(SECONDS)],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == mine


def test_another_seed_is_another_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _simulate(tmp_path / "one", 1, monkeypatch)
    assert first.sha256 != _simulate(tmp_path / "two", 3, monkeypatch).sha256
