"""One case's world: a rig, our desk's seat at it, and short ways to place and to look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from seams.clock import NS_PER_MS, NS_PER_S
from tests.conformance.rig import Rig, Truth, Who
from venues.contract import LiveVenue, OutcomeUnknown, Refused, Retryable, Signed
from venues.types import (
    Cancelled,
    Fill,
    MarketEvent,
    OrderEvent,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
    VenueOrder,
)

LOT = Decimal("0.01")
VALID_S = 10.0
REST, INSIDE, CROSS = Decimal(59_000), Decimal(60_004), Decimal(60_010)
"""A purchase that waits, one that is the best bid, and one that executes at once."""
PATIENCE_S = 90.0


class Seat:
    """One adapter at the venue, and everything that it told."""

    def __init__(self, rig: Rig, who: Who) -> None:
        self.rig, self.clock = rig, rig.clock
        self.venue: LiveVenue = rig.adapter(who)
        self.events: list[OrderEvent] = []
        self.states: list[bool] = []
        self.market: list[MarketEvent] = []
        self.venue.on_order_event(self.events.append)
        self.venue.on_link(self.states.append)
        self.venue.on_market(self.market.append)

    async def start(self) -> None:
        """Open the stream and wait until it is whole."""
        self.venue.start()
        await self.until(lambda: self.states[-1:] == [True])

    async def until(self, is_so: Callable[[], bool], patience_s: float = 5.0) -> None:
        """Wait for something that must come true."""
        for _ in range(round(patience_s / 0.05)):
            if is_so():
                return
            await self.clock.sleep(0.05)
        raise AssertionError("it did not come true in time")

    def fills(self, name: str) -> list[Fill]:
        """Return an order's executions as the stream told them, each once, in the order they came."""
        told = [e for e in self.events if isinstance(e, Fill) and e.client_order_id == name]
        return list({fill.fill_id: fill for fill in told}.values())

    def filled(self, name: str) -> Decimal:
        return sum((fill.quantity for fill in self.fills(name)), Decimal(0))

    def ended(self, name: str) -> list[Cancelled]:
        return [e for e in self.events if isinstance(e, Cancelled) and e.client_order_id == name]

    def of(self, kind: type[Any], name: str = "") -> list[Any]:
        """Return the order events of a kind, of one order where it is named."""
        found = [event for event in self.events if isinstance(event, kind)]
        return [event for event in found if not name or event.client_order_id == name]


