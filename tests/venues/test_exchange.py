"""The sandbox exchange and its adapter: what a signature, a nonce, an expiry and a lag mean."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import pytest

from seams.clock import NS_PER_S, FixedClock
from seams.wire import FrameHandler, Lost, MayLeave, StateHandler, Unsent, always
from venues.contract import AlreadySeen, Fence, OutcomeUnknown, Refused, Retryable, Signed
from venues.sandbox import messages as m
from venues.sandbox.exchange import Exchange
from venues.sandbox.link import READ_ASKS, UNPROVED, ExchangeLink
from venues.sandbox.scenarios import DEFAULT_SYMBOLS, instrument_of
from venues.sandbox.venue import SandboxVenue
from venues.types import OrderEvent, OrderRequest, OrderStatus, OrderType, Quote, Side, TimeInForce

T = TypeVar("T")
SPEC = DEFAULT_SYMBOLS[0]
INSTRUMENT = instrument_of(SPEC, Decimal("1.5"), Decimal("4.5"))


class DirectWire:
    """A wire with no distance; `fault` may stand in for what the network does."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.fault: Exception | None = None
        self.answer: bytes | None = None
        self.on_frame: FrameHandler | None = None
        self.on_state: StateHandler | None = None

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        self.on_frame, self.on_state = on_frame, on_state
        self.exchange.listeners.append(on_frame)

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        if isinstance(self.fault, Unsent):
            raise self.fault
        if not may_leave():
            raise Unsent("the gate closed")
        said = await self.exchange.handle(body)
        if self.fault is not None:
            raise self.fault
        return said if self.answer is None else self.answer

    async def close(self) -> None:
        """Nothing to close."""


