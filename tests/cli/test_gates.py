"""`interlock gates`: who ticked what and when, what blocks by its name, and the four results."""

from __future__ import annotations

import pytest

from engine.api.gates import (
    ChecklistRow,
    ChecklistTick,
    ChecklistUntick,
    ClosedOut,
    ExitResult,
    NoteRow,
    SessionCloseOut,
    Ticked,
)
from engine.api.views import PromotionRow

from .conftest import Shell
from .fake_engine import FakeEngine

HASH = "9c1e44d0" * 8
ITEMS = (
    ChecklistRow(
        item="risk_limits", said="caps were read", problem="", operator="mara", at_ns=10**18, audit_seq=7
    ),
    ChecklistRow(item="venue_key", said="no withdrawals", problem="unticked"),
)
ROW = PromotionRow(
    strategy="ema_cross", stage="paper", blockers=("checklist_unticked:venue_key",), candidate=HASH,
    checklist=ITEMS, notes=(NoteRow(session_id="PS-1", problem="missing"),),
)  # fmt: skip
EXIT = (
    ExitResult(name="bounded_sessions", ok=False, said="0 of 5"),
    ExitResult(name="x", ok=True, said="fine"),
)


@pytest.fixture
def gates(engine: FakeEngine) -> FakeEngine:
    engine.promotion, engine.exit_condition = (ROW,), EXIT
    return engine


def test_show_says_who_when_what_blocks_and_the_four_results_and_exits_one(
    shell: Shell, gates: FakeEngine
) -> None:
    answer = shell("gates", "show")
    assert answer.code == 1
    for said in ("[x]", "mara", "2001-09-09T01:46Z", "[ ] unticked", "blocks: checklist_unticked:venue_key",
                 "bounded_sessions", "[ ] missing", HASH):  # fmt: skip
        assert said in answer.out, said
    told = shell("gates", "show", "ema_cross", "--json").body
    assert told["promotion"]["checklist"][0]["operator"] == "mara"
    assert [each["name"] for each in told["exit_condition"]] == ["bounded_sessions", "x"]
    assert shell("gates", "show", "none").code != 0


def test_without_a_word_it_shows_holds_and_stages(shell: Shell, gates: FakeEngine) -> None:
    answer = shell("gates", "--json")
    assert answer.code == 0 and set(answer.body) >= {"holds", "promotion", "exit_condition"}


def test_a_tick_its_withdrawal_and_a_note_are_sent_as_they_were_said(shell: Shell, gates: FakeEngine) -> None:
    made = Ticked(strategy="ema_cross", candidate=HASH, rows=ITEMS, audit_seq=8)
    gates.results[ChecklistTick] = gates.results[ChecklistUntick] = made
    gates.results[SessionCloseOut] = ClosedOut(session_id="PS-1", evidence=HASH, audit_seq=9)
    words = ("gates", "tick", "ema_cross", "venue_key", "--candidate", HASH[:8].upper(), "--reason", "looked")
    answer = shell(*words, "--operator", "mara")
    assert answer.code == 0 and "1 of 2 items count" in answer.out
    assert shell("gates", "untick", "ema_cross", "venue_key", "--reason", "wrong key").code == 0
    assert "audit record 9" in shell("gates", "close-out", "PS-1", "--text", "calm").out
    assert gates.bodies == [
        ChecklistTick(strategy="ema_cross", candidate=HASH[:8], item="venue_key"),
        ChecklistUntick(strategy="ema_cross", item="venue_key"),
        SessionCloseOut(session_id="PS-1", text="calm"),
    ]
    assert (gates.told[0].operator, gates.told[0].reason) == ("mara", "looked")
