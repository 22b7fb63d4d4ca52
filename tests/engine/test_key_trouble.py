"""A key that the venue does not take rings, for an order as for a cancel; other refusals do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from engine.trading.key_trouble import ABOUT_THE_KEY
from engine.trading.working import ManagedOrder
from tests.engine.house import begin_session, send_whole
from tests.engine.test_custody_hyperliquid import House, in_house
from venues.hyperliquid.outcomes import RULES
from venues.kraken.outcomes import REFUSALS
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


def test_every_code_about_the_key_is_one_that_an_adapter_says() -> None:
    said = {rule.code for rule in RULES} | {code for _, code in REFUSALS}
    assert said >= ABOUT_THE_KEY
