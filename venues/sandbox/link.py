"""The adapter of the sandbox exchange: signs, sends over the injected wire, classes what comes back.

A request that provably did not leave is `Retryable`; an explicit refusal is `Refused`; everything else
(silence, garbage, a used nonce) is `OutcomeUnknown`. A hole in the numbered event stream is a broken
link until the engine has asked for what it missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from seams.wire import Lost, MayLeave, Unsent, Wire, always
from venues.contract import (
    AlreadySeen,
    Capabilities,
    Fence,
    MarketSource,
    OutcomeUnknown,
    Refused,
    Retryable,
    Signed,
    Taker,
)
from venues.keyfile import KeyFile
from venues.listeners import Listeners
from venues.refusals import demand_no_vault, no_dead_man, no_replace
from venues.sandbox import messages as m
from venues.types import (
    AccountSnapshot,
    Bar,
    BarOpen,
    FeedEnd,
    Fill,
    Instrument,
    MarketEvent,
    OrderRequest,
    Quote,
    VenueOrder,
)

EXCHANGE_NAME = "sandbox-exchange"
TIMEOUT_S = 5.0
READ_TIMEOUT_S = 2.0
READ_ASKS = 3
"""What only asks is asked again: a question that is lost costs nothing but the wait."""
LOOKUP_LAG_NS = 2_000_000_000
"""An upper bound of the exchange's lag, stated by it; doubts are settled only after it has passed."""
UNPROVED = ("unavailable", "rate_limited")
"""What refuses a request and not its bytes: their nonce is unused, and another copy may still be taken."""
A = TypeVar("A", bound=m.Answer)
KINDS: Mapping[str, type[MarketEvent]] = {each.__name__: each for each in (Bar, BarOpen, Quote, FeedEnd)}

CAPABILITIES = Capabilities(
    venue=EXCHANGE_NAME,
    has_reduce_only=True,
    has_native_stop=False,
    has_dead_man_switch=False,
    has_test_order=False,
    has_fence=True,
    has_expiry=True,
    lookup_lag_ns=LOOKUP_LAG_NS,
)


