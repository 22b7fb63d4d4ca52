"""A custody on the sandbox venue's account, for tests of what it makes of a venue's word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from engine.trading.custody import Custody, Verdict
from engine.trading.working import ManagedOrder
from seams.clock import FixedClock
from seams.disk import MemoryDisk
from tests.engine.house import begin_session, build_custody, send_whole
from tests.venues.test_exchange import INSTRUMENT, SPEC, Desk
from venues.types import OrderRequest, OrderType, Side, TimeInForce

LOTS = INSTRUMENT.lot * 1000


class House:
    """An engine's core over one folder, beside an exchange; `restart` is a new engine on the same disk."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk()
        self.folder, self.disk = folder, MemoryDisk()
        (folder / "db").mkdir(mode=0o700)
        self.custody = self._build()
        begin_session(self.custody, SPEC.symbol)

    @property
    def clock(self) -> FixedClock:
        return self.desk.clock

    def _build(self) -> Custody:
        return build_custody(self.clock, self.folder, self.disk, self.desk.link)

    def restart(self) -> None:
        """The engine dies and another starts on the same record."""
        self.custody.core.store.abandon()
        self.desk.events.clear()
        self.custody = self._build()

    async def clean(self) -> None:
        for _ in range(5):
            if await self.custody.reconcile() is Verdict.CLEAN:
                return
            self.clock.advance(3.0)
        raise AssertionError(self.custody.differences)

    async def send(self, name: str = "D-1", side: Side = Side.BUY) -> ManagedOrder:
        """Send one market order the whole way: ticket, rule, record, gate, wire."""
        request = OrderRequest(
            client_order_id=f"O-{name}",
            symbol=SPEC.symbol,
            side=side,
            quantity=LOTS,
            order_type=OrderType.MARKET,
            limit_price=Decimal(0),
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
            mark_price=Decimal(100),
        )
        return await send_whole(self.custody, request, name, limit_price=Decimal(110), stop_loss=Decimal(90))


def run(house: House, work: Callable[[], Awaitable[None]]) -> None:
    async def inside() -> None:
        await work()

    asyncio.run(inside())
