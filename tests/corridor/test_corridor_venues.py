"""The corridor on the loopback Hyperliquid and the loopback Kraken: the same scenes on both.

Hyperliquid signs, and exactly the approved bytes leave; Kraken validates, and the bytes are made from what
was approved in the moment in which they leave.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from engine.api.corridor import Step
from safety.reasons import Refusal
from seams import chaos
from tests.corridor.halls import UP_TO_GATE, Hall, in_hall
from tests.corridor.stages import STAGES, KrakenStage, client_id_of
from venues.hyperliquid.asking import READ_ASKS
from venues.sandbox.programs import Strike
from venues.types import OrderStatus

pytestmark = pytest.mark.parametrize("venue", sorted(STAGES))


def test_the_whole_way_leaves_one_order_and_every_artifact(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        assert hall.stage.arrived() == [] and hall.stage.placed() == [], "nothing is placed before the submit"
        prepared = hall.artifact(session_id, "prepared_order")["body"]
        state = await hall.do(session_id, Step.SUBMIT)
        assert state.status == "submitted", state
        (body,) = hall.stage.arrived()
        if venue == "hyperliquid":
            assert sha256(body).hexdigest() == prepared["venue"]["body_sha256"]
        else:
            assert prepared["venue"]["venue_said"].startswith("buy 0.001") and "signed" not in prepared
        assert hall.stage.placed() == [client_id_of(hall.stage, body)]
        assert (await hall.do(session_id, Step.STATUS)).status == "open"
        for step in (Step.RECONCILE, Step.FILLS, Step.SUPERVISE):
            said = await hall.do(session_id, step, polls=1)
            assert not said.reasons, said
        assert (await hall.do(session_id, Step.CANCEL)).status == "canceled"
        assert hall.stage.live() == 0 and len(hall.stage.arrived()) == 1

    in_hall(venue, tmp_path, scene)


def test_watching_says_where_the_stream_was_missing(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        await hall.do(session_id, Step.SUBMIT)
        await hall.do(session_id, Step.SUPERVISE, polls=2)
        body = hall.artifact(session_id, "supervision")["body"]
        assert body["monitoring_mode"] == "websocket_aware_rest_polling"
        assert {each["told_by"] for each in body["snapshots"]} == {"stream_and_rest"}
        hall.stage.adapter._whole(False)
        await hall.do(session_id, Step.SUPERVISE, polls=1)
        body = hall.artifact(session_id, "supervision")["body"]
        assert body["monitoring_mode"] == "rest_fallback", "asked, and not told"
        assert [each["told_by"] for each in body["snapshots"]] == ["rest"]
        assert body["order_state"] == "open"

    in_hall(venue, tmp_path, scene)


def test_an_order_that_fills_is_followed_to_its_last_fill(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate(limit_price="60020", stop_loss="59000")
        assert (await hall.do(session_id, Step.SUBMIT)).status in ("submitted", "filled")
        assert (await hall.do(session_id, Step.STATUS)).status == "filled"
        said = await hall.do(session_id, Step.FILLS)
        body = hall.artifact(session_id, "fill_summary")["body"]
        assert said.status == "filled" and body["filled_size"] == "0.001" and float(body["total_fee"]) > 0
        assert not (await hall.do(session_id, Step.RECONCILE)).reasons
        assert hall.stage.held() == 0.001
        with pytest.raises(Refusal, match="already_submitted"):
            await hall.do(session_id, Step.SUBMIT)

    in_hall(venue, tmp_path, scene)


def test_an_ambiguous_submit_ends_in_what_the_venue_proves(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        hall.lose_answer()
        state = await hall.do(session_id, Step.SUBMIT)
        assert state.status == "reconciliation_required" and state.alerts[0].severity == "critical"
        order = hall.order(session_id)
        assert order.status is OrderStatus.UNKNOWN
        await hall.house.tend(hall.stage.lag_s + 20)
        assert order.status is OrderStatus.OPEN, "found by its name"
        assert len(hall.stage.arrived()) == 1, "and never sent again"
        state = await hall.do(session_id, Step.STATUS)
        assert (state.status, state.alerts) == ("open", ())

    in_hall(venue, tmp_path, scene)


def test_a_lost_order_is_proved_dead_and_only_then_rejected(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        hall.stage.strike(Strike.DROP_WITHOUT_APPLY)
        assert (await hall.do(session_id, Step.SUBMIT)).status == "reconciliation_required"
        assert hall.order(session_id).status is OrderStatus.UNKNOWN
        await hall.house.tend(hall.stage.lag_s + 30)
        assert (await hall.do(session_id, Step.STATUS)).status == "rejected"
        assert hall.stage.placed() == [] and hall.stage.live() == 0

    in_hall(venue, tmp_path, scene)


def test_a_cut_wire_is_proved_unsent(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        hall.stage.wire.is_up = False
        assert (await hall.do(session_id, Step.SUBMIT)).status == "submit_not_sent"
        hall.stage.wire.is_up = True
        assert (await hall.do(session_id, Step.STATUS)).status == "rejected"
        assert hall.stage.arrived() == []

    in_hall(venue, tmp_path, scene)


OFF_GRID = {
    "hyperliquid": [({"limit_price": "60000.5"}, "tick_not_exact"), ({"quantity": "0.0001"}, "min_notional")],
    "kraken": [
        ({"limit_price": "60000.05"}, "tick_not_exact"),
        ({"quantity": "0.000000001"}, "lot_not_exact"),
        ({"quantity": "0.00004"}, "min_quantity"),
    ],
}


def test_a_form_off_the_venues_grid_is_told_before_anything_leaves(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        for form, reason in OFF_GRID[venue]:
            state = await hall.opened(**form)
            assert reason in state.reasons, state
            with pytest.raises(Refusal, match="step_out_of_order"):
                await hall.do(state.session_id, Step.READINESS)
        assert hall.stage.arrived() == []

    in_hall(venue, tmp_path, scene)


def test_a_venue_in_maintenance_stops_the_corridor_and_says_so(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        stage = hall.stage
        if isinstance(stage, KrakenStage):
            stage.exchange.trading.system = "maintenance"
            state = await hall.opened()
            assert "system_maintenance" in state.reasons, state
            return
        for nth in range(1, READ_ASKS + 1):
            stage.strike(Strike.STATUS_WITHOUT_APPLY, on="exchangeStatus", nth=nth, value=502)
        state = await hall.opened()
        assert state.reasons == ("venue_unreachable",), state
        (row,) = hall.desk.sessions().rows
        assert (row.session_id, row.status) == (state.session_id, "venue_unreachable")
        assert not (await hall.do(state.session_id, Step.PREFLIGHT)).reasons, "it may be done again"

    in_hall(venue, tmp_path, scene)


def test_a_venue_that_takes_only_resting_orders_takes_a_resting_one(venue: str, tmp_path: Path) -> None:
    """The advice was to make it post-only, and the preflight refused that too."""

    async def scene(hall: Hall) -> None:
        if not isinstance(hall.stage, KrakenStage):
            return  # hyperliquid says nothing of the kind
        hall.stage.exchange.trading.system = "post_only"
        state = await hall.opened()
        assert "system_post_only" in state.reasons, state
        resting = await hall.opened(time_in_force="post_only")
        assert not any("post_only" in reason for reason in resting.reasons), resting

    in_hall(venue, tmp_path, scene)


def test_a_dead_key_is_told_by_its_name_and_nothing_lives(venue: str, tmp_path: Path) -> None:
    """The key is taken away between the gate and the submit."""

    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        if isinstance(hall.stage, KrakenStage):
            hall.stage.exchange.gate = type(hall.stage.exchange.gate)(())
            reason = "bad_key"
        else:
            hall.stage.exchange.registry.agents.clear()
            reason = "unknown_signer"
        state = await hall.do(session_id, Step.SUBMIT)
        assert (state.status, state.reasons) == ("submit_rejected", (reason,))
        assert hall.stage.placed() == [] and len(hall.stage.arrived()) == 1

    in_hall(venue, tmp_path, scene)


def test_a_key_that_died_since_the_start_is_told_before_anybody_approves(venue: str, tmp_path: Path) -> None:
    """Readiness asks about the keys at that moment: what was proved when the engine came up may be gone."""

    async def scene(hall: Hall) -> None:
        session_id = (await hall.opened()).session_id
        if isinstance(hall.stage, KrakenStage):
            hall.stage.exchange.gate = type(hall.stage.exchange.gate)(())
            assert (await hall.do(session_id, Step.READINESS)).reasons[0] == "private_auth_not_ready"
            return
        agents = dict(hall.stage.exchange.registry.agents)
        hall.stage.exchange.registry.agents.clear()
        state = await hall.do(session_id, Step.READINESS)
        assert {"key_not_ready", "signer_role_unknown"} <= set(state.reasons), state
        hall.stage.exchange.registry.agents |= agents
        assert not (await hall.do(session_id, Step.READINESS)).reasons

    in_hall(venue, tmp_path, scene)


class Died(BaseException):
    """The engine's process ended here."""


