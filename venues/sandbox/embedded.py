"""The embedded paper venue behind the `VenueAdapter` contract: same process, same clock, same fate."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from seams.wire import MayLeave, always
from venues.contract import Capabilities, Fence, LinkListener, OrderListener, Retryable, Signed
from venues.sandbox.venue import SandboxVenue
from venues.types import AccountSnapshot, Fill, Instrument, MarketEvent, OrderRequest, VenueOrder


class EmbeddedVenue:
    """A `VenueAdapter` over a `SandboxVenue` in this process; its wire bytes are the request's JSON."""

    def __init__(self, venue: SandboxVenue, account_id: str) -> None:
        self.venue = venue
        self.signer = f"{venue.name}:{account_id}"

    @property
    def name(self) -> str:
        return self.venue.name

    def capabilities(self) -> Capabilities:
        return self.venue.capabilities()

    def instruments(self) -> Sequence[Instrument]:
        return self.venue.instruments()

    def on_order_event(self, listener: OrderListener) -> None:
        self.venue.on_order_event(listener)

    def on_link(self, listener: LinkListener) -> None:
        """A venue in this process has no link that could break."""

    def start(self) -> None:
        """Nothing to open."""

    def on_market(self, event: MarketEvent) -> None:
        """Hand the venue a market event to match against."""
        self.venue.on_market(event)

    def sign(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Signed:
        return Signed(
            client_order_id=request.client_order_id,
            nonce=nonce,
            valid_until_ns=valid_until_ns,
            wire=msgspec.json.encode(request),
        )

    async def submit(self, signed: Signed, may_leave: MayLeave = always) -> None:
        if not may_leave():
            raise Retryable("the gate closed before it left")
        await self.venue.submit(msgspec.json.decode(signed.wire, type=OrderRequest))

    async def cancel(self, client_order_id: str) -> None:
        await self.venue.cancel(client_order_id)

    async def fence(self, signed: Signed) -> Fence:
        """The venue is in this process, so an order that it does not know never took effect."""
        known = signed.client_order_id in self.venue.journal
        return Fence.ADMITTED if known else Fence.DEAD

    async def time_ns(self) -> int:
        return self.venue.now_ns()

    async def query(self, client_order_id: str) -> VenueOrder | None:
        return await self.venue.query(client_order_id)

    async def open_orders(self) -> Sequence[VenueOrder]:
        return await self.venue.open_orders()

    async def fills_since(self, since_ns: int) -> Sequence[Fill]:
        return await self.venue.fills_since(since_ns)

    async def account(self) -> AccountSnapshot:
        return await self.venue.account()

    async def close(self) -> None:
        await self.venue.close()
