"""The `LiveVenue` of the template venue. Copy this folder, and replace what is the venue's."""

from __future__ import annotations

from collections.abc import Sequence

from seams.clock import NS_PER_MS, Clock
from seams.wire import Caller, MayLeave, MessageLink, always
from venues.contract import AlreadySeen, Capabilities, Fence, OutcomeUnknown, Refused, Retryable, Signed
from venues.json_fields import read
from venues.keyfile import KeyFile
from venues.listeners import Listeners
from venues.outbox import Outbox
from venues.refusals import demand_no_vault, no_dead_man
from venues.template import translate
from venues.template.capabilities import INSTRUMENTS, NAME, capabilities
from venues.template.client import TemplateClient
from venues.template.stream import Stream
from venues.template.translate import Json, Names
from venues.types import Accepted, AccountSnapshot, Fill, Instrument, OrderRequest, VenueOrder


class TemplateAdapter:
    """One account of the template venue. `desk` is the unrepeatable name of whose orders these are."""

    def __init__(
        self,
        caller: Caller,
        authority: str,
        link: MessageLink,
        key: KeyFile,
        clock: Clock,
        *,
        desk: str,
        bar_ns: int,
    ) -> None:
        demand_no_vault(key)
        self._heard = heard = Listeners()
        self.on_order_event, self.on_link = heard.on_order_event, heard.on_link
        self.on_market, self.off_market = heard.on_market, heard.off_market
        self._clock, self._key, self._outbox, self._names = clock, key, Outbox(), Names(desk)
        self._client = TemplateClient(caller, authority, key)
        self._stream = Stream(
            link,
            self._client.opening(),
            self._names,
            bar_ns,
            heard.tell_event,
            heard.tell_market,
            heard.tell_link,
        )

    # --- what it is ------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return NAME

    @property
    def signer(self) -> str:
        return f"{NAME}:{self._key.key}"

    def capabilities(self) -> Capabilities:
        return capabilities()

    def instruments(self) -> Sequence[Instrument]:
        return INSTRUMENTS

    def start(self) -> None:
        self._stream.start()

    async def close(self) -> None:
        await self._stream.close()
        await self._client.close()

    # --- orders ----------------------------------------------------------------------------------

    def sign(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Signed:
        return self._sign(request, nonce, valid_until_ns, {})

    def sign_change(self, request: OrderRequest, replaces: str, nonce: int, valid_until_ns: int) -> Signed:
        """See `LiveVenue.sign_change`. The venue ends the old order only where it takes the new one."""
        return self._sign(request, nonce, valid_until_ns, {"replaces": self._names.of(replaces)})

    def _sign(self, request: OrderRequest, nonce: int, valid_until_ns: int, more: Json) -> Signed:
        name, wire = request.client_order_id, b""
        try:
            fields = translate.order_fields(request, self._names) | more
            timing = {"nonce": nonce, "valid_until_ms": valid_until_ns // NS_PER_MS}
            wire = self._client.signed("/order", fields | timing)
            self._outbox.add(nonce)
        except Refused as refusal:
            self._outbox.refuse(name, refusal)
        return Signed(client_order_id=name, nonce=nonce, valid_until_ns=valid_until_ns, wire=wire)

    async def submit(self, signed: Signed, may_leave: MayLeave = always) -> None:
        """See `VenueAdapter.submit`. A refusal is proof only of bytes that had never left before."""
        name = signed.client_order_id
        if not signed.wire:
            raise self._outbox.refusal_of(name)
        is_first = self._outbox.take(signed.nonce)
        try:
            said = await self._client.send(signed.wire, may_leave)
        except Retryable:
            if is_first:
                self._outbox.add(signed.nonce)
            raise
        except Refused as refusal:
            if is_first:
                raise
            raise OutcomeUnknown(f"of a second copy: {refusal}") from refusal
        venue_id = read(lambda answer: translate.text(translate.table(answer), "venue_id"), said)
        now_ns = self._clock.now_ns()
        self._heard.tell_event(Accepted(client_order_id=name, venue_order_id=venue_id, at_ns=now_ns))

    async def cancel(self, client_order_id: str) -> None:
        await self._client.ask("/cancel", id=self._names.of(client_order_id))

    async def cancel_all(self) -> None:
        """Ask for the cancel of every working order of the account, whoever placed it."""
        await self._client.ask("/cancel_all")

    async def cancel_all_after(self, seconds: int) -> str:
        """Refused: the venue has no such switch."""
        raise no_dead_man(NAME)

    async def fence(self, signed: Signed) -> Fence:
        if not signed.wire:
            return Fence.DEAD  # it was never signed: no bytes of it exist
        try:
            await self._client.ask("/burn", nonce=signed.nonce)
        except AlreadySeen:
            return Fence.ADMITTED
        except Refused as refusal:
            raise OutcomeUnknown(f"the fence was not taken: {refusal}") from refusal
        return Fence.DEAD

    # --- questions -------------------------------------------------------------------------------

    async def time_ns(self) -> int:
        said = await self._client.ask("/time")
        return read(lambda answer: translate.number(translate.table(answer), "at_ms") * NS_PER_MS, said)

    async def query(self, client_order_id: str) -> VenueOrder | None:
        said = await self._client.ask("/query", id=self._names.of(client_order_id))
        found = read(translate.rows, said)
        return read(lambda each: translate.venue_order(each, self._names), found[0]) if found else None

    async def open_orders(self) -> Sequence[VenueOrder]:
        said = await self._client.ask("/orders")
        return read(lambda rows: [translate.venue_order(e, self._names) for e in translate.rows(rows)], said)

    async def fills_since(self, since_ns: int) -> Sequence[Fill]:
        said = await self._client.ask("/fills", since_ms=since_ns // NS_PER_MS)
        return read(lambda rows: [translate.fill(each, self._names) for each in translate.rows(rows)], said)

    async def account(self) -> AccountSnapshot:
        said = await self._client.ask("/account")
        return read(lambda answer: translate.account(translate.table(answer)), said)
