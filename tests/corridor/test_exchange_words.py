"""What the exchange itself said stands in the artifacts: its answers, its names, its words, its sums."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.api.corridor import Step
from safety.canonical import changed
from seams.http import Response
from tests.corridor.halls import Hall, in_hall
from tests.corridor.stages import STAGES, HyperliquidStage, KrakenStage, client_id_of
from tests.venues.test_hyperliquid_adapter import KEY as HYPERLIQUID_KEY
from tests.venues.test_kraken_adapter import KEY as KRAKEN_KEY
from venues.answers import KEPT, MOST_BYTES, Answers, Booked
from venues.contract import OutcomeUnknown
from venues.hyperliquid import translate
from venues.sandbox.programs import Strike
from venues.types import OrderStatus

both = pytest.mark.parametrize("venue", sorted(STAGES))
SECRETS = {
    "hyperliquid": (HYPERLIQUID_KEY.secret, HYPERLIQUID_KEY.ask_secret),
    "kraken": (KRAKEN_KEY.secret, KRAKEN_KEY.ask_secret),
}


def body_of(hall: Hall, session_id: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = hall.artifact(session_id, name)["body"]
    return found


@both
def test_a_submits_artifact_has_the_client_id_and_the_answer_as_it_came(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        await hall.do(session_id, Step.SUBMIT)
        body = body_of(hall, session_id, "submit_response")
        assert body["cloid"] == client_id_of(hall.stage, hall.stage.arrived()[0])
        assert body["exchange_status"] == 200
        oid = hall.order(session_id).venue_order_id
        if venue == "hyperliquid":
            statuses = body["exchange_response"]["response"]["data"]["statuses"]
            assert [str(each["resting"]["oid"]) for each in statuses] == [oid]
        else:
            assert body["exchange_response"]["error"] == []
            assert body["exchange_response"]["result"]["txid"] == [oid]
        pending = next(
            each for each in hall.view(session_id).artifacts if each.state == "pending_remote_submit"
        )
        assert pending.body["cloid"] == body["cloid"], "it is on record before anything leaves"
        for each in SECRETS[venue]:
            assert each and each.removeprefix("0x") not in json.dumps(body)

    in_hall(venue, tmp_path, scene)


@both
def test_a_refusal_stands_there_in_the_exchanges_words(venue: str, tmp_path: Path) -> None:
    said: dict[str, Any] = {"error": ["EOrder:Insufficient funds"]}
    if venue == "hyperliquid":
        refused = {"error": "Insufficient margin to place order. asset=0"}
        said = {"status": "ok", "response": {"type": "order", "data": {"statuses": [refused]}}}

    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        hall.stage.strike(Strike.SAY, text=json.dumps(said))
        assert (await hall.do(session_id, Step.SUBMIT)).status == "submit_rejected"
        body = body_of(hall, session_id, "submit_response")
        assert (body["exchange_status"], body["exchange_response"]) == (200, said)

    in_hall(venue, tmp_path, scene)


@both
def test_an_answer_that_never_came_is_none(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        hall.lose_answer()
        await hall.do(session_id, Step.SUBMIT)
        body = body_of(hall, session_id, "submit_response")
        assert (body["exchange_status"], body["exchange_response"]) == (None, None)
        assert body["cloid"] == client_id_of(hall.stage, hall.stage.arrived()[0])

    in_hall(venue, tmp_path, scene)


CANCELS = {"hyperliquid": "cancelByCloid", "kraken": "CancelOrder"}


@both
def test_a_cancels_artifact_has_the_answer_as_it_came(venue: str, tmp_path: Path) -> None:
    """A cancel at Kraken was proved by the list alone: what the exchange said to it was nowhere."""
    said: dict[str, Any] = {"error": [], "result": {"count": 1}}
    if venue == "hyperliquid":
        said = {"status": "ok", "response": {"type": "cancel", "data": {"statuses": ["success"]}}}

    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        await hall.do(session_id, Step.SUBMIT)
        assert (await hall.do(session_id, Step.CANCEL)).status == "canceled"
        body = body_of(hall, session_id, "cancel_response")
        assert (body["exchange_status"], body["exchange_response"]) == (200, said)
        for each in SECRETS[venue]:
            assert each and each.removeprefix("0x") not in json.dumps(body)

    in_hall(venue, tmp_path, scene)


@both
def test_a_refused_cancel_has_the_exchanges_words_and_a_lost_one_has_not_those_before(
    venue: str, tmp_path: Path
) -> None:
    said: dict[str, Any] = {"error": ["EGeneral:Permission denied"]}
    if venue == "hyperliquid":
        said = {"status": "err", "response": "User or API Wallet 0x1 does not exist."}

    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        await hall.do(session_id, Step.SUBMIT)
        hall.stage.strike(Strike.SAY, CANCELS[venue], text=json.dumps(said))
        assert (await hall.do(session_id, Step.CANCEL)).reasons == ("cancel_unconfirmed",)
        body = body_of(hall, session_id, "cancel_response")
        assert (body["exchange_status"], body["exchange_response"]) == (200, said)
        hall.stage.strike(Strike.DROP_WITHOUT_APPLY, CANCELS[venue])
        assert (await hall.do(session_id, Step.CANCEL)).reasons == ("cancel_unconfirmed",)
        body = body_of(hall, session_id, "cancel_response")
        assert (body["exchange_status"], body["exchange_response"]) == (None, None)

    in_hall(venue, tmp_path, scene)


@both
def test_a_status_has_the_venues_own_word_and_row(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        await hall.do(session_id, Step.SUBMIT)
        await hall.do(session_id, Step.STATUS)
        body = body_of(hall, session_id, "order_status")
        assert (body["order_state"], body["raw_status"]) == ("open", "open")
        cloid, oid = body["cloid"], hall.order(session_id).venue_order_id
        row = body["exchange_response"]
        if venue == "hyperliquid":
            assert (row["order"]["cloid"], str(row["order"]["oid"])) == (cloid, oid)
        else:
            assert (row["cl_ord_id"], row["txid"]) == (cloid, oid)
        hall.stage.end_by_hand()
        await hall.stage.clock.sleep(1.0)
        assert (await hall.do(session_id, Step.STATUS)).status == "canceled"
        body = body_of(hall, session_id, "order_status")
        assert body["raw_status"] == "canceled" and body["exchange_response"] != row

    in_hall(venue, tmp_path, scene)


@pytest.mark.parametrize("is_deaf", [False, True], ids=["told by the stream", "found by asking"])
def test_an_order_that_ran_out_of_time_is_told_from_a_cancelled_one(is_deaf: bool, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        stage = hall.stage
        assert isinstance(stage, KrakenStage)
        session_id = await hall.at_gate()
        await hall.do(session_id, Step.SUBMIT)
        if is_deaf:
            stage.deafen()
        (placed,) = stage.exchange.trading.open_orders(stage.exchange.trading.accounts["trader"])
        placed.asked = changed(placed.asked, expire_ns=stage.clock.now_ns())
        stage.exchange.trading.advance()
        assert placed.status == "expired"
        await stage.clock.sleep(stage.lag_s)
        state = await hall.do(session_id, Step.STATUS)
        assert state.status == "expired" and [each.code for each in state.alerts] == ["ORDER_EXPIRED"]
        body, order = body_of(hall, session_id, "order_status"), hall.order(session_id)
        assert order.status is OrderStatus.CANCELLED and order.reason == "expired: Order expired"
        assert body["raw_status"] == "expired" and body["order"]["reason"] == order.reason
        assert body["order_state"] == body["normalized_state"] == "expired"
        assert (await hall.do(session_id, Step.CANCEL)).reasons == ("order_ended",)
        assert not (await hall.do(session_id, Step.RECONCILE)).reasons
        body = body_of(hall, session_id, "reconciliation")
        assert (body["order_state"], body["close_state"]) == ("expired", "closed")
        assert (await hall.do(session_id, Step.SUPERVISE)).status == "expired"
        assert body_of(hall, session_id, "supervision")["supervision_state"] == "terminal"

    in_hall("kraken", tmp_path, scene)


async def filled(hall: Hall, venue_books: dict[str, str]) -> str:
    """Return a session whose order is filled, and whose fill the venue lists with this besides."""
    stage = hall.stage
    assert isinstance(stage, HyperliquidStage)
    session_id = await hall.at_gate(limit_price="60020", stop_loss="59000")
    await hall.do(session_id, Step.SUBMIT)
    await stage.clock.sleep(1.0)
    stage.rig.desk.user.fills[-1] |= venue_books
    return session_id


def test_what_the_venue_booked_with_the_fills_is_summed(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await filled(hall, {"closedPnl": "-1.25", "builderFee": "0.02"})
        assert not (await hall.do(session_id, Step.FILLS)).reasons
        body = body_of(hall, session_id, "fill_summary")
        assert (body["total_closed_pnl"], body["total_builder_fee"]) == ("-1.25", "0.02")
        assert [each["fill_id"] for each in body["venue_booked"]] == [
            each["fill_id"] for each in body["fills"]
        ]
        assert body["errors"] == []

    in_hall("hyperliquid", tmp_path, scene)


def test_a_sum_that_is_not_known_is_none_and_never_nothing(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await filled(hall, {})

        async def silent(since_ns: int) -> Sequence[Booked] | None:
            raise OutcomeUnknown("no answer")

        async def lacking(since_ns: int) -> Sequence[Booked] | None:
            return []

        for answer, errors in ((silent, ["no answer"]), (lacking, [])):
            hall.desk.venue.booked_since = answer  # type: ignore[method-assign]
            await hall.do(session_id, Step.FILLS)
            body = body_of(hall, session_id, "fill_summary")
            assert (body["total_closed_pnl"], body["total_builder_fee"]) == (None, None)
            assert body["errors"] == errors and body["filled_size"] == "0.001"

    in_hall("hyperliquid", tmp_path, scene)


NAMES = re.compile(r"\b(Retryable|Busy|Refused|OutcomeUnknown|VenueError|\w+Error)\b")
"""Names of exceptions: ours, and Python's."""


