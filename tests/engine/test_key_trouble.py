"""A key that the venue does not take rings, for an order as for a cancel; other refusals do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from engine.limits import clear_limits
from engine.trading.key_trouble import ABOUT_THE_KEY, judge_standing
from engine.trading.working import ManagedOrder
from safety.interlock import Action, HoldLevel, permits
from tests.engine.house import begin_session, send_whole
from tests.engine.test_custody_hyperliquid import House, in_house
from venues.hyperliquid.outcomes import RULES
from venues.kraken.outcomes import REFUSALS
from venues.standing import KeyStanding, Standing
from venues.types import OrderRequest, OrderStatus, OrderType, Side, TimeInForce


async def order(house: House, number: int, quantity: str = "0.001") -> ManagedOrder:
    request = OrderRequest(
        client_order_id=f"O-1-{number:04d}",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=Decimal(quantity),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(59_000),
        time_in_force=TimeInForce.GTC,
        reduce_only=False,
        mark_price=Decimal(60_005),
    )
    name, price = f"D-1-{number:04d}", Decimal(59_000)
    return await send_whole(house.custody, request, name, limit_price=price, stop_loss=Decimal(50_000))


def in_session(folder: Path, scene: Callable[[House], Awaitable[None]]) -> None:
    async def play(house: House) -> None:
        begin_session(house.custody, "BTC-PERP")
        await scene(house)

    in_house(folder, play)


def rings(house: House) -> set[str]:
    return {subject for code, subject in house.custody.core.standing if code == "key_dead"}


def test_an_order_by_an_agent_that_was_removed_rings(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        refused = await order(house, 1, "50")
        assert refused.status is OrderStatus.REJECTED and not rings(house), refused.reason
        house.rig.exchange.registry.agents.clear()
        dead = await order(house, 2)
        assert (dead.status, dead.reason) == (OrderStatus.REJECTED, "unknown_signer")
        assert rings(house) == {house.custody.venue.signer}

    in_session(tmp_path, scene)


def test_a_cancel_that_the_venue_takes_from_nobody_rings_and_the_order_stays(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        resting = await order(house, 1)
        assert resting.status is OrderStatus.OPEN and not rings(house)
        house.rig.exchange.registry.agents.clear()
        await house.custody.orders.cancel(resting.order_id)
        assert resting.is_alive and resting.pending == "none"
        assert rings(house) == {house.custody.venue.signer}

    in_session(tmp_path, scene)


def held(house: House) -> set[str]:
    """Return the keys that a hold names."""
    return {hold.subject for hold in house.custody.core.interlock.holds if hold.code == "key_dead"}


def stands(house: House, signer: str, role: str = "agent", until_ns: int = 0) -> Standing:
    """Return what the venue says of the keys now."""
    now_ns = house.custody.core.clock.now_ns()
    key = KeyStanding(name="orders", public=signer, role=role, valid_until_ns=until_ns)
    return Standing(
        venue=house.custody.venue.name, account="a", signer=signer, at_ns=now_ns, keys=(key,), budgets=()
    )


def test_a_dead_key_stops_sending_over_a_restart_until_a_person_resumes(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        resting = await order(house, 1)
        agents = dict(house.rig.exchange.registry.agents)
        house.rig.exchange.registry.agents.clear()
        await order(house, 2)
        core, signer = house.custody.core, house.custody.venue.signer
        assert held(house) == {signer} and core.interlock.level is HoldLevel.HALT
        asked = house.custody.orders.sends
        kept = await order(house, 3)
        assert (kept.status, kept.reason) == (OrderStatus.REJECTED, "key_dead")
        assert house.custody.orders.sends == asked, "no byte of it left"
        assert all(permits(each, core.interlock.level) for each in (Action.CANCEL, Action.FLATTEN))
        core.store.abandon()

        house.custody = house.build()
        core = house.custody.core
        assert held(house) == {signer} and rings(house) == {signer}, "on record, not in memory"
        judge_standing(core, stands(house, signer))
        assert held(house) == {signer}, "a refused key is not proved by the venue knowing it still"
        assert (await order(house, 4)).reason == "key_dead"
        house.rig.exchange.registry.agents |= agents
        still = house.custody.orders.orders[resting.order_id]
        await house.custody.orders.cancel(still.order_id)
        await house.rig.clock.sleep(0.1)
        assert still.status is OrderStatus.CANCELLED, "cancels go on as ever"
        clear_limits(core, "ana", "the agent is approved again")
        assert not held(house) and not rings(house) and not core.store.risk.latched()

    in_session(tmp_path, scene)


def test_a_new_key_that_the_venue_proves_clears_the_dead_ones_hold(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        house.rig.exchange.registry.agents.clear()
        await order(house, 1)
        core, dead = house.custody.core, house.custody.venue.signer
        other = dead.partition(":")[0] + ":0xnew"
        judge_standing(core, stands(house, "elsewhere:0xnew"))
        judge_standing(core, stands(house, other, role="missing"))
        assert held(house) == {dead}, "another venue's key, or one without a role, proves nothing"
        judge_standing(core, stands(house, other))
        assert not held(house) and not rings(house) and not core.store.risk.latched()

    in_session(tmp_path, scene)


def test_a_key_that_has_ended_is_dead_before_an_order_meets_it(tmp_path: Path) -> None:
    async def scene(house: House) -> None:
        signer, now_ns = house.custody.venue.signer, house.custody.core.clock.now_ns()
        judge_standing(house.custody.core, stands(house, signer, until_ns=now_ns + 1))
        assert not held(house)
        judge_standing(house.custody.core, stands(house, signer, until_ns=now_ns))
        assert held(house) == {signer} == rings(house)

    in_session(tmp_path, scene)


def test_an_agent_that_the_venue_knows_no_more_is_dead_before_an_order_meets_it(tmp_path: Path) -> None:
    """One without a name has no end that could pass: its successor simply takes its place."""

    async def scene(house: House) -> None:
        core, signer = house.custody.core, house.custody.venue.signer
        gone = stands(house, signer, role="missing")
        judge_standing(core, gone)
        judge_standing(core, gone, gone)
        assert not held(house), "never known here: the adapter itself sends nothing for it"
        judge_standing(core, stands(house, signer), gone)
        assert not held(house)
        judge_standing(core, gone, stands(house, signer))
        assert held(house) == {signer} == rings(house)

    in_session(tmp_path, scene)


def test_every_code_about_the_key_is_one_that_an_adapter_says() -> None:
    said = {rule.code for rule in RULES} | {code for _, code in REFUSALS}
    assert said >= ABOUT_THE_KEY
