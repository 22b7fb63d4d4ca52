"""A venue in a dry run: everything is asked, signed or validated, and no order leaves.

An order ends here as cancelled, with nothing filled and the reason `would`: it was never at the venue. What
the venue, or the adapter's own rules, would have refused is refused here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from seams.clock import Clock
from seams.http import decode_request
from seams.wire import MayLeave, always
from venues.contract import (
    Capabilities,
    CashTeller,
    Fence,
    LinkListener,
    LiveVenue,
    OrderListener,
    Refused,
    Retryable,
    Signed,
    VenueError,
)
from venues.evidence import Judges, Validates, WouldState
from venues.types import (
    AccountSnapshot,
    Cancelled,
    CashEvent,
    Fill,
    Instrument,
    MarketEvent,
    OrderRequest,
    Record,
    VenueOrder,
)

MAX_REQUESTS = 10_000
DRY = "a dry run sends nothing that acts"


class Would(Record):
    """What would have been sent, and what was said of it; `code` is why not. `fields` are the order as the
    venue reads it, without its signature."""

    request: OrderRequest
    state: WouldState
    way: str
    code: str
    said: str
    nonce: int
    valid_until_ns: int
    fields: dict[str, Any]
    payload_sha256: str


class DryVenue:
    """A `LiveVenue` around another; `keep` is told of every order that would have been sent."""

    def __init__(self, inner: LiveVenue, clock: Clock) -> None:
        self.inner, self._clock = inner, clock
        self.keep: Callable[[Would], None] = lambda would: None
        self._requests: dict[str, OrderRequest] = {}
        self._on_event: OrderListener = lambda event: None

    # --- orders ----------------------------------------------------------------------------------

    def sign(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Signed:
        self._remember(request)
        return self.inner.sign(request, nonce, valid_until_ns)

    def sign_change(self, request: OrderRequest, replaces: str, nonce: int, valid_until_ns: int) -> Signed:
        self._remember(request)
        return self.inner.sign_change(request, replaces, nonce, valid_until_ns)

    async def submit(self, signed: Signed, may_leave: MayLeave = always) -> None:
        """Validate or judge the order and keep what it would have been; see `VenueAdapter.submit`."""
        request = self._requests[signed.client_order_id]
        if not may_leave():
            raise Retryable("the gate closed before the first byte")
        way = "validated" if isinstance(self.inner, Validates) else "signed"
        try:
            said = await self._judged(request, signed)
        except Refused as refusal:
            self._keep(request, signed, way, WouldState.REFUSED, refusal.code, refusal.message)
            raise
        except VenueError as error:
            self._keep(request, signed, way, WouldState.UNDECIDED, "venue_unreachable", str(error))
            raise
        self._keep(request, signed, way, WouldState.WOULD, "", said)
        gone = Cancelled(
            client_order_id=request.client_order_id, reason=WouldState.WOULD.value, at_ns=self._clock.now_ns()
        )
        self._on_event(gone)

    async def cancel(self, client_order_id: str) -> None:
        raise Refused("dry_run", f"{DRY}: {client_order_id} stays as it is")

    async def cancel_all(self) -> None:
        raise Refused("dry_run", DRY)

    async def cancel_all_after(self, seconds: int) -> str:
        raise Refused("dry_run", DRY)

    async def fence(self, signed: Signed) -> Fence:
        """Nothing of a dry run was ever sent: its bytes are dead unless somebody else sends them."""
        raise Retryable(DRY)

    def _remember(self, request: OrderRequest) -> None:
        self._requests[request.client_order_id] = request
        while len(self._requests) > MAX_REQUESTS:
            del self._requests[next(iter(self._requests))]

    async def _judged(self, request: OrderRequest, signed: Signed) -> str:
        """Let the order be judged as one that is to be sent; return what was said of it. Raises."""
        if not signed.wire:
            await self.inner.submit(signed)  # it has no bytes: the adapter says why, and sends nothing
        if isinstance(self.inner, Validates):
            return await self.inner.validate(request, signed.nonce)
        if isinstance(self.inner, Judges):
            refusal = self.inner.judge(request)
            if refusal is not None:
                raise refusal
        assert signed.wire, "what would leave has its bytes"
        return f"{len(signed.wire)} signed bytes"

    def _keep(
        self, request: OrderRequest, signed: Signed, way: str, state: WouldState, code: str, said: str
    ) -> None:
        self.keep(
            Would(
                request=request,
                state=state,
                way=way,
                code=code,
                said=said,
                nonce=signed.nonce,
                valid_until_ns=signed.valid_until_ns,
                fields=fields_of(signed.wire),
                payload_sha256=sha256(signed.wire).hexdigest() if signed.wire else "",
            )
        )

    # --- everything else is the venue's ----------------------------------------------------------

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def signer(self) -> str:
        return self.inner.signer

    def capabilities(self) -> Capabilities:
        return self.inner.capabilities()

    def instruments(self) -> Sequence[Instrument]:
        return self.inner.instruments()

    def on_order_event(self, listener: OrderListener) -> None:
        self._on_event = listener
        self.inner.on_order_event(listener)

    def on_link(self, listener: LinkListener) -> None:
        self.inner.on_link(listener)

    def on_market(self, listener: Callable[[MarketEvent], None]) -> None:
        self.inner.on_market(listener)

    def off_market(self, listener: Callable[[MarketEvent], None]) -> None:
        self.inner.off_market(listener)

    def start(self) -> None:
        self.inner.start()

    async def close(self) -> None:
        await self.inner.close()

    async def time_ns(self) -> int:
        return await self.inner.time_ns()

    async def query(self, client_order_id: str) -> VenueOrder | None:
        return await self.inner.query(client_order_id)

    async def open_orders(self) -> Sequence[VenueOrder]:
        return await self.inner.open_orders()

    async def fills_since(self, since_ns: int) -> Sequence[Fill]:
        return await self.inner.fills_since(since_ns)

    async def account(self) -> AccountSnapshot:
        return await self.inner.account()

    async def cash_events_since(self, since_ns: int) -> Sequence[CashEvent]:
        """See `CashTeller`; nothing where the venue tells none."""
        if not isinstance(self.inner, CashTeller):
            return ()
        return await self.inner.cash_events_since(since_ns)


def undressed(venue: object) -> object:
    """Return the adapter itself, where it is inside a dry run."""
    return venue.inner if isinstance(venue, DryVenue) else venue


def fields_of(wire: bytes) -> dict[str, Any]:
    """Return an HTTP order's fields as its venue reads them, without what signs it; else nothing."""
    try:
        found = decode_request(wire) if wire else None
        if found is None:
            return {}
        body = found[0].body
        if body.startswith(b"{"):
            fields = msgspec.json.decode(body, type=dict[str, Any])
            return {name: value for name, value in fields.items() if name != "signature"}
        return dict(parse_qsl(body.decode("latin-1")))
    except (ValueError, msgspec.MsgspecError):
        return {}
