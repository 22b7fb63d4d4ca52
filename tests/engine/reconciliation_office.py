"""A reconciliation desk over a custody, with a venue on which others act, too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.api.reconcile import Act, DifferenceRow, Reconcile, Reconciled
from engine.desk import Desk
from engine.reconcile_acts import act
from engine.reconciliation import reconcile_view
from engine.trading.custody import Verdict
from seams.clock import NS_PER_S
from tests.engine.custody_house import LOTS, House
from tests.store.looking import orders_of_all
from tests.venues.test_exchange import SPEC
from venues.types import OrderRequest, OrderType, Side, TimeInForce

DEPOSIT = Decimal(250)
HAND = LOTS * 100
"""What is traded by hand: enough that its fee is seen."""


class Office:
    """A house with a desk in it, and somebody who acts on the account behind its back."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder)
        self.nonce = 10

    @property
    def desk(self) -> Desk:
        return Desk(self.house.custody.core, self.house.custody)

    async def by_hand(
        self, name: str = "HAND-1", side: Side = Side.BUY, limit: Decimal | None = None, fills: bool = True
    ) -> None:
        """Trade on the account without us: at the market, or with a resting order."""
        house = self.house
        house.desk.wire.fault = None
        self.nonce += 1
        request = OrderRequest(
            client_order_id=name,
            symbol=SPEC.symbol,
            side=side,
            quantity=HAND,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=limit or Decimal(0),
            time_in_force=TimeInForce.IOC if limit is None else TimeInForce.GTC,
            reduce_only=False,
            mark_price=Decimal(100),
        )
        link = house.desk.link
        await link.submit(link.sign(request, self.nonce, house.clock.now_ns() + 10 * NS_PER_S))
        if fills:
            house.desk.quote(100.0)
        house.clock.advance(3.0)

    async def passes(self, count: int = 5) -> Verdict:
        for _ in range(count):
            await self.house.custody.reconcile()
            self.house.clock.advance(1.0)
        return self.house.custody.verdict

    def rows(self) -> dict[str, DifferenceRow]:
        view = reconcile_view(self.house.custody.core, self.desk, 1)
        return {row.key: row for row in view.rows}

    async def do(
        self, what: Act, key: str, seen: str = "", reason: str = "it was me", **more: str
    ) -> Reconciled:
        shown = seen or self.rows()[key].seen
        asked = Reconcile(act=what, key=key, seen=shown, **more)
        return await act(self.desk, asked, "ada", reason)

    def booked(self) -> tuple[object, ...]:
        """Everything that bookkeeping is made of."""
        store, custody = self.house.custody.core.store, self.house.custody
        fills = store.orders.fills_of_account(custody.venue.name, "a")
        names = tuple(order.client_order_id for order in orders_of_all(store.link))
        return tuple(fills), tuple(custody.adjustments()), names

    def notes(self) -> list[dict[str, object]]:
        """Return the audit log's bodies of the desk's own kind."""
        core = self.house.custody.core
        lines = core.disk.read(core.paths.audit).splitlines()
        records = [msgspec.json.decode(line) for line in lines]
        return [each["body"] for each in records if each.get("kind") in ("reconcile", "decision")]


def run(folder: Path, work: Callable[[Office], Awaitable[None]]) -> None:
    async def inside() -> None:
        office = Office(folder)
        await office.house.clean()
        await work(office)

    asyncio.run(inside())
