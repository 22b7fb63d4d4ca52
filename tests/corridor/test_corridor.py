"""The corridor on the sandbox exchange: its steps, what refuses each, and its one submit."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from engine.api.corridor import SessionState, Step
from engine.api.order_judgement import OrderJudge
from engine.corridor import reading
from engine.corridor.case import Ask
from engine.corridor.desk import CorridorDesk
from engine.corridor.pack import pack
from engine.corridor.steps import CONFIRMATIONS, STEPS
from engine.dry_judging import judge_order
from engine.trading.custody import Verdict
from safety.canonical import sha256_hex
from safety.killbyte import KillLevel
from safety.reasons import REASONS, Refusal
from seams.wire import Lost, Unsent
from tests.engine.custody_house import House
from tests.venues.test_exchange import SPEC
from venues.sandbox.evidence import ExchangeEvidence
from venues.types import Quote

UP_TO_GATE = (Step.READINESS, Step.PREPARE, Step.APPROVE, Step.BUNDLE, Step.GATE)
FORM: dict[str, Any] = {
    "symbol": SPEC.symbol,
    "side": "buy",
    "quantity": "1",
    "order_type": "limit",
    "time_in_force": "gtc",
    "limit_price": "100",
    "stop_loss": "95",
}


class Hall:
    """A house with a corridor in it; `restart` is a new engine on the same record."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder)
        self.desk = self._desk()

    def _desk(self) -> CorridorDesk:
        evidence = ExchangeEvidence(self.house.desk.link, self.house.clock)
        self.quote()
        return CorridorDesk(self.house.custody.core, self.house.custody, evidence)

    async def restart(self) -> None:
        self.house.restart()
        self.desk = self._desk()
        await self.house.clean()

    def quote(self) -> None:
        at_ns = self.house.clock.now_ns()
        self.house.desk.exchange.on_market(Quote(symbol=SPEC.symbol, at_ns=at_ns, bid=99.9, ask=100.1))

    @property
    def root(self) -> Path:
        return self.house.custody.core.paths.submits

    async def do(self, session_id: str, step: Step, **fields: Any) -> SessionState:
        self.quote()
        confirm = fields.pop("confirm", CONFIRMATIONS.get(step, ""))
        return await self.desk.act(session_id, Ask(step=step, operator="ann", confirm=confirm, **fields))

    async def opened(self, **form: Any) -> str:
        self.quote()
        state = await self.desk.open(Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, **form}))
        assert state.status == "preflight_passed", state
        return state.session_id

    async def at_gate(self) -> str:
        session_id = await self.opened()
        for step in UP_TO_GATE:
            state = await self.do(session_id, step)
            assert not state.reasons, state
        return session_id

    async def before_killed_gate(self) -> str:
        """Go up to the gate, and pull the switch there; return the corridor's session."""
        session_id = await self.opened()
        for step in UP_TO_GATE[:-1]:
            await self.do(session_id, step)
        core = self.house.custody.core
        core.kill.trip(KillLevel.HALT_ALL, by="ann", reason="test", source="test")
        core.sync_kill_hold()
        return session_id

    def artifact(self, session_id: str, name: str) -> dict[str, Any]:
        found = json.loads(self.house.disk.read(self.root / session_id / f"{name}.json"))
        assert isinstance(found, dict)
        return found


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    made = Hall(tmp_path)
    await made.house.clean()
    yield made
    made.house.custody.core.store.close()