class Bench(Seat):
    """The desk of one case."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig, Who.DESK)
        self.terms = rig.terms
        self.capabilities = self.venue.capabilities()
        self._nonce = self._count = 0
        self.seats: list[Seat] = [self]

    async def sit(self, who: Who, *, is_up: bool = True) -> Seat:
        """Return another adapter's seat at the same venue."""
        seat = Seat(self.rig, who)
        self.seats.append(seat)
        if is_up:
            await seat.start()
        return seat

    async def close(self) -> None:
        """Close every adapter; nothing of them may run on."""
        for seat in self.seats:
            await seat.venue.close()

    # --- orders ---------------------------------------------------------------------------------------

    def name(self) -> str:
        """Return the next order's name."""
        self._count += 1
        return f"O-1-{self._count:04d}"

    def nonce(self) -> int:
        """Return the next nonce of the signing key."""
        self._nonce = max(self._nonce + 1, self.clock.now_ns() // NS_PER_MS)
        return self._nonce

    def request(self, **changes: Any) -> OrderRequest:
        """Return a small resting purchase, changed as said."""
        given: dict[str, Any] = {
            "symbol": self.terms.symbol,
            "side": Side.BUY,
            "quantity": LOT,
            "order_type": OrderType.LIMIT,
            "limit_price": REST,
            "time_in_force": TimeInForce.GTC,
            "reduce_only": False,
            "mark_price": Decimal(60_005),
        } | changes
        given.setdefault("client_order_id", self.name())
        return OrderRequest(**given)

    def sign(self, *, valid_s: float | None = VALID_S, nonce: int = 0, **changes: Any) -> Signed:
        until_ns = 0 if valid_s is None else self.rig.venue_clock.now_ns() + round(valid_s * NS_PER_S)
        return self.venue.sign(self.request(**changes), nonce or self.nonce(), until_ns)

    async def place(self, **changes: Any) -> str:
        """Sign, send and let it settle; return the order's name. Raises what `submit` does."""
        signed = self.sign(**changes)
        await self.venue.submit(signed)
        await self.rig.settle()
        return signed.client_order_id

    async def buy(self, quantity: Decimal = LOT, **changes: Any) -> str:
        """Buy at the market inside a bound."""
        given: dict[str, Any] = {
            "order_type": OrderType.MARKET,
            "limit_price": Decimal(60_100),
            "time_in_force": TimeInForce.IOC,
        }
        return await self.place(quantity=quantity, **given | changes)

    async def sell(self, quantity: Decimal = LOT, **changes: Any) -> str:
        """Sell what is held at the market inside a bound."""
        given: dict[str, Any] = {
            "side": Side.SELL,
            "reduce_only": True,
            "order_type": OrderType.MARKET,
            "limit_price": Decimal(59_900),
            "time_in_force": TimeInForce.IOC,
        }
        return await self.place(quantity=quantity, **given | changes)

    async def refused(self, **changes: Any) -> Refused:
        """Place an order that must be refused; return the refusal."""
        return await self.refusal_of(self.sign(**changes))

    async def refusal_of(self, signed: Signed) -> Refused:
        try:
            await self.venue.submit(signed)
        except Refused as refusal:
            demand_code(refusal)
            return refusal
        raise AssertionError(f"{signed.client_order_id} was not refused")

    async def doubt(self, signed: Signed) -> OutcomeUnknown:
        """Send what must end in doubt; return the doubt."""
        try:
            await self.venue.submit(signed)
        except OutcomeUnknown as doubt:
            return doubt
        raise AssertionError(f"{signed.client_order_id} did not end in doubt")

    # --- looking --------------------------------------------------------------------------------------

    def truth(self, name: str) -> Truth | None:
        """Return what became of an order at the venue: at most one may have acted under a name."""
        acted = [each for each in self.rig.truths(name) if each.has_acted]
        assert len(acted) <= 1, f"{name} acted {len(acted)} times"
        known = acted or self.rig.truths(name)
        return known[-1] if known else None

    async def seen(self, name: str) -> VenueOrder:
        """Return what the venue says of an order that it must know."""
        found = await self.venue.query(name)
        assert found is not None, f"the venue does not know {name}"
        return found

    async def open_names(self) -> list[str]:
        return [each.client_order_id for each in await self.venue.open_orders()]

    async def prove(self, signed: Signed) -> VenueOrder | None:
        """Settle a doubt as the engine does: fence or expiry, then ask until the stated lag has passed."""
        if self.capabilities.has_fence:
            await self.venue.fence(signed)
        else:
            past_ns = signed.valid_until_ns - self.rig.venue_clock.now_ns()
            await self.clock.sleep(max(0.0, past_ns / NS_PER_S) + 1.0)
        await self.clock.sleep(self.capabilities.lookup_lag_ns / NS_PER_S)
        return await self.venue.query(signed.client_order_id)


def demand_code(refusal: Refused) -> None:
    """A refusal has a stable code: a lower-case word that a table can list."""
    assert refusal.code.isidentifier() and refusal.code == refusal.code.lower(), refusal.code


async def silenced(*work: Any) -> list[Any]:
    """Await all; return results and venue errors side by side."""
    return list(await asyncio.gather(*work, return_exceptions=True))


__all__ = [
    "CROSS",
    "INSIDE",
    "LOT",
    "REST",
    "Bench",
    "OutcomeUnknown",
    "Refused",
    "Retryable",
    "Seat",
    "demand_code",
    "silenced",
]
