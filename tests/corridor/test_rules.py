"""What bounds the corridor beside its steps: the account's real traffic, the lease, and a second person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.api.commands import CommandBody
from engine.api.corridor import SessionState, Step, SubmitAct, SubmitOpen
from engine.api.leased import needs_lease
from engine.attendance import category
from engine.corridor.case import Ask
from safety.canonical import changed
from safety.intent import IntentCategory
from safety.reasons import Refusal
from tests.corridor.test_corridor import FORM, UP_TO_GATE, Hall
from tests.engine.supervised import Supervised
from tests.engine.test_flow import ENTRY
from venues.types import Side


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    made = Hall(tmp_path)
    await made.house.clean()
    yield made
    made.house.custody.core.store.close()


async def preflight(hall: Hall, **form: Any) -> SessionState:
    hall.quote()
    return await hall.desk.open(Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, **form}))


async def submitted(hall: Hall, **form: Any) -> str:
    session_id = await hall.opened(**form)
    for step in (*UP_TO_GATE, Step.SUBMIT):
        state = await hall.do(session_id, step)
        assert not state.reasons, state
    return session_id


async def test_the_same_form_within_a_minute_is_a_duplicate(hall: Hall) -> None:
    await submitted(hall)
    state = await preflight(hall)
    assert state.status == "preflight_refused" and "duplicate_intent" in state.reasons
    same = await preflight(hall, quantity="1.0", limit_price="100.1")
    assert "duplicate_intent" in same.reasons, "another price is the same wish"
    other = await preflight(hall, quantity="0.5")
    assert "duplicate_intent" not in other.reasons
    hall.house.clock.advance(61.0)
    await hall.house.clean()
    assert (await preflight(hall)).status == "preflight_passed"


async def test_what_was_sent_between_the_gate_and_the_submit_closes_the_gate(hall: Hall) -> None:
    first, second = await hall.at_gate(), await hall.at_gate()
    assert (await hall.do(first, Step.SUBMIT)).status == "submitted"
    with pytest.raises(Refusal, match="duplicate_intent"):
        await hall.do(second, Step.SUBMIT)
    assert hall.house.custody.orders.known(f"O-{second}") is None


async def test_a_restart_forgets_no_traffic(hall: Hall) -> None:
    await submitted(hall)
    await hall.restart()
    assert "duplicate_intent" in (await preflight(hall)).reasons
    traffic, now_ns = hall.house.custody.orders.traffic, hall.house.clock.now_ns()
    assert traffic.entries(now_ns, FORM["symbol"]) == 1
    assert traffic.repeats(now_ns, FORM["symbol"], Side.BUY) == 1


async def test_the_throttle_counts_what_sessions_sent_and_what_was_cancelled(hall: Hall) -> None:
    risk = hall.house.custody.core.settings.risk
    session_id = await submitted(hall)
    hall.house.clock.advance(30.0)
    await hall.house.clean()
    orders, now_ns = hall.house.custody.orders, hall.house.clock.now_ns()
    assert orders.traffic.messages(now_ns) == 0
    most = int(risk.message_burst * (1 - risk.cancel_reserve))
    for _ in range(most):
        await orders.cancel(f"O-{session_id}")
        orders.orders[f"O-{session_id}"].pending = "none"
        if not orders.orders[f"O-{session_id}"].is_alive:
            break
    for number in range(most - orders.traffic.messages(now_ns)):
        await hall.house.send(f"D-{number}")
    assert orders.traffic.messages(now_ns) == most
    state = await preflight(hall, quantity="0.5")
    assert "message_rate_exceeded" in state.reasons
    hall.house.clock.advance(3.0)
    await hall.house.clean()
    assert "message_rate_exceeded" not in (await preflight(hall, quantity="0.5")).reasons


async def test_the_value_of_a_minutes_entries_is_bounded_over_restarts(hall: Hall) -> None:
    await submitted(hall)
    bound = hall.house.custody.core.settings.risk.entry_usd_per_minute
    sent_usd = hall.house.custody.core.entry_flow.usd()
    assert sent_usd > 0
    await hall.restart()
    core, custody = hall.house.custody.core, hall.house.custody
    assert core.entry_flow.usd() == custody.orders.flow.usd() == sent_usd
    core.entry_flow.sent(changed(ENTRY, notional_usd=Decimal(str(bound))))
    assert "entry_notional_rate_exceeded" in (await preflight(hall, quantity="0.5")).reasons
    hall.house.clock.advance(61.0)
    await hall.house.clean()
    assert core.entry_flow.usd() == 0
    assert (await preflight(hall)).status == "preflight_passed"


async def test_a_storm_of_one_persons_orders_latches(hall: Hall) -> None:
    core, orders = hall.house.custody.core, hall.house.custody.orders
    now_ns, most = hall.house.clock.now_ns(), core.settings.risk.max_repeats
    for number in range(most):
        orders.traffic.sent(now_ns, FORM["symbol"], Side.BUY, str(number), is_entry=True)
    hall.house.clock.advance(90.0)
    await hall.house.clean()
    state = await preflight(hall)
    assert "repeated_execution" in state.reasons
    assert core.interlock.has("order_storm", f"{FORM['symbol']} buy"), "only a person clears it"
    assert "repeated_execution" not in (await preflight(hall, side="sell", stop_loss="105")).reasons


async def test_steps_that_start_risk_are_for_the_holder_of_the_lease(tmp_path: Path) -> None:
    desk = Supervised(tmp_path)
    try:
        act = SubmitAct(session_id="X-1", step=Step.SUBMIT, confirm="SUBMIT")
        opened: CommandBody = SubmitOpen(form=FORM)
        assert await desk.code(opened, "ada") == "mode_not_live", "she holds the lease; no account is here"
        assert await desk.code(opened, "bob") == "lease_held"
        assert await desk.code(act, "bob") == "lease_held"
        for step in (Step.CANCEL, Step.STATUS, Step.GATE):
            free = SubmitAct(session_id="X-1", step=step)
            assert await desk.code(free, "bob") == "mode_not_live", f"{step} needs no lease"
    finally:
        await desk.close()


def test_every_step_up_to_the_submit_but_the_gate_needs_the_lease() -> None:
    with_it = {step for step in Step if needs_lease(SubmitAct(session_id="X", step=step))}
    assert with_it == {Step.PREFLIGHT, *UP_TO_GATE, Step.SUBMIT} - {Step.GATE}
    assert category(SubmitAct(session_id="X", step=Step.CANCEL)) is IntentCategory.CANCEL
    assert category(SubmitAct(session_id="X", step=Step.FILLS)) is IntentCategory.QUERY
    assert category(SubmitAct(session_id="X", step=Step.SUBMIT)) is IntentCategory.RISK_INCREASE


class TwoPersons:
    """A desk on which an order of 50 USD needs two."""

    def __init__(self, hall: Hall) -> None:
        core = hall.house.custody.core
        supervision = core.settings.supervision.model_copy(
            update={"needs_two_persons": True, "second_person_above_usd": 50.0}
        )
        core.settings = core.settings.model_copy(update={"supervision": supervision})


async def act(hall: Hall, session_id: str, step: Step, who: str, key: str) -> SessionState:
    from engine.corridor.steps import CONFIRMATIONS

    hall.quote()
    word = CONFIRMATIONS.get(step, "")
    return await hall.desk.act(session_id, Ask(step=step, operator=who, principal=key, confirm=word))


async def prepared(hall: Hall, **form: Any) -> str:
    session_id = await hall.opened(**form)
    for step in (Step.READINESS, Step.PREPARE):
        await hall.do(session_id, step)
    return session_id


async def test_a_large_order_is_approved_by_one_and_let_through_by_another(hall: Hall) -> None:
    TwoPersons(hall)
    session_id = await prepared(hall)
    with pytest.raises(Refusal, match="principal_required"):
        await act(hall, session_id, Step.APPROVE, "ann", "")
    await act(hall, session_id, Step.APPROVE, "ann", "key-ann")
    await act(hall, session_id, Step.BUNDLE, "ann", "key-ann")
    for who, key, code in (
        ("bob", "", "principal_required"),
        ("ann", "key-ann", "same_person"),
        ("bob", "key-ann", "same_person"),
        ("ann", "key-bob", "same_person"),
    ):
        state = await act(hall, session_id, Step.GATE, who, key)
        assert state.status == "submit_gate_closed" and state.reasons == (code,), (who, key, state)
        with pytest.raises(Refusal, match="step_out_of_order"):
            await act(hall, session_id, Step.SUBMIT, "ann", "key-ann")
    assert not (await act(hall, session_id, Step.GATE, "bob", "key-bob")).reasons
    assert (await act(hall, session_id, Step.SUBMIT, "ann", "key-ann")).status == "submitted"


async def test_a_small_order_needs_one_person(hall: Hall) -> None:
    TwoPersons(hall)
    session_id = await prepared(hall, quantity="0.4")
    for step in (Step.APPROVE, Step.BUNDLE, Step.GATE, Step.SUBMIT):
        state = await act(hall, session_id, step, "ann", "")
        assert not state.reasons, state


async def test_the_policy_of_the_preflight_stands_in_the_approval(hall: Hall) -> None:
    core = hall.house.custody.core
    core.disk.make_folder(core.paths.policies)
    book = f"# Coins\n{FORM['symbol']} is bought with two persons at the desk.".encode()
    core.disk.write_atomic(core.paths.policies / "house.md", book)
    session_id = await hall.at_gate()
    shown = hall.artifact(session_id, "preflight")["body"]["policy"]
    assert shown[0]["source"] == "house.md" and "two persons" in shown[0]["text"]
    assert hall.artifact(session_id, "approval")["body"]["policy"] == shown
