"""A refused step says for each reason what was seen and what to do: to programs, people and files alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.cli import link
from console.cli.app import run
from engine.api.corridor import SessionState, Step
from engine.api.order_judgement import OrderJudge
from engine.corridor.case import Ask
from engine.desk import Desk
from engine.dry_judging import judge_order
from safety.reasons import REASONS, Refusal, explain
from seams.wire import Lost, Unsent
from tests.corridor.test_corridor import FORM, Hall
from tests.corridor.test_corridor import hall as hall
from venues.asked_by import is_for_a_person
from venues.contract import Busy


async def test_a_rule_that_refuses_says_its_figures_and_the_correction(hall: Hall) -> None:
    state = await hall.desk.open(
        Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, "quantity": "100000"})
    )
    told = {each.code: each for each in state.refused}
    assert set(told) == set(state.reasons)
    notional = told["max_notional_exceeded"]
    assert "after 10000000" in notional.said and "limit " in notional.said and "headroom" in notional.said
    assert notional.correction == REASONS["max_notional_exceeded"].correction
    assert notional.runbook.partition("#")[2] == "max-notional-exceeded"
    kept = hall.artifact(state.session_id, "session_status")["refused"]
    assert {each["code"]: each["said"] for each in kept}["max_notional_exceeded"] == notional.said


async def test_a_closed_gate_says_what_closes_it(hall: Hall) -> None:
    session_id = await hall.before_killed_gate()
    state = await hall.do(session_id, Step.GATE)
    told = {each.code: each.said for each in state.refused}
    assert told["kill_switch_active"].startswith("halt_all")
    assert "rules judged" in told["checks_failed"] and "kill" in told["hold_blocks_entry"]


async def test_a_look_that_heard_nothing_is_no_agreement(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = await hall.at_gate()
    await hall.do(session_id, Step.SUBMIT)
    assert not (await hall.do(session_id, Step.RECONCILE)).reasons
    hall.house.desk.wire.fault = Lost("silence")
    state = await hall.do(session_id, Step.STATUS)
    assert (state.status, state.reasons) == ("open", ("venue_unreachable",)), "of record; nobody was heard"
    for step in (Step.RECONCILE, Step.FILLS, Step.SUPERVISE):
        state = await hall.do(session_id, step, polls=1)
        assert state.reasons == ("reconcile_unanswered",), step
        assert state.refused[0].correction == REASONS["reconcile_unanswered"].correction
    hall.house.desk.wire.fault = None

    async def kept(since_ns: int) -> None:
        raise Busy("the venue's request budget is kept: 901 of 1200 used")

    monkeypatch.setattr(hall.house.custody.venue, "fills_since", kept)
    assert (await hall.do(session_id, Step.RECONCILE)).reasons == ("venue_busy",)
    monkeypatch.undo()
    assert not (await hall.do(session_id, Step.RECONCILE)).reasons


def spoken(state: SessionState) -> dict[str, str]:
    """The reasons of a refused step with their titles; each is a code that is explained as itself."""
    assert state.refused and all(each.code in REASONS for each in state.refused), state.refused
    return {each.code: each.said for each in state.refused}


async def test_a_submit_in_doubt_is_not_called_a_refusal_of_the_venue(hall: Hall) -> None:
    """What no row explains reads `The venue refused the order`, of an order that may be alive or filled."""
    session_id = await hall.at_gate()
    hall.house.desk.wire.fault = Lost("silence")
    hall.house.desk.exchange.listeners.clear()
    assert set(spoken(await hall.do(session_id, Step.SUBMIT))) == {"outcome_unknown"}
    assert set(spoken(await hall.do(session_id, Step.STATUS))) == {"outcome_unknown"}
    assert set(spoken(await hall.do(session_id, Step.CANCEL))) == {"cancel_unconfirmed"}


async def test_a_submit_that_did_not_leave_says_so_now_and_at_every_look(hall: Hall) -> None:
    session_id = await hall.at_gate()
    hall.house.desk.wire.fault = Unsent("no line")
    told = spoken(await hall.do(session_id, Step.SUBMIT))
    assert set(told) == {"not_sent"} and "no line" in told["not_sent"]
    hall.house.desk.wire.fault = None
    assert set(spoken(await hall.do(session_id, Step.STATUS))) == {"not_sent"}


@pytest.mark.parametrize(
    "code", ["identifier_missing", "never_reached_venue", "never_sent", "reconciliation_difference"]
)
def test_what_else_the_corridor_says_of_an_order_is_explained_as_itself(code: str) -> None:
    assert REASONS[code].title != REASONS["venue_rejected"].title


async def test_an_old_verdict_is_no_readiness(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = await hall.opened()

    asked: list[bool] = []

    async def kept(since_ns: int) -> None:
        asked.append(is_for_a_person())
        raise Busy("the venue's request budget is kept: 901 of 1200 used")

    monkeypatch.setattr(hall.house.custody.venue, "fills_since", kept)
    assert (await hall.do(session_id, Step.READINESS)).reasons == ("venue_busy",)
    assert asked and all(asked), "a step that only asks may use a person's share of the budget"
    monkeypatch.undo()
    assert not (await hall.do(session_id, Step.READINESS)).reasons


async def test_a_step_that_our_own_budget_kept_back_is_no_silence_of_the_venue(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await hall.opened()

    async def kept(*_: object) -> None:
        raise Busy("the venue's request budget is kept: 901 of 1200 used", 23)

    monkeypatch.setattr(hall.desk.venue, "readiness", kept)
    state = await hall.do(session_id, Step.READINESS)
    assert (state.status, state.reasons) == ("venue_busy", ("venue_busy",))
    assert state.refused[0].said.startswith("try again in 23 s: ")
    assert state.refused[0].said.endswith("901 of 1200 used")
    artifact = hall.artifact(session_id, "account_readiness")
    assert artifact["state"] == "venue_busy" and artifact["body"]["said"] == state.refused[0].said
    monkeypatch.undo()
    monkeypatch.setattr(hall.house.custody.venue, "fills_since", kept)
    state = await hall.do(session_id, Step.READINESS)
    assert (state.status, state.reasons) == ("venue_busy", ("venue_busy",))
    assert "was not asked a whole pass" in state.refused[0].said and "in 23 s" in state.refused[0].said


async def test_a_look_that_our_own_budget_kept_back_says_for_how_long(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await hall.at_gate()
    await hall.do(session_id, Step.SUBMIT)

    async def kept(*_: object) -> None:
        raise Busy("the venue's request budget is kept: 901 of 1200 used", 23)

    monkeypatch.setattr(hall.house.custody.venue, "query", kept)
    state = await hall.do(session_id, Step.STATUS)
    assert (state.status, state.reasons) == ("open", ("venue_busy",)), "of record; nobody was asked"
    assert state.refused[0].said.startswith("try again in 23 s: ")
    monkeypatch.setattr(hall.house.custody.venue, "fills_since", kept)
    for step in (Step.RECONCILE, Step.FILLS, Step.SUPERVISE):
        state = await hall.do(session_id, step, polls=1)
        assert state.reasons == ("venue_busy",) and "try again in 23 s" in state.refused[0].said, step


async def test_a_submit_that_our_own_budget_kept_back_begins_nothing(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await hall.at_gate()

    async def kept(*_: object) -> None:
        raise Busy("the venue's request budget is kept: 1101 of 1200 used", 23)

    monkeypatch.setattr(hall.desk.venue, "market", kept)
    with pytest.raises(Refusal, match=r"^venue_busy: try again in 23 s"):
        await hall.do(session_id, Step.SUBMIT)
    monkeypatch.undo()
    assert not (await hall.do(session_id, Step.SUBMIT)).reasons


async def test_the_command_line_says_that_the_budget_rests_and_for_how_long(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session_id = await hall.opened()

    async def kept(*_: object) -> None:
        raise Busy("the venue's request budget is kept: 901 of 1200 used", 23)

    monkeypatch.setattr(hall.desk.venue, "readiness", kept)
    state = await hall.do(session_id, Step.READINESS)
    monkeypatch.setattr(link, "act", lambda *_, **__: state)
    assert run(("submit", "readiness", session_id)) == 1
    said = capsys.readouterr().out
    assert f"{session_id}  readiness: venue_busy" in said and "unreachable" not in said
    assert "seen: try again in 23 s: the venue's request budget is kept: 901 of 1200 used" in said


async def test_the_command_line_prints_why_and_what_to_do(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = await hall.desk.open(
        Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, "quantity": "100000"})
    )

    def answered(*_: Any, **__: Any) -> SessionState:
        return state

    monkeypatch.setattr(link, "act", answered)
    assert run(("submit", "readiness", state.session_id)) == 1
    said = capsys.readouterr().out
    for each in state.refused:
        lines = said.splitlines()
        at = next(place for place, line in enumerate(lines) if line.strip() == f"{each.code}: {each.title}")
        assert lines[at + 1].strip() == f"seen: {each.said}" and each.correction in lines[at + 2]
    assert run(("submit", "readiness", state.session_id, "--json")) == 1
    found = json.loads(capsys.readouterr().out)["submit"]["refused"]
    assert [each["correction"] for each in found] == [each.correction for each in state.refused]


async def test_a_limit_off_the_market_says_where_the_market_is(hall: Hall) -> None:
    state = await hall.desk.open(
        Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, "limit_price": "110"})
    )
    told = {each.code: each for each in state.refused}["price_collar_exceeded"]
    mark = hall.desk.show(state.session_id).order["mark_price"]
    assert f"mark {mark}" in told.said and "basis points" in told.said, told.said
    assert "now ," not in told.said and "after ," not in told.said


async def test_a_market_that_is_not_there_is_said_first_and_what_follows_from_it_apart(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = await hall.desk.open(
        Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, "symbol": "FOO-PERP"})
    )
    known = [each.code for each in state.refused if each.is_known]
    assert known[0] == "market_not_supported" and len(known) < len(state.refused)
    assert state.refused[0].title != REASONS["venue_rejected"].title
    assert [each.is_known for each in state.refused] == sorted(
        (each.is_known for each in state.refused), reverse=True
    )
    with pytest.raises(Refusal, match="judge it again, or open another session"):
        await hall.do(state.session_id, Step.READINESS)
    monkeypatch.setattr(link, "act", lambda *args, **kwargs: state)
    words = ["--symbol", "FOO-PERP", "--side", "buy", "--quantity", "1", "--limit", "100", "--stop", "90"]
    run(["submit", "open", *words])
    said = capsys.readouterr().out
    assert "more refuse, because a figure that they need is not known" in said
    assert said.count("seen: ") == len([each for each in state.refused if each.is_known and each.said])


async def test_another_spelling_of_a_market_is_told_ours_and_never_taken_for_it(hall: Hall) -> None:
    form = {**FORM, "symbol": "BTC-USD"}
    state = await hall.desk.open(Ask(step=Step.PREFLIGHT, operator="bob", form=form))
    told = {each.code: each.correction for each in state.refused}
    for code in ("market_not_supported", "instrument_unknown"):
        assert told[code].endswith("has no market BTC-USD; did you mean BTC-PERP?"), code
    custody = hall.house.custody
    verdict = await judge_order(custody.core, Desk(custody.core), hall.desk, OrderJudge(order=form))
    said = {each.code: each.said for each in verdict.said}
    assert said["instrument_unknown"] == told["instrument_unknown"] and not verdict.can_submit


async def test_what_has_ended_says_so_when_a_cancel_is_asked(hall: Hall) -> None:
    session_id = await hall.at_gate()
    await hall.do(session_id, Step.SUBMIT)
    while (await hall.do(session_id, Step.STATUS)).status not in ("filled", "canceled"):
        await hall.do(session_id, Step.CANCEL)
    state = await hall.do(session_id, Step.CANCEL)
    assert state.reasons == ("order_ended",)
    assert any(word in state.refused[0].said for word in ("filled", "canceled")), state.refused[0].said


async def test_a_refused_preflight_is_judged_again_by_command(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = await hall.desk.open(
        Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, "limit_price": "110"})
    )
    asked: list[Any] = []

    def answered(body: Any, *_: Any, **__: Any) -> SessionState:
        asked.append(body)
        return state

    monkeypatch.setattr(link, "act", answered)
    assert run(("submit", "preflight", state.session_id)) == 1
    assert (asked[0].step, asked[0].session_id) == (Step.PREFLIGHT, state.session_id)
    again = await hall.do(state.session_id, Step.PREFLIGHT)
    assert again.reasons == state.reasons and "price_collar_exceeded" in again.reasons


@pytest.mark.parametrize("state", ["post_only", "cancel_only", "limit_only"])
def test_a_preflight_against_the_systems_state_says_so(state: str) -> None:
    """`system_post_only` was explained as an order that the venue refused: nothing had been sent."""
    assert explain(f"system_{state}").code == f"venue_{state}"
