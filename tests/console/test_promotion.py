"""The promotion's page on the Gates screen: what is ticked is what is shown, and only with words."""

from __future__ import annotations

from typing import Any

from console.tui.app import InterlockApp
from engine.api.gates import (
    ChecklistRow,
    ChecklistTick,
    ChecklistUntick,
    ExitResult,
    NoteRow,
    SessionCloseOut,
)
from engine.api.views import PromotionRow
from safety.canonical import changed
from safety.gates import CHECKLIST

from . import desk_fixture as desk
from .hand import SIZE, picture, press, said, sent
from .snaps import pictured

HASH = "9c1e44d0a1b2c3d4" * 4
TICKED = {
    "paper_rationale": ("", "mara", 2_880, "trend days pay, range days cost; 41 trades read"),
    "risk_limits": ("", "jonas", 2_790, "micro caps 100 and 300 USD, loss limit 60 USD"),
    "venue_key": ("other_candidate", "mara", 20_160, "agent key, no withdrawals"),
    "alert_receipt": ("stale", "jonas", 44_640, "phone rang at 02:10"),
}


def item(name: str) -> ChecklistRow:
    problem, who, minutes, note = TICKED.get(name, ("unticked", "", 0, ""))
    row = ChecklistRow(item=name, said=CHECKLIST[name], problem=problem)
    if not who:
        return row
    return changed(row, operator=who, at_ns=desk.ago(60 * minutes), note=note, audit_seq=4_000 + minutes)


def note(number: int, problem: str = "") -> NoteRow:
    row = NoteRow(session_id=f"20260301_0{number}0000_paper_1-000{number}", problem=problem)
    if problem == "missing":
        return row
    return changed(
        row, operator="mara", at_ns=desk.ago(3_600 * number), note="calm; two fills", audit_seq=number
    )


ITEMS = tuple(item(name) for name in CHECKLIST)
NOTES = (note(5), note(4), note(3, "other_evidence"), note(2, "missing"))
TREND = PromotionRow(
    strategy="trend-channel", stage="paper", candidate=HASH, checklist=ITEMS, notes=NOTES,
    blockers=(
        "clean_paper_sessions_4_of_5", "not_built:strategy_seal", f"close_out_missing:{NOTES[3].session_id}",
        *(f"checklist_{row.problem}:{row.item}" for row in ITEMS if row.problem),
    ),
)  # fmt: skip
CARRY = PromotionRow(
    strategy="carry", stage="research", blockers=("no_successful_run", "not_built:strategy_seal"),
    checklist=tuple(ChecklistRow(item=name, said=CHECKLIST[name], problem="unticked") for name in CHECKLIST),
)  # fmt: skip
SAID = {
    "bounded_sessions": "3 of 5 sessions with real money ended, small and reconciled",
    "operator_review": "2 of 3 approved and closed out by a named person: X-0003 close-out note missing",
    "alert_artifacts": "4 of 4 files of health and alerts are there and current",
    "no_open_blocker": "nothing open on secrets, reconciliation or stop control",
}
EXIT = tuple(
    ExitResult(name=name, ok=number > 1, said=text) for number, (name, text) in enumerate(SAID.items())
)


def gates(**options: Any) -> InterlockApp:
    view = changed(desk.overview(), promotion=(TREND, CARRY), exit_condition=EXIT)
    return desk.make_app(desk.gateway(overview=view), **options)


STATES = {
    "holds": (gates, ("7",)),
    "page": (gates, ("7", "c")),
    "tick_key": (gates, ("7", "c", "j", "j", "t", "l", "i", "s", "t", "s")),
}
test_state, test_state_without_colour = pictured(STATES)


async def test_a_tick_is_sent_for_the_item_under_the_cursor_and_the_candidate_that_is_shown() -> None:
    app = gates()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "c", "j", "j", "t", *"no", "enter")
        assert not sent(app, ChecklistTick) and "in words" in said(app)
        await press(pilot, "t", *"read the lists", "enter")
        assert sent(app, ChecklistTick) == [
            ChecklistTick(strategy="trend-channel", candidate=HASH, item="allow_lists")
        ]
        assert app.gateway.sent[-1][1] == "read the lists"  # type: ignore[attr-defined]


async def test_a_tick_is_taken_back_with_a_reason() -> None:
    app = gates()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "c", "j", "U", *"wrong account", "enter")
        assert sent(app, ChecklistUntick) == [ChecklistUntick(strategy="trend-channel", item="risk_limits")]


async def test_the_note_is_asked_for_the_oldest_session_that_has_none() -> None:
    app = gates()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "c", "w", *"a quiet night", "enter")
        wanted = SessionCloseOut(session_id=NOTES[3].session_id, text="a quiet night")
        assert sent(app, SessionCloseOut) == [wanted]


async def test_another_strategy_is_chosen_in_the_list_above_and_without_a_run_nothing_is_ticked() -> None:
    app = gates()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "c", "shift+tab", "j", "t")
        assert "CHECKLIST carry" in picture(app) and "no run proves" in said(app)
        assert not app.prompt.is_open and not sent(app, ChecklistTick)
        await press(pilot, "escape")
        assert "KILL LATCH" in picture(app) and "CHECKLIST carry" not in picture(app)


async def test_the_four_results_and_who_ticked_stand_on_the_page() -> None:
    app = gates()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "7", "c")
        shown = picture(app)
        for each in (
            *(result.name for result in EXIT),
            "mara",
            "jonas",
            "other candidate",
            "2 of 8",
            "stale",
        ):
            assert each in shown, each