DEATHS: dict[str, tuple[str, int, str, str]] = {
    # site, how manieth, status of the session after the restart, and of its order after a look
    "pending record, nothing else": ("store.begin", 1, "reconciliation_required", "rejected"),
    "order on record, gate not passed": ("orders.recorded", 1, "reconciliation_required", "rejected"),
    "gate passed, no byte out": ("orders.gate_passed", 1, "reconciliation_required", "rejected"),
}


@pytest.mark.parametrize("death", sorted(DEATHS))
def test_an_engine_that_dies_in_the_submit_finds_its_order_proved(
    venue: str, death: str, tmp_path: Path
) -> None:
    site, nth, status, proved = DEATHS[death]

    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        await hall.quote()
        left = [nth]
        is_pending = [False]

        def die(where: str) -> None:
            names = hall.house.disk.list(hall.root / session_id / "history")
            is_pending[0] = any("submit" in name for name in names)
            if where == site and is_pending[0]:
                left[0] -= 1
                if not left[0]:
                    raise Died

        with chaos.installed(die), pytest.raises(Died):
            await hall.do(session_id, Step.SUBMIT)
        await hall.restart()
        view = hall.view(session_id)
        assert (view.state.status, view.next_step) == (status, "status")
        with pytest.raises(Refusal, match="already_submitted"):
            await hall.do(session_id, Step.SUBMIT)
        await hall.house.tend(hall.stage.lag_s + 30)
        state = await hall.do(session_id, Step.STATUS)
        assert state.status == proved, state
        assert hall.stage.placed() == [] and hall.stage.arrived() == []

    in_hall(venue, tmp_path, scene)