@both
def test_a_question_without_an_answer_is_told_in_words(venue: str, tmp_path: Path) -> None:
    """`errors` and `venue_said` began with `OutcomeUnknown: `, a name of ours that tells nobody anything."""

    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        await hall.do(session_id, Step.SUBMIT)
        hall.stage.wire.is_up = False
        for step, name in ((Step.STATUS, "order_status"), (Step.RECONCILE, "reconciliation")):
            await hall.do(session_id, step)
            body = body_of(hall, session_id, name)
            said = body["sources"]["query_said"] if step is Step.RECONCILE else body["venue_said"]
            assert said == "the wire is cut" and body.get("errors", [said]) == [said]
            assert not NAMES.search(json.dumps(body)), body

    in_hall(venue, tmp_path, scene)


def test_a_list_of_agents_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = (await hall.opened()).session_id
        hall.stage.strike(Strike.SAY, on="extraAgents", text='{"agents": 1}')
        state = await hall.do(session_id, Step.READINESS)
        assert "account_visibility_unavailable" in state.reasons
        body = body_of(hall, session_id, "account_readiness")
        assert "an answer that cannot be read" in body["venue"]["problems"][0]
        assert not NAMES.search(json.dumps(body)), body

    in_hall("hyperliquid", tmp_path, scene)