async def test_the_whole_way_leaves_every_artifact_and_one_order(hall: Hall) -> None:
    session_id = await hall.at_gate()
    state = await hall.do(session_id, Step.SUBMIT)
    assert state.status == "submitted"
    assert (await hall.do(session_id, Step.STATUS)).status == "open"
    for step in (Step.RECONCILE, Step.FILLS, Step.SUPERVISE):
        state = await hall.do(session_id, step, polls=1)
        assert not state.reasons, state
    state = await hall.do(session_id, Step.CANCEL)
    assert state.status == "canceled", state
    for rule in STEPS.values():
        assert hall.artifact(session_id, rule.file)["session_id"] == session_id
    approval, prepared = hall.artifact(session_id, "approval"), hall.artifact(session_id, "prepared_order")
    assert approval["body"]["reviewer"] == "ann" and prepared["by"] == "ann"
    order = hall.house.custody.orders.known(f"O-{session_id}")
    assert order is not None and order.signed is not None
    assert prepared["body"]["signed"]["nonce"] == order.signed.nonce, "the approved bytes are those that left"


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.PREFLIGHT])
async def test_no_step_can_be_skipped(hall: Hall, step: Step) -> None:
    session_id = await hall.opened()
    if step is Step.READINESS:
        return
    with pytest.raises(Refusal, match="step_out_of_order"):
        await hall.do(session_id, step)


async def test_no_step_is_done_twice(hall: Hall) -> None:
    session_id = await hall.at_gate()
    for step in (Step.PREFLIGHT, *UP_TO_GATE):
        with pytest.raises(Refusal, match="step_done"):
            await hall.do(session_id, step)


@pytest.mark.parametrize("step", UP_TO_GATE)
async def test_a_stale_artifact_carries_no_step(hall: Hall, step: Step) -> None:
    session_id = await hall.opened()
    for before in UP_TO_GATE[: UP_TO_GATE.index(step)]:
        await hall.do(session_id, before)
    fresh_s = STEPS[step].fresh_s
    assert fresh_s is not None
    hall.house.clock.advance(fresh_s + 1.0)
    with pytest.raises(Refusal, match="artifact_stale"):
        await hall.do(session_id, step)


async def test_a_person_types_the_word_of_the_step(hall: Hall) -> None:
    session_id = await hall.opened()
    for step in (Step.READINESS, Step.PREPARE):
        await hall.do(session_id, step)
    for word in ("", "approve", "YES"):
        with pytest.raises(Refusal, match="bad_confirmation"):
            await hall.do(session_id, Step.APPROVE, confirm=word)


async def test_the_second_submit_is_refused_whatever_the_first_came_to(hall: Hall) -> None:
    for fault in (None, Lost("silence"), Unsent("no line")):
        hall.house.clock.advance(61.0)
        await hall.house.clean()
        session_id = await hall.at_gate()
        hall.house.desk.wire.fault = fault
        await hall.do(session_id, Step.SUBMIT)
        hall.house.desk.wire.fault = None
        with pytest.raises(Refusal, match="already_submitted"):
            await hall.do(session_id, Step.SUBMIT)
        await hall.do(session_id, Step.STATUS)
        await hall.house.clean()


def offered(hall: Hall, session_id: str) -> str:
    return reading.show(hall.root, session_id, hall.house.disk, hall.house.clock.now_ns()).next_step


async def test_after_the_submit_each_look_is_offered_in_its_turn(hall: Hall) -> None:
    """The console has one key for the next step: a look that never comes next cannot be done there at all."""
    session_id = await hall.at_gate()
    await hall.do(session_id, Step.SUBMIT)
    for step in (Step.STATUS, Step.RECONCILE, Step.FILLS, Step.SUPERVISE):
        assert offered(hall, session_id) == step.value
        await hall.do(session_id, step, polls=1)
    assert offered(hall, session_id) == Step.STATUS.value, "and then anew"
    await hall.do(session_id, Step.STATUS)
    await hall.do(session_id, Step.CANCEL)
    assert offered(hall, session_id) == Step.STATUS.value, "a cancel is looked at first"


async def test_a_look_that_did_not_pass_is_offered_again(hall: Hall) -> None:
    session_id = await hall.at_gate()
    hall.house.desk.wire.fault = Lost("silence")
    hall.house.desk.exchange.listeners.clear()
    await hall.do(session_id, Step.SUBMIT)
    await hall.do(session_id, Step.STATUS)
    assert offered(hall, session_id) == Step.STATUS.value