@pytest.mark.parametrize("strike", [Strike.SILENCE, Strike.APPLY_THEN_DROP], ids=str)
def test_an_engine_that_dies_before_the_answer_finds_the_one_order_it_sent(
    venue: str, strike: Strike, tmp_path: Path
) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        hall.stage.strike(strike)
        sending = asyncio.ensure_future(hall.do(session_id, Step.SUBMIT))
        await hall.stage.clock.sleep(0.05)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await hall.restart()
        state = await hall.do(session_id, Step.STATUS)
        assert state.status == "open", state
        assert len(hall.stage.arrived()) == 1 and hall.stage.live() == 1
        await hall.do(session_id, Step.CANCEL)
        await hall.house.tend(20)
        assert (await hall.do(session_id, Step.STATUS)).status == "canceled"

    in_hall(venue, tmp_path, scene)


def test_a_restart_after_each_step_shows_the_right_one(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = (await hall.opened()).session_id
        for step in (*UP_TO_GATE, Step.SUBMIT):
            await hall.restart()
            assert hall.view(session_id).next_step == step.value
            state = await hall.do(session_id, step)
            assert not state.reasons, state
        await hall.restart()
        assert (await hall.do(session_id, Step.STATUS)).status == "open"
        assert len(hall.stage.arrived()) == 1

    in_hall(venue, tmp_path, scene)


@pytest.mark.parametrize("epoch", [9, 99, 100, 12_345, 999_999])
def test_an_order_is_known_by_its_name_after_any_count_of_starts(
    venue: str, epoch: int, tmp_path: Path
) -> None:
    """A name grows with the epoch; it must fit the venue's client id and be read back by a new process."""

    async def scene(hall: Hall) -> None:
        core: Any = hall.house.custody.core
        core.ids = type(core.ids)(epoch)
        session_id = await hall.at_gate()
        assert f"-{epoch}-" in session_id
        hall.stage.strike(Strike.APPLY_THEN_DROP)
        hall.stage.deafen()
        await hall.do(session_id, Step.SUBMIT)
        await hall.restart()
        await hall.house.tend(20)
        assert (await hall.do(session_id, Step.STATUS)).status == "open"
        assert not hall.house.custody.foreign and len(hall.stage.placed()) == 1

    in_hall(venue, tmp_path, scene)
