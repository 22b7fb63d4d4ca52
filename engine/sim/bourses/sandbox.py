"""Our own sandbox exchange in a simulated world."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.core import Core
from engine.sim.bourses.contract import LIVENESS_S, SAFETY_S, Left
from engine.sim.bourses.habits import CASH_USD, feed_of, run_prices
from engine.sim.faults import Fault
from engine.sim.market import spoilt
from engine.sim.wires import ORDER, REFUSAL, SimWire
from seams.clock import NS_PER_S
from venues.sandbox import messages as m
from venues.sandbox.exchange import Exchange
from venues.sandbox.link import ExchangeLink
from venues.sandbox.scenarios import DEFAULT_SYMBOLS, instrument_of
from venues.sandbox.venue import SandboxVenue
from venues.types import OrderRequest

if TYPE_CHECKING:
    from engine.sim.world import World

SYMBOLS = DEFAULT_SYMBOLS[:2]
KEY, SECRET = "engine", b"a throw-away secret of the simulator"
ECHOES = (b'"nonce_used"', b'"nonce_too_low"')
"""Refusals that say nothing about the order: its bytes, or later ones, came before."""


class SandboxBourse:
    """The sandbox exchange behind its own adapter."""

    name = "sandbox"
    safety_s, liveness_s = SAFETY_S, LIVENESS_S
    is_spot = refuses_locally = False
    secrets = (SECRET,)

    def __init__(self, world: World) -> None:
        self._world = world
        self.feed = feed_of(world, SYMBOLS)
        self.instruments = tuple(instrument_of(s, Decimal("1.5"), Decimal("4.5")) for s in SYMBOLS)
        self.venue = SandboxVenue(
            world.true_clock,
            starting_cash_usd=CASH_USD,
            fill_at="next_quote",
            price_grid="tick",
            slippage_bps=1.0,
            instruments=self.instruments,
            account_id="acct-1",
        )
        keys = {KEY: (SECRET, True), "watchdog": (SECRET, False)}
        self.exchange = Exchange(world.true_clock, self.venue, keys)
        self.exchange.listeners.append(self._push)
        self.venue.part_of = world.part_of
        self.exchange.refuses = self._refuses
        self._last_shown: dict[str, bytes] = {}

    async def run_market(self) -> None:
        await run_prices(self.feed, self.exchange.on_market)

    async def handle(self, body: bytes) -> bytes:
        world, strikes = self._world, self._world.dice.strikes
        if world.loop.time() < world.closed_until_s:
            return b'{"type":"refusal","code":"unavailable","message":"maintenance","at_ns":0}'
        if strikes(Fault.RATE_LIMITED):
            return b'{"type":"refusal","code":"rate_limited","message":"slow down","at_ns":0}'
        if b'"type":"cancel"' in body and strikes(Fault.CANCEL_FAILS):
            return b'{"type":"refusal","code":"unavailable","message":"cancels are down","at_ns":0}'
        said = await self.exchange.handle(body)
        world.fact("venue", hashlib.sha256(body).hexdigest()[:16].encode() + b" " + said)
        if ORDER in body and said.startswith(REFUSAL) and not any(code in said for code in ECHOES):
            placed = _body(body)
            assert isinstance(placed, m.Place)
            world.refused.add(placed.order.client_order_id)
        return said

    def enter(self, number: int) -> tuple[ExchangeLink, SimWire]:
        world = self._world
        wire = SimWire(
            world.dice,
            self.handle,
            world.spawn,
            world.sent_out,
            world.at_point,
            lambda seconds: world.on_clogged(seconds),
        )
        return ExchangeLink(wire, KEY, SECRET, self.instruments), wire

    def enter_guard(self, on_sent: Callable[[bytes], None]) -> tuple[ExchangeLink, SimWire]:
        wire = SimWire(self._world.dice, self.handle, self._world.spawn, on_sent, lambda site: None)
        return ExchangeLink(wire, "watchdog", SECRET, ()), wire

    def learn_desk(self, core: Core) -> None:
        """The sandbox's orders go by the engine's own names."""

    def left(self, frame: bytes) -> Left | None:
        body = _body(frame)
        return Left(body.order, body.nonce) if isinstance(body, m.Place) else None

    def cancelled(self, frame: bytes) -> Sequence[str]:
        body = _body(frame)
        return (body.client_order_id,) if isinstance(body, m.CancelOrder) else ()

    def asks_for_all(self, frame: bytes) -> bool:
        return b'"type":"cancel_all"' in frame

    def number(self, frame: bytes) -> int | None:
        if not frame.startswith(b'{"type":"order"'):
            return None
        push = m.PUSHES.decode(frame)
        assert isinstance(push, m.OrderPush)
        return push.seq

    def listening(self, adapter: object) -> int:
        assert isinstance(adapter, ExchangeLink)
        return adapter.listening

    def settle(self) -> None:
        self.exchange.lag_ns = NS_PER_S

    def counts(self) -> Mapping[str, int]:
        return {}

    def _refuses(self, order: OrderRequest) -> str:
        """Refuse an order that arrived in order: its nonce is used up by then, as at a real venue."""
        return "insufficient_margin" if self._world.dice.strikes(Fault.VENUE_REJECTS) else ""

    def _push(self, frame: bytes) -> None:
        world = self._world
        is_market = frame.startswith(b'{"type":"market"')
        if not is_market:
            world.fact("push", frame)
        if world.incarnation is not None:
            if is_market and world.dice.strikes(Fault.BAD_MARKET):
                frame = spoilt(frame, self._last_shown, world.dice)
                world.fact("spoilt", frame)
            elif is_market:
                self._last_shown[frame[:40].decode()] = frame
            world.incarnation.wire.push(frame, is_market=is_market)


def _body(frame: bytes) -> m.Body:
    return m.BODIES.decode(bytes(m.FRAMES.decode(frame).body))