async def test_whoever_still_types_the_limit_is_told_the_mark(hall: Hall) -> None:
    """A limit must lie near the market, and nothing else on that screen says where the market is."""
    form = {name: value for name, value in FORM.items() if name not in ("limit_price", "stop_loss")}
    core = hall.house.custody.core
    verdict = await judge_order(core, cast(Any, None), hall.desk, OrderJudge(order=form))
    assert verdict.mark_price is not None and not verdict.can_submit
    for unknown in ({}, {"symbol": "NO-SUCH"}):
        verdict = await judge_order(core, cast(Any, None), hall.desk, OrderJudge(order=unknown))
        assert verdict.mark_price is None and verdict.said


async def test_silence_makes_it_unknown_and_looking_proves_it(hall: Hall) -> None:
    session_id = await hall.at_gate()
    hall.house.desk.wire.fault = Lost("silence")
    hall.house.desk.exchange.listeners.clear()  # the stream is silent too
    state = await hall.do(session_id, Step.SUBMIT)
    assert state.status == "reconciliation_required"
    assert state.alerts[0].code == "SUBMIT_REQUEST_FAILED"
    state = await hall.do(session_id, Step.STATUS)
    assert state.status == "reconciliation_required" and state.alerts[0].code == "ORDER_STATUS_UNKNOWN"
    hall.house.desk.wire.fault = None
    hall.house.clock.advance(3.0)
    state = await hall.do(session_id, Step.STATUS)
    assert (state.status, state.alerts) == ("open", ()), "found at the venue; nothing was sent again"


async def test_what_never_left_is_proved_dead(hall: Hall) -> None:
    session_id = await hall.at_gate()
    hall.house.desk.wire.fault = Unsent("no line")
    state = await hall.do(session_id, Step.SUBMIT)
    assert state.status == "submit_not_sent"
    hall.house.desk.wire.fault = None
    assert (await hall.do(session_id, Step.STATUS)).status == "rejected"


@pytest.mark.parametrize(
    ("verdict", "code"),
    [(Verdict.AMBIGUOUS, "reconciliation_not_clean"), (Verdict.HYDRATING, "not_hydrated")],
)
async def test_the_gate_names_everything_that_fails_at_once(hall: Hall, verdict: Verdict, code: str) -> None:
    session_id = await hall.opened()
    for step in UP_TO_GATE[:-1]:
        await hall.do(session_id, step)
    core = hall.house.custody.core
    core.kill.trip(KillLevel.HALT_ALL, by="ann", reason="test", source="test")
    core.sync_kill_hold()
    hall.house.custody.verdict = verdict
    state = await hall.do(session_id, Step.GATE)
    assert state.status == "submit_gate_closed"
    assert {"kill_switch_active", "hold_blocks_entry", code} <= set(state.reasons)
    assert all(code in REASONS for code in state.reasons)
    with pytest.raises(Refusal, match="step_out_of_order"):
        await hall.do(session_id, Step.SUBMIT)


async def test_what_changes_after_the_gate_closes_it_again(hall: Hall) -> None:
    session_id = await hall.at_gate()
    hall.house.custody.core.kill.trip(KillLevel.HALT_ALL, by="ann", reason="test", source="test")
    with pytest.raises(Refusal, match="gate_closed"):
        await hall.do(session_id, Step.SUBMIT)
    assert hall.house.custody.orders.known(f"O-{session_id}") is None


@pytest.mark.parametrize("how", ["changed", "removed", "swapped"])
async def test_an_altered_record_stops_the_session(hall: Hall, how: str) -> None:
    session_id = await hall.at_gate()
    history, disk = hall.root / session_id / "history", hall.house.disk
    names = sorted(disk.list(history))
    if how == "changed":
        path = history / names[2]
        disk.write_atomic(path, disk.read(path).replace(b'"ann"', b'"eve"'))
    elif how == "removed":
        disk.remove(history / names[-1])
    else:
        first, second = disk.read(history / names[1]), disk.read(history / names[2])
        disk.write_atomic(history / names[1], second)
        disk.write_atomic(history / names[2], first)
    with pytest.raises(Refusal, match="artifact_altered"):
        await hall.do(session_id, Step.SUBMIT)