class ExchangeLink:
    """A `VenueAdapter` for the sandbox exchange, over one `Wire`."""

    def __init__(self, wire: Wire, key: str, secret: bytes, instruments: Sequence[Instrument]) -> None:
        self._wire, self._key, self._secret = wire, key, secret
        self._instruments = tuple(instruments)
        self._symbols = frozenset(each.symbol for each in self._instruments)
        self._heard = heard = Listeners()
        self.on_order_event, self.on_link = heard.on_order_event, heard.on_link
        self.on_market, self.off_market = heard.on_market, heard.off_market
        self._seq: int | None = None
        self.is_up = False
        self.bad_frames = 0

    @classmethod
    def of_key(cls, wire: Wire, key: KeyFile, instruments: Sequence[Instrument]) -> ExchangeLink:
        """Return the adapter of a key file. Raises `ValueError` for one that this exchange cannot serve."""
        demand_no_vault(key)
        return cls(wire, key.key, key.secret.encode(), instruments)

    @property
    def name(self) -> str:
        return EXCHANGE_NAME

    @property
    def signer(self) -> str:
        return f"{EXCHANGE_NAME}:{self._key}"

    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    def instruments(self) -> Sequence[Instrument]:
        return self._instruments

    @property
    def listening(self) -> int:
        """How many listen to the market."""
        return self._heard.listening

    def start(self) -> None:
        """Open the stream; both listeners must be registered."""
        self._wire.start(self._frame, self._state)

    def sign(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Signed:
        body = m.Place(nonce=nonce, valid_until_ns=valid_until_ns, order=request)
        return Signed(
            client_order_id=request.client_order_id,
            nonce=nonce,
            valid_until_ns=valid_until_ns,
            wire=m.seal(self._key, self._secret, body),
        )

    def sign_change(self, request: OrderRequest, replaces: str, nonce: int, valid_until_ns: int) -> Signed:
        """Refused by `submit`: the exchange changes no orders."""
        name = request.client_order_id
        return Signed(client_order_id=name, nonce=nonce, valid_until_ns=valid_until_ns, wire=b"")

    async def submit(self, signed: Signed, may_leave: MayLeave = always) -> None:
        if not signed.wire:
            raise no_replace(EXCHANGE_NAME)
        try:
            await self._send(signed.wire, m.Done, may_leave)
        except Refused as refused:
            if refused.code in ("nonce_used", "nonce_too_low"):
                raise AlreadySeen(str(refused)) from refused
            if refused.code in UNPROVED:
                raise OutcomeUnknown(str(refused)) from refused
            raise

    async def cancel(self, client_order_id: str) -> None:
        await self._ask(m.CancelOrder(client_order_id=client_order_id), m.Done)

    async def cancel_all(self) -> None:
        """Ask for the cancel of every working order of the account, whoever placed it."""
        await self._ask(m.CancelAll(), m.Done)

    async def cancel_all_after(self, seconds: int) -> str:
        """Refused: the exchange has no such switch."""
        raise no_dead_man(EXCHANGE_NAME)

    async def fence(self, signed: Signed) -> Fence:
        try:
            await self._ask(m.Noop(nonce=signed.nonce), m.Done)
        except Refused as refused:
            if refused.code == "nonce_used":
                return Fence.ADMITTED
            raise OutcomeUnknown(str(refused)) from refused
        return Fence.DEAD

    async def time_ns(self) -> int:
        return (await self._ask(m.AskTime(), m.Done, READ_ASKS)).at_ns

    async def query(self, client_order_id: str) -> VenueOrder | None:
        return (await self._ask(m.Look(client_order_id=client_order_id), m.Found, READ_ASKS)).order

    async def open_orders(self) -> Sequence[VenueOrder]:
        return (await self._ask(m.ListOpen(), m.OpenList, READ_ASKS)).orders

    async def fills_since(self, since_ns: int) -> Sequence[Fill]:
        return (await self._ask(m.ListFills(since_ns=since_ns), m.FillList, READ_ASKS)).fills

    async def account(self) -> AccountSnapshot:
        return (await self._ask(m.AskAccount(), m.AccountIs, READ_ASKS)).snapshot

    async def close(self) -> None:
        await self._wire.close()

    async def _ask(self, body: m.Body, kind: type[A], asks: int = 1) -> A:
        """Send one request that is no order; `asks` above one only for what changes nothing there."""
        frame = m.seal(self._key, self._secret, body)
        if asks == 1:
            return await self._send(frame, kind)
        for _ in range(asks - 1):
            with suppress(OutcomeUnknown, Retryable):
                return await self._send(frame, kind, timeout_s=READ_TIMEOUT_S)
        return await self._send(frame, kind, timeout_s=READ_TIMEOUT_S)

    async def _send(
        self, frame: bytes, kind: type[A], may_leave: MayLeave = always, timeout_s: float = TIMEOUT_S
    ) -> A:
        try:
            said = await self._wire.call(frame, timeout_s, may_leave)
        except Unsent as error:
            raise Retryable(str(error)) from error
        except Lost as error:
            raise OutcomeUnknown(str(error)) from error
        try:
            answer = m.ANSWERS.decode(said)
        except msgspec.MsgspecError as error:
            raise OutcomeUnknown(f"an answer that cannot be read: {error}") from error
        if isinstance(answer, m.Refusal):
            raise Refused(answer.code, answer.message)
        if not isinstance(answer, kind):
            raise OutcomeUnknown(f"answered {type(answer).__name__}, not {kind.__name__}")
        return answer

    def _state(self, is_up: bool) -> None:
        """The stream opened or broke; after a break the numbering starts anew with what comes next."""
        self._seq = None
        self._tell_link(is_up)

    def _tell_link(self, is_up: bool) -> None:
        self.is_up = is_up
        self._heard.tell_link(is_up)

    def _frame(self, frame: bytes) -> None:
        try:
            push = m.PUSHES.decode(frame)
            event = None if isinstance(push, m.OrderPush) else _market(push)
        except (msgspec.MsgspecError, KeyError):
            self.bad_frames += 1  # what it said is lost: as if the stream had a hole
            self._tell_link(False)
            return
        if isinstance(push, m.OrderPush):
            self._count(push.seq)
            self._heard.tell_event(push.event)
        elif event is not None and not isinstance(event, FeedEnd) and event.symbol not in self._symbols:
            self.bad_frames += 1  # a market nobody trades: its name goes nowhere
        elif event is not None:
            self._heard.tell_market(event)

    def _count(self, seq: int) -> None:
        """Notice a hole; repeats and stragglers are told on (they are harmless: all merge by id)."""
        if self._seq is None or seq == self._seq + 1:
            self._seq = seq
        elif seq > self._seq:
            self._seq = seq
            self._tell_link(False)


def _market(push: m.MarketPush) -> MarketEvent:
    event: MarketEvent = msgspec.json.decode(push.event, type=KINDS[push.kind])
    return event


class LinkFeed:
    """A venue's own market events as a `Feed`. A reader that falls `MAX_WAITING` behind loses the
    oldest events, which the hub sees as a gap."""

    MAX_WAITING = 10_000

    def __init__(self, link: MarketSource) -> None:
        self._waiting: deque[MarketEvent] = deque(maxlen=self.MAX_WAITING)
        self._reader: asyncio.Future[None] | None = None
        """What the reader waits for while nothing is there."""
        self._taker: Taker | None = None
        self._name, self._link = f"{link.name}:stream", link
        link.on_market(self._take)

    @property
    def name(self) -> str:
        return self._name

    def hand_over(self, taker: Taker | None) -> None:
        """See `HandingFeed.hand_over`."""
        self._taker = taker

    def stop(self) -> None:
        """End the feed after what is waiting now; it hears nothing more."""
        self._link.off_market(self._take)
        self._take(FeedEnd(reason="stopped"))

    async def events(self) -> AsyncIterator[MarketEvent]:
        while True:
            while self._waiting:
                event = self._waiting.popleft()
                yield event
                if isinstance(event, FeedEnd):
                    return
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader

    def _take(self, event: MarketEvent) -> None:
        if self._taker is not None and not self._waiting and self._taker(event):
            return
        self._waiting.append(event)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