def test_a_venue_that_books_nothing_else_says_none(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate(limit_price="60020", stop_loss="59000")
        await hall.do(session_id, Step.SUBMIT)
        await hall.do(session_id, Step.FILLS)
        body = body_of(hall, session_id, "fill_summary")
        assert body["filled_size"] == "0.001" and body["venue_booked"] is None
        assert body["total_closed_pnl"] is None

    in_hall("kraken", tmp_path, scene)


def test_a_builders_fee_in_coins_is_said_in_dollars() -> None:
    said = {"oid": 1, "tid": 2, "time": 3, "px": "50", "closedPnl": "0.0", "builderFee": "0.01"}
    assert str(translate.booked(said | {"feeToken": "USDC"}).builder_fee) == "0.01"
    assert str(translate.booked(said | {"feeToken": "HYPE"}).builder_fee) == "0.50"


def test_what_is_kept_is_bounded_and_what_is_no_json_is_plain_text() -> None:
    answers = Answers()
    for number in range(KEPT + 1):
        answers.submitted(f"O-{number}", Response(502, {}, b"<html>\x1b[2Jbad"))
    assert answers.of("O-0", "c").submit is None
    kept = answers.of(f"O-{KEPT}", "c").submit
    assert kept is not None and (kept.status, kept.body) == (502, "<html> [2Jbad")
    answers.submitted("O-long", Response(200, {}, b'"' + b"a" * MOST_BYTES + b'"'))
    long = answers.of("O-long", "c").submit
    assert long is not None and len(long.body) == MOST_BYTES
    answers.submitted("O-number", Response(200, {}, b'{"price":1.10,"count":3}'))
    exact = answers.of("O-number", "c").submit
    assert exact is not None and exact.body == {"price": "1.10", "count": 3}
    answers.asked("O-1", "open", {"a": 1})
    answers.asked("O-1", "", None)
    assert answers.of("O-1", "c").order is None, "an older answer is no answer to a later question"