async def test_a_restart_shows_the_right_step_after_each(hall: Hall) -> None:
    session_id = await hall.opened()
    for step in (*UP_TO_GATE, Step.SUBMIT):
        await hall.restart()
        view = reading.show(hall.root, session_id, hall.house.disk, hall.house.clock.now_ns())
        assert view.next_step == step.value
        state = await hall.do(session_id, step)
        assert not state.reasons, state
    await hall.restart()
    assert (await hall.do(session_id, Step.STATUS)).status == "open"


async def test_an_engine_that_dies_in_the_submit_leaves_a_question_not_a_second_order(hall: Hall) -> None:
    session_id = await hall.at_gate()

    class Died(BaseException):
        pass

    async def die(*_: object) -> object:
        raise Died

    hall.house.custody.orders.send = die  # type: ignore[method-assign, assignment]
    with pytest.raises(Died):
        await hall.do(session_id, Step.SUBMIT)
    await hall.restart()
    view = reading.show(hall.root, session_id, hall.house.disk, hall.house.clock.now_ns())
    assert view.state.status == "reconciliation_required" and view.state.alerts[0].code == "SUBMIT_PENDING"
    with pytest.raises(Refusal, match="already_submitted"):
        await hall.do(session_id, Step.SUBMIT)
    state = await hall.do(session_id, Step.STATUS)
    assert (state.status, state.reasons) == ("rejected", ("never_sent",))


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"quantity": "100000"}, "max_notional_exceeded"),
        ({"limit_price": "150"}, "price_collar_exceeded"),
        ({"stop_loss": "120"}, "stop_on_wrong_side"),
    ],
)
async def test_a_preflight_that_refuses_is_kept_and_can_be_seen(
    hall: Hall, form: dict[str, str], reason: str
) -> None:
    if "stop_loss" in form:
        with pytest.raises(Refusal, match="invalid_request"):
            await hall.desk.open(Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, **form}))
        return
    state = await hall.desk.open(Ask(step=Step.PREFLIGHT, operator="bob", form={**FORM, **form}))
    assert state.status == "preflight_refused" and reason in state.reasons
    with pytest.raises(Refusal, match="step_out_of_order"):
        await hall.do(state.session_id, Step.READINESS)


async def test_a_venue_that_does_not_answer_leaves_its_silence_on_record(hall: Hall) -> None:
    session_id = await hall.opened()
    hall.house.desk.wire.fault = Lost("silence")
    state = await hall.do(session_id, Step.READINESS)
    assert state.reasons and state.status in ("venue_unreachable", "account_not_ready")
    hall.house.desk.wire.fault = None
    await hall.house.clean()
    assert not (await hall.do(session_id, Step.READINESS)).reasons, "a refused step may be done again"


async def test_the_pack_holds_every_artifact_and_names_what_is_missing(hall: Hall) -> None:
    session_id = await hall.at_gate()
    core = hall.house.custody.core
    early = pack(hall.root, core.paths.sessions, session_id, "", core.disk)
    assert {"submit response (submit_response.json)", "a paper session"} <= set(early.missing)
    for step in (Step.SUBMIT, Step.CANCEL, Step.RECONCILE):
        await hall.do(session_id, step)
    paper = core.paths.sessions / "PS-1"
    core.disk.make_folder(paper)
    core.disk.write_atomic(paper / "session_status.json", b"{}")
    found = pack(hall.root, core.paths.sessions, session_id, "PS-1", core.disk)
    assert found.missing == () and found.status == "canceled"
    data = core.disk.read(hall.root / session_id / "evidence.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        held = {name: tar.extractfile(name) for name in tar.getnames()}
        for item in found.items:
            member = held[item.name]
            assert member is not None and sha256_hex(member.read()) == item.sha256
    pack(hall.root, core.paths.sessions, session_id, "PS-1", core.disk)
    assert core.disk.read(hall.root / session_id / "evidence.tar.gz") == data, (
        "the same session, the same bytes"
    )