class Desk:
    """An exchange, a wire and an adapter, on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        venue = SandboxVenue(
            self.clock, fill_at="next_quote", price_grid="tick", instruments=(INSTRUMENT,), account_id="a"
        )
        keys = {"engine": (b"secret", True), "watchdog": (b"dog", False)}
        self.exchange = Exchange(self.clock, venue, keys)
        self.wire = DirectWire(self.exchange)
        self.link = ExchangeLink(self.wire, "engine", b"secret", (INSTRUMENT,))
        self.events: list[OrderEvent] = []
        self.states: list[bool] = []
        self.link.on_order_event(self.events.append)
        self.link.on_link(self.states.append)
        self.link.start()
        self.quote(100.0)

    def quote(self, price: float) -> None:
        at_ns = self.clock.now_ns()
        self.exchange.on_market(Quote(symbol=SPEC.symbol, at_ns=at_ns, bid=price, ask=price))

    def signed(self, name: str = "O-1", nonce: int = 1, valid_s: float = 10.0) -> Signed:
        request = OrderRequest(
            client_order_id=name,
            symbol=SPEC.symbol,
            side=Side.BUY,
            quantity=INSTRUMENT.lot * 1000,
            order_type=OrderType.MARKET,
            limit_price=Decimal(0),
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
            mark_price=Decimal(100),
        )
        return self.link.sign(request, nonce, self.clock.now_ns() + round(valid_s * NS_PER_S))


def run(work: Callable[[Desk], Awaitable[T]]) -> T:
    return asyncio.run(_in_loop(work))


async def _in_loop(work: Callable[[Desk], Awaitable[T]]) -> T:
    return await work(Desk())


def test_the_same_bytes_act_once() -> None:
    async def work(desk: Desk) -> None:
        signed = desk.signed()
        await desk.link.submit(signed)
        for _ in range(3):
            with pytest.raises(AlreadySeen):
                await desk.link.submit(signed)
        assert len(desk.exchange.venue.journal) == 1

    run(work)


def test_a_burnt_nonce_keeps_the_order_out_for_ever() -> None:
    async def work(desk: Desk) -> None:
        signed = desk.signed()
        assert await desk.link.fence(signed) is Fence.DEAD
        with pytest.raises(AlreadySeen):
            await desk.link.submit(signed)
        assert not desk.exchange.venue.journal

    run(work)


def test_an_order_that_was_admitted_cannot_be_fenced() -> None:
    async def work(desk: Desk) -> None:
        signed = desk.signed()
        await desk.link.submit(signed)
        assert await desk.link.fence(signed) is Fence.ADMITTED

    run(work)


def test_bytes_that_arrive_late_are_refused_and_use_no_nonce() -> None:
    async def work(desk: Desk) -> None:
        signed = desk.signed(valid_s=1.0)
        desk.clock.advance(2.0)
        with pytest.raises(Refused, match="expired"):
            await desk.link.submit(signed)
        assert await desk.link.fence(signed) is Fence.DEAD

    run(work)


def test_lookups_and_lists_show_the_past() -> None:
    async def work(desk: Desk) -> None:
        await desk.link.submit(desk.signed())
        assert await desk.link.query("O-1") is None, "not yet visible, and alive"
        desk.clock.advance(0.5)
        desk.quote(100.0)  # it fills
        desk.clock.advance(0.6)
        seen = await desk.link.query("O-1")
        assert seen is not None and seen.status is OrderStatus.OPEN and not await desk.link.fills_since(0)
        desk.clock.advance(1.0)
        seen = await desk.link.query("O-1")
        assert seen is not None and seen.status is OrderStatus.FILLED
        assert len(await desk.link.fills_since(0)) == 1

    run(work)


def test_what_is_known_decides_which_error_is_raised() -> None:
    async def work(desk: Desk) -> None:
        desk.wire.fault = Unsent("no route")
        with pytest.raises(Retryable):
            await desk.link.submit(desk.signed("O-1", 1))
        assert not desk.exchange.venue.journal
        desk.wire.fault = Lost("silence")
        with pytest.raises(OutcomeUnknown):
            await desk.link.submit(desk.signed("O-2", 2))
        assert list(desk.exchange.venue.journal) == ["O-2"]
        desk.wire.fault = None
        for garbage in (
            b"",
            b"null",
            b"<html>",
            b'{"type":"done"',
            b'{"type":"found","order":null,"at_ns":1}',
        ):
            desk.wire.answer = garbage
            with pytest.raises(OutcomeUnknown):
                await desk.link.cancel("O-2")

    run(work)


def test_a_question_is_asked_again_and_an_order_is_not() -> None:
    async def work(desk: Desk) -> None:
        asked, call = [], desk.wire.call

        async def lossy(body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
            asked.append(body)
            await call(body, timeout_s, may_leave)
            raise Lost("silence")

        desk.wire.call = lossy  # type: ignore[method-assign]
        with pytest.raises(OutcomeUnknown):
            await desk.link.submit(desk.signed())
        with pytest.raises(OutcomeUnknown):
            await desk.link.cancel("O-1")
        assert len(asked) == 2
        with pytest.raises(OutcomeUnknown):
            await desk.link.account()
        assert len(asked) == 2 + READ_ASKS and len(set(asked[2:])) == 1
        desk.wire.call = call  # type: ignore[method-assign]
        assert (await desk.link.account()).account_id == "a"

    run(work)


@pytest.mark.parametrize("code", UNPROVED)
def test_a_refusal_that_leaves_the_nonce_unused_proves_nothing(code: str) -> None:
    async def work(desk: Desk) -> None:
        signed = desk.signed()
        desk.wire.answer = b'{"type":"refusal","code":"%s","message":"later","at_ns":1}' % code.encode()
        with pytest.raises(OutcomeUnknown, match=code):
            await desk.link.submit(signed)

    run(work)


def test_an_order_refused_for_the_account_uses_its_nonce() -> None:
    async def work(desk: Desk) -> None:
        signed = desk.signed()
        desk.exchange.refuses = lambda order: "insufficient_margin"
        with pytest.raises(Refused, match="insufficient_margin"):
            await desk.link.submit(signed)
        desk.exchange.refuses = lambda order: ""
        with pytest.raises(AlreadySeen):
            await desk.link.submit(signed)  # a late copy of it
        assert not desk.exchange.venue.journal

    run(work)


def test_a_wrong_signature_a_wrong_key_and_a_wrong_right_are_refused() -> None:
    async def work(desk: Desk) -> None:
        thief = ExchangeLink(desk.wire, "engine", b"guess", (INSTRUMENT,))
        with pytest.raises(Refused, match="bad_signature"):
            await thief.time_ns()
        stranger = ExchangeLink(desk.wire, "nobody", b"secret", (INSTRUMENT,))
        with pytest.raises(Refused, match="bad_signature"):
            await stranger.time_ns()
        dog = ExchangeLink(desk.wire, "watchdog", b"dog", (INSTRUMENT,))
        with pytest.raises(Refused, match="not_permitted"):
            await dog.submit(dog.sign(_request_of(desk), 7, 0))
        await desk.link.submit(desk.signed())
        await dog.cancel("O-1")
        assert not desk.exchange.venue.working()

    run(work)


def test_hostile_bytes_are_refused_and_change_nothing() -> None:
    async def work(desk: Desk) -> None:
        for body in (b"", b"{}", b"[]", b"\xff" * 40, b"{" * 5000, b"0" * (m.MAX_FRAME_BYTES + 1)):
            answer = m.ANSWERS.decode(await desk.exchange.handle(body))
            assert isinstance(answer, m.Refusal) and answer.code in ("malformed", "too_large")
        assert not desk.exchange.venue.journal

    run(work)


def test_a_hole_in_the_numbered_stream_is_a_broken_link_and_a_repeat_is_not() -> None:
    async def work(desk: Desk) -> None:
        frames: list[bytes] = []
        desk.exchange.listeners[:] = [frames.append]
        for number in range(1, 4):
            await desk.link.submit(desk.signed(f"O-{number}", number))
        assert desk.wire.on_frame is not None
        pushes = [frame for frame in frames if frame.startswith(b'{"type":"order"')]
        desk.wire.on_frame(pushes[0])
        desk.wire.on_frame(pushes[0])
        assert desk.states == [] and len(desk.events) == 2
        desk.wire.on_frame(pushes[2])
        assert desk.states == [False] and len(desk.events) == 3
        desk.wire.on_frame(b'{"type":"order","seq":"x"}')
        assert desk.states == [False, False] and desk.link.bad_frames == 1

    run(work)


def _request_of(desk: Desk) -> OrderRequest:
    body = m.BODIES.decode(bytes(m.FRAMES.decode(desk.signed().wire).body))
    assert isinstance(body, m.Place)
    return body.order
