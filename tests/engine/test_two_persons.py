"""Two persons are two names with two keys: for the latch, a looser limit, a large or failing ticket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.api import commands as c
from engine.api.ticket_views import PairRow
from safety.approval import TicketState
from safety.canonical import changed
from safety.killbyte import KillLevel
from safety.principals import OperatorKey, enrol, revoke
from safety.two_person import WITHIN_NS
from tests.engine.supervised import START, Supervised, approval
from tests.store.looking import approval_of

KEYS = {name: OperatorKey(bytes([place]) * 32) for place, name in enumerate(("ada", "bob", "eve"), 1)}


def people(desk: Supervised) -> None:
    for name in ("ada", "bob"):
        enrol(desk.core.disk, desk.core.paths.operators, name, KEYS[name].public_key, 1)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Supervised]:
    made = Supervised(
        tmp_path,
        SUPERVISION__NEEDS_TWO_PERSONS="true",
        SUPERVISION__SECOND_PERSON_ABOVE_USD="1000",
        SUPERVISION__ALLOWS_OVERRIDE="true",
    )
    people(made)
    yield made
    await made.close()


async def resumed(desk: Supervised, who: str = "ada") -> PairRow:
    assert await desk.code(c.Kill(confirm="KILL"), reason="test") == "ok"
    reply = await desk.ask(c.Resume(confirm="RESUME"), who, reason="looked at it", key=KEYS[who])
    assert reply.ok, reply
    return msgspec.json.decode(reply.result, type=PairRow)


async def test_halt_all_is_reset_by_two_keys_and_the_record_names_both(desk: Supervised) -> None:
    pair = await resumed(desk)
    assert desk.core.kill.level is KillLevel.HALT_ALL and pair.signed_by == ("ada",)
    sign = c.PairConfirm(pair_id=pair.pair_id, pair_hash=pair.pair_hash)
    assert await desk.code(sign, key=KEYS["ada"]) == "same_person"
    assert await desk.code(sign, "bob") == "principal_required"
    assert await desk.code(sign, "bob", key=KEYS["ada"]) == "signature_invalid"
    assert await desk.code(sign, "eve", key=KEYS["eve"]) == "signature_invalid"
    wrong = changed(sign, pair_hash="0" * 64)
    assert await desk.code(wrong, "bob", key=KEYS["bob"]) == "approval_changed"
    assert desk.core.kill.level is KillLevel.HALT_ALL
    assert await desk.code(sign, "bob", key=KEYS["bob"]) == "ok"
    assert desk.core.kill.level is KillLevel.CLEAR and desk.core.kill.record.by == "ada+bob"
    assert await desk.code(sign, "bob", key=KEYS["bob"]) == "not_found"


async def test_a_request_lapses_is_refused_and_dies_with_a_second_kill(desk: Supervised) -> None:
    pair = await resumed(desk)
    sign = c.PairConfirm(pair_id=pair.pair_id, pair_hash=pair.pair_hash)
    desk.clock.step_ns += WITHIN_NS
    assert await desk.code(sign, "bob", key=KEYS["bob"]) == "approval_expired"
    desk.engine.handlers.pairs.tend()
    assert desk.engine.handlers.pairs.rows() == ()
    again = await desk.ask(c.Resume(confirm="RESUME"), reason="looked again", key=KEYS["ada"])
    fresh = msgspec.json.decode(again.result, type=PairRow)
    assert await desk.code(c.PairRefuse(pair_id=fresh.pair_id), "eve", reason="not yet") == "ok"
    assert await desk.code(changed(sign, pair_id=fresh.pair_id), "bob", key=KEYS["bob"]) == "not_found"


async def test_an_unsigned_or_altered_or_revoked_command_is_no_second_person(desk: Supervised) -> None:
    pair = await resumed(desk)
    sign = c.PairConfirm(pair_id=pair.pair_id, pair_hash=pair.pair_hash)
    assert await desk.code(sign, "bob", signature="00" * 64) == "signature_invalid"
    revoke(desk.core.disk, desk.core.paths.operators, "bob", 2)
    assert await desk.code(sign, "bob", key=KEYS["bob"]) == "signature_invalid"
    assert desk.core.kill.level is KillLevel.HALT_ALL


async def test_close_only_is_loosened_by_one_person(desk: Supervised) -> None:
    assert await desk.code(c.Kill(level="close_only", confirm="KILL")) == "ok"
    assert await desk.code(c.Resume(confirm="RESUME"), reason="looked") == "ok"
    assert desk.core.kill.level is KillLevel.CLEAR


async def test_a_raise_comes_into_force_after_its_cool_down_and_two_signatures(desk: Supervised) -> None:
    core, pairs = desk.core, desk.engine.handlers.pairs
    risk = core.limits.risk
    wanted = risk.model_copy(update={"max_gross_exposure_usd": 150_000.0})
    core.limits.take(wanted)
    pairs.tend()
    (row,) = pairs.rows()
    assert (row.kind, row.subject, row.reason) == (
        "limit_raise",
        "max_gross_exposure_usd",
        "100000.0 -> 150000.0",
    )
    desk.clock.step_ns += round(risk.raise_cooldown_s * 1e9)
    assert core.limits.mature(wanted) == []
    sign = c.PairConfirm(pair_id=row.pair_id, pair_hash=row.pair_hash[:12])
    assert await desk.code(sign, key=KEYS["ada"]) == "ok"
    assert core.limits.mature(wanted) == []
    assert await desk.code(sign, "bob", key=KEYS["bob"]) == "ok"
    assert [noted.kind for noted in core.limits.mature(wanted)] == ["limit_raised"]
    assert core.limits.risk.max_gross_exposure_usd == 150_000.0


async def test_a_large_ticket_waits_for_another_person(desk: Supervised) -> None:
    ticket = await desk.open()
    shown = await desk.reviewed(ticket)
    assert shown.needs_second
    assert await desk.code(approval(shown)) == "principal_required"
    assert await desk.code(approval(shown), key=KEYS["ada"]) == "ok"
    assert desk.state(ticket) is TicketState.COSIGNING
    sign = c.TicketCosign(ticket_id=ticket.id, ticket_hash=shown.ticket_hash)
    assert await desk.code(sign, key=KEYS["ada"]) == "same_person"
    altered = changed(sign, ticket_hash="0" * 64)
    assert await desk.code(altered, "bob", key=KEYS["bob"]) == "ticket_hash_mismatch"
    assert await desk.code(sign, "bob", key=KEYS["bob"]) == "ok"
    kept = approval_of(desk.core.store.link, ticket.id)
    assert kept is not None and kept.operator == "ada+bob"


ORDER: dict[str, object] = {
    "symbol": "BTC-PERP", "side": "buy", "order_type": "limit", "time_in_force": "ioc",
    "quantity": "0.01",
}  # fmt: skip


def by_hand(desk: Supervised, quantity: str = "0.01", collar: str = "1.001") -> dict[str, object]:
    (session,) = desk.engine.desk.sessions
    mark = session.ledger.holding("BTC-PERP").mark_price
    tick = session.plan.instruments["BTC-PERP"].tick
    lot = session.plan.instruments["BTC-PERP"].lot
    whole = (type(mark)(quantity) / lot).to_integral_value() * lot
    limit = (mark * type(mark)(collar) / tick).to_integral_value() * tick
    stop = (mark * type(mark)("0.5") / tick).to_integral_value() * tick
    return {**ORDER, "quantity": f"{whole:f}", "limit_price": f"{limit:f}", "stop_loss": f"{stop:f}"}


async def test_an_order_by_hand_states_limit_and_stop_or_is_told_how_to(desk: Supervised) -> None:
    await desk.open()
    reply = await desk.ask(c.TicketSubmit(order=ORDER))
    said = msgspec.json.decode(reply.result)
    assert reply.code == "order_incomplete"
    assert (said["errorCode"], said["toolName"]) == ("MISSING_REQUIRED_FIELDS", "ticket_submit")
    assert said["missingFields"] == ["limit_price", "stop_loss"]
    assert "stop_loss: give the protective stop" in said["correctiveAction"]
    wrong = {**by_hand(desk), "stop_loss": 95.5, "colour": "red"}
    reply = await desk.ask(c.TicketSubmit(order=wrong))
    assert reply.code == "order_invalid"
    assert msgspec.json.decode(reply.result)["invalidFields"] == ["colour", "stop_loss"]


async def test_an_order_by_hand_is_a_ticket_that_its_author_does_not_sign_second(desk: Supervised) -> None:
    first = await desk.open()
    reply = await desk.ask(c.TicketSubmit(order=by_hand(desk, "0.02")), reason="hedge")
    assert reply.ok, reply
    ticket = await desk.next_ticket(besides=(first.id,))
    assert ticket.proposed_by == "ada" and ticket.intent.strategy_id == "operator:hand"
    shown = await desk.reviewed(ticket)
    assert shown.proposed_by == "ada" and shown.why == "by hand: hedge"
    assert await desk.code(c.TicketSubmit(order={**by_hand(desk), "symbol": "NO-PERP"})) == "unknown_session"


async def test_an_override_is_one_ticket_two_keys_a_reason_and_an_alarm(desk: Supervised) -> None:
    first = await desk.open()
    over = by_hand(desk, "0.02", "1.95")
    assert (await desk.ask(c.TicketSubmit(order=over), reason="thin book")).ok
    ticket = await desk.next_ticket(besides=(first.id,))
    shown = await desk.reviewed(ticket)
    assert "price_collar_exceeded" in shown.reasons
    assert await desk.code(approval(shown), key=KEYS["ada"]) == "checks_failed"
    past = approval(shown, is_override=True)
    assert await desk.code(past, key=KEYS["ada"]) == "reason_required"
    assert await desk.code(past, key=KEYS["ada"], reason="the book is thin") == "ok"
    sign = c.TicketCosign(ticket_id=ticket.id, ticket_hash=shown.ticket_hash)
    assert await desk.code(sign, "bob", key=KEYS["bob"]) == "ok"
    assert ("override_used", ticket.id) in desk.core.standing
    assert desk.core.tickets.get(ticket.id).approved_by == "ada+bob"


async def test_overrides_are_off_unless_configured(tmp_path: Path) -> None:
    desk = Supervised(tmp_path)
    try:
        ticket = await desk.open(START)
        shown = await desk.reviewed(ticket)
        past = approval(shown, is_override=True)
        assert await desk.code(past, reason="please do") == "override_off"
    finally:
        await desk.close()
