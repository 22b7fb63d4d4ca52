"""Soft caps: a person tightens a limit while the engine runs, and only a configured restart loosens it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.api.commands import Command, Query
from engine.api.risk import CapTightened, Hydrated, RiskCap, RiskHydrate, RiskShow, RiskState
from engine.limits_view import limits_view
from engine.risk_desk import hydrated
from engine.trading.custody import Verdict
from safety.canonical import changed
from safety.interlock import HoldLevel
from safety.reasons import Refusal
from seams.wire import Lost
from tests.engine.custody_house import House
from tests.engine.supervised import Supervised
from venues.types import OrderStatus

CAP = RiskCap(name="max_order_notional_usd", value=5_000)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    await made.close()


async def state(desk: Supervised) -> RiskState:
    query = msgspec.json.encode(Query(request_id="Q", body=RiskShow()))
    reply = msgspec.json.decode(await desk.engine.questions.on_query("", query))
    return msgspec.convert(reply["result"], RiskState, strict=False)


async def test_a_cap_is_tightened_at_once_and_every_record_says_so(desk: Supervised) -> None:
    before = desk.core.limits.epoch
    reply = await desk.ask(CAP, reason="thin market")
    made = msgspec.json.decode(reply.result, type=CapTightened)
    assert (made.before, made.value, made.limits_epoch) == ("25000", "5000", before + 1)
    assert desk.core.settings.risk.max_order_notional_usd == 5_000
    assert desk.decisions()[-1]["intent_category"] == "risk_reduce"
    assert b"max_order_notional_usd: 25000.0 -> 5000.0: thin market" in desk.core.paths.audit.read_bytes()
    (row,) = limits_view(desk.core, (), 1).soft
    assert (row.name, row.value, row.operator, row.reason) == (CAP.name, "5000", "ada", "thin market")
    found = {row.name: row for row in (await state(desk)).limits}[CAP.name]
    assert (found.in_force, found.configured, found.tightened_by) == ("5000", "25000", "ada")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (RiskCap(name="max_order_notional_usd", value=25_001), "limit_loosening"),
        (RiskCap(name="max_order_notional_usd", value=25_000), "limit_loosening"),
        (RiskCap(name="cancel_reserve", value=0.1), "limit_loosening"),
        (RiskCap(name="max_order_notional_usd", value=-1), "invalid_config"),
        (RiskCap(name="max_open_orders", value=2.5), "invalid_config"),
        (RiskCap(name="caps/galaxy:far/order_usd", value=1), "invalid_config"),
        (RiskCap(name="caps/symbol:BTC-PERP/weight_kg", value=1), "invalid_config"),
        (RiskCap(name="initial_equity_usd", value=1), "limit_unknown"),
        (RiskCap(name="no_such", value=1), "limit_unknown"),
    ],
)
async def test_what_does_not_tighten_is_refused_and_changes_nothing(
    desk: Supervised, body: RiskCap, code: str
) -> None:
    before = (desk.core.limits.epoch, desk.core.limits.sha256)
    assert await desk.code(body, reason="try") == code
    assert await desk.code(CAP) == "reason_required"
    assert (desk.core.limits.epoch, desk.core.limits.sha256) == before
    assert (await state(desk)).soft == ()


async def test_once_tightened_it_tightens_further_and_never_back(desk: Supervised) -> None:
    for value, code in (
        (5_000, "ok"),
        (4_000, "ok"),
        (4_500, "limit_loosening"),
        (25_000, "limit_loosening"),
    ):
        assert await desk.code(changed(CAP, value=value), reason="r") == code
    assert await desk.code(RiskCap(name="blocked/BTC-PERP", value=1), "bob", reason="halted coin") == "ok"
    assert await desk.code(RiskCap(name="caps/symbol:ETH-PERP/exposure_usd", value=900), reason="r") == "ok"
    risk = desk.core.settings.risk
    assert risk.max_order_notional_usd == 4_000 and risk.blocked_symbols == ("BTC-PERP",)
    assert risk.caps["symbol:ETH-PERP"].exposure_usd == 900


async def test_tightening_needs_no_lease_and_a_raise_that_waits_is_withdrawn(desk: Supervised) -> None:
    core = desk.core
    assert await desk.code(CAP, "ada", reason="r") == "ok"
    core.limits.take(core.settings.risk.model_copy(update={"max_leverage": 9.0}))
    assert "max_leverage" in core.limits.waiting
    assert await desk.code(RiskCap(name="max_leverage", value=2), "bob", reason="calm down") == "ok"
    assert core.limits.waiting == {} and core.settings.risk.max_leverage == 2


async def test_a_restart_keeps_it_and_a_higher_generation_withdraws_it(tmp_path: Path) -> None:
    desk = Supervised(tmp_path)
    assert await desk.code(CAP, reason="thin market") == "ok"
    await desk.close()
    again = Supervised(tmp_path, RISK__MAX_ORDER_NOTIONAL_USD="30000")
    assert again.core.settings.risk.max_order_notional_usd == 5_000, "a restart alone loosens nothing"
    assert again.core.limits.waiting == {}
    await again.close()
    last = Supervised(tmp_path, RISK__SOFT_CAPS_GENERATION="1", RISK__RAISE_COOLDOWN_S="900")
    core = last.core
    assert core.settings.risk.max_order_notional_usd == 5_000, "the raise waits like any other"
    assert core.limits.waiting["max_order_notional_usd"].change.after == 25_000
    assert b"soft_cap_withdrawn" in core.paths.audit.read_bytes()
    last.clock.step_ns += 901 * 10**9
    assert [note.kind for note in core.limits.mature(core.limits.risk)] == ["limit_raised"]
    assert await last.code(CAP, reason="again", request_id="R-later") == "ok"
    await last.close()
    kept = Supervised(tmp_path, RISK__SOFT_CAPS_GENERATION="1")
    assert kept.core.settings.risk.max_order_notional_usd == 5_000, "a cap of this generation stays"
    await kept.close()


async def test_a_paper_account_has_nothing_to_hydrate_from(desk: Supervised) -> None:
    assert await desk.code(RiskHydrate(), reason="r") == "mode_not_live"


async def test_force_hydrate_holds_new_risk_until_both_sides_agree(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.clean()
    core, custody = house.custody.core, house.custody
    order = await house.send()
    seen: list[HoldLevel] = []
    ask = custody.venue.account

    async def watched():  # type: ignore[no-untyped-def]
        seen.append(core.interlock.level)
        return await ask()

    custody.venue.account = watched  # type: ignore[method-assign]
    house.clock.advance(3.0)
    done: Hydrated = await hydrated(core, custody)
    assert done.verdict == "clean" and done.differences == () and done.passes >= 1
    assert seen and all(level >= HoldLevel.HYDRATING for level in seen)
    assert not core.interlock.has("hydration") and order.status is not OrderStatus.UNKNOWN
    house.desk.wire.fault = Lost("silence")
    with pytest.raises(Refusal, match="reconcile_unanswered"):
        await hydrated(core, custody)
    assert core.interlock.has("hydration") and custody.verdict is Verdict.HYDRATING
    core.store.close()


def test_every_act_of_risk_is_a_command() -> None:
    for body in (CAP, RiskHydrate()):
        made = Command(request_id="R", operator="ada", epoch=1, expires_at_ns=1, body=body, reason="r")
        assert msgspec.json.decode(msgspec.json.encode(made), type=Command).body == body
