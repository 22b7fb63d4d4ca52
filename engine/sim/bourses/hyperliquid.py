"""The double of Hyperliquid in a simulated world, behind the adapter that trades at the real one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from engine.core import Core
from engine.sim.bourses.contract import Left
from engine.sim.bourses.faults import STRIKES, VenueDice, VenueFault
from engine.sim.bourses.habits import (
    BAR_S,
    CASH_USD,
    Parts,
    answer_of,
    dripped,
    engine_wire,
    feed_of,
    guard_wire,
    run_prices,
)
from engine.sim.bourses.hyperliquid_truth import SYMBOLS, HyperliquidTruth, read_order
from engine.sim.bourses.sockets import DoubleWire, Kind
from engine.sim.bourses.spoiling import spoilt_prices
from engine.sim.faults import Fault
from engine.sim.wires import Dialect
from engine.venue import DESK_MARK, LOOPBACK_LAG_NS
from seams.clock import NS_PER_MS, NS_PER_S
from seams.http import Response, decode_request, decode_response, encode_response, json_response
from seams.web import SILENCE_S
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.signing import throwaway_key, wallet_of
from venues.keyfile import KeyFile
from venues.sandbox.hyperliquid.exchange import HyperliquidExchange, kind_of
from venues.sandbox.hyperliquid.listing import symbol_specs
from venues.sandbox.programs import HTML
from venues.types import Instrument

if TYPE_CHECKING:
    from engine.sim.world import World

AUTHORITY = "hyperliquid.invalid"
TICK_S = 0.5
KINDS = (*STRIKES, VenueFault.HANG_UP, VenueFault.FUNDING, VenueFault.POST_ONLY)
BUSY = encode_response(Response(503, {"content-type": "text/html"}, HTML))
SLOW_DOWN = encode_response(json_response(b"null", 429))
ECHO = "Invalid nonce"
"""A refusal that says nothing about the order: its bytes, or a fence, came before."""
MARKET_MARKS = (b'{"channel":"bbo"', b'{"channel":"trades"')
OWN_MARKS = (b'{"channel":"orderUpdates"', b'{"channel":"userFills"', b'{"channel":"user"')


def _said(body: bytes, status: int = 200) -> bytes:
    return encode_response(json_response(body, status))


GARBAGE = (
    b"",
    b"\xff\xfe",
    b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{",
    BUSY,
    _said(b"null"),
    _said(b"null", 500),
    _said(b'{"status":"ok"'),
    _said(b'{"status":"ok","response":{"type":"order","data":{"statuses":[]}}}'),
    _said(b'{"time":"x"}'),
    encode_response(Response(200, {"content-type": "text/html"}, HTML)),
)
FRAMES = (
    b"",
    b"null",
    b"\xff\xfe",
    b'{"channel":"userFills","data":{"fills"',
    b'{"channel":"userFills","data":{"fills":[{"coin":"BTC"}]}}',
    b'{"channel":"orderUpdates","data":[{"order":{},"status":"open"}]}',
)


def _is_word(said: bytes) -> bool:
    return said.startswith(b"HTTP/1.1 200 ")


DIALECT = Dialect(
    is_order=lambda body: b'"action":{"type":"order"' in body,
    is_word=_is_word,
    garbage=GARBAGE,
    frames=FRAMES,
)


@cache
def _keys() -> dict[str, KeyFile]:
    """Return the key files of engine and watchdog; making an address of a key takes milliseconds."""
    secrets = {who: throwaway_key("simulator", who) for who in ("master", "agent", "asker", "watchdog")}
    at = {who: wallet_of(secret).address.lower() for who, secret in secrets.items()}
    return {
        who: KeyFile(
            venue="hyperliquid",
            account=at["master"],
            key=at[signer],
            secret=secrets[signer],
            ask_key=at[asker],
            ask_secret=secrets[asker],
        )
        for who, signer, asker in (("engine", "agent", "asker"), ("watchdog", "watchdog", "watchdog"))
    }


class HyperliquidBourse:
    """One loopback Hyperliquid, its market, and the account that the engine trades on."""

    name = "hyperliquid"
    safety_s, liveness_s = 60.0, 160.0
    """The venue forgives its requests over a minute: an engine that has died often begins with none left, and
    two or three differences a minute are settled by people."""
    is_spot, refuses_locally = False, True

    def __init__(self, world: World) -> None:
        self._world, seed = world, world.dice.plan.market_seed
        self.double = HyperliquidExchange(world.true_clock, seed)
        keys = _keys()
        account = self.double.fund(keys["engine"].account, CASH_USD)
        for name, address in (("", keys["engine"].key), ("asker", keys["engine"].ask_key)):
            self.double.add_agent(account.address, address, name)
        self.double.add_agent(account.address, keys["watchdog"].key, "watchdog")
        self.venue = HyperliquidTruth(self.double, account, world.true_clock)
        self.dice = VenueDice(world.seed, self.name, world.dice, KINDS)
        trading = self.double.trading
        trading.refuses = lambda order: order.cloid is not None and world.dice.strikes(Fault.VENUE_REJECTS)
        trading.part_of = Parts(world)
        specs = tuple(each for each in symbol_specs() if each.symbol in SYMBOLS)
        self.feed = feed_of(world, specs)
        self._shown: dict[str, bytes] = {}
        self.lag_ns = NS_PER_S

    @property
    def lag_ns(self) -> int:
        return self.double.lag_ms * NS_PER_MS

    @lag_ns.setter
    def lag_ns(self, value: int) -> None:
        self.double.lag_ms = value // NS_PER_MS

    @property
    def exchange(self) -> HyperliquidBourse:
        return self

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return self.venue.instruments

    @property
    def secrets(self) -> tuple[bytes, ...]:
        kept = [each for key in _keys().values() for each in (key.secret, key.ask_secret)]
        return tuple(secret.removeprefix("0x").encode() for secret in kept)

    # --- its time --------------------------------------------------------------------------------

    async def run_market(self) -> None:
        await asyncio.gather(run_prices(self.feed, self.double.on_market), self._keep_house())

    async def _keep_house(self) -> None:
        """Let the venue do what it does by the clock, and what a fault makes it do."""
        loop, dice, trading = self._world.loop, self.dice, self.double.trading
        while True:
            await asyncio.sleep(TICK_S)
            self.double.advance()
            if loop.time() < self._world.closed_until_s or dice.strikes(VenueFault.HANG_UP):
                for session in list(self.double.room.sessions):
                    session.close(1001)
            if dice.strikes(VenueFault.FUNDING):
                coin = dice.stream(VenueFault.FUNDING).choice(sorted(SYMBOLS))
                self.venue.pay_funding(coin, dice.stream(VenueFault.FUNDING).uniform(-0.002, 0.002))
            if dice.strikes(VenueFault.POST_ONLY):
                trading.post_only_period = True
                seconds = dice.stream(VenueFault.POST_ONLY).uniform(1, 10)
                loop.call_later(seconds, setattr, trading, "post_only_period", False)

    def settle(self) -> None:
        self.lag_ns = NS_PER_S
        self.double.trading.post_only_period = False

    def counts(self) -> Mapping[str, int]:
        return {str(kind): count for kind, count in self.dice.counts.items()}

    # --- requests --------------------------------------------------------------------------------

    async def handle(self, body: bytes) -> bytes:
        world = self._world
        if world.loop.time() < world.closed_until_s:
            return BUSY
        if world.dice.strikes(Fault.RATE_LIMITED):
            return SLOW_DOWN
        found = decode_request(body)
        assert found is not None
        request = found[0]
        if kind_of(request).startswith("cancel") and world.dice.strikes(Fault.CANCEL_FAILS):
            return BUSY
        fault = self.dice.of_request()
        if fault is not None:
            self.double.program.add(fault)
        reply = await answer_of(self.double, request)
        name = hashlib.sha256(body).hexdigest()[:16].encode()
        world.fact("venue", name + b" " + reply.data.rpartition(b"\r\n")[2])
        self._note_refusal(body, reply.data)
        return await dripped(reply)

    def _note_refusal(self, body: bytes, data: bytes) -> None:
        """Remember an order that the exchange has truly refused."""
        left = self.left(body)
        if left is None:
            return
        try:
            answer = decode_response(data, is_at_end=True)
            said = None if answer is None else msgspec.json.decode(answer.body)
        except (ValueError, msgspec.DecodeError):
            return
        if not isinstance(said, dict):
            return
        text = _refusal(said)
        if text and not text.startswith(ECHO):
            self._world.refused.add(left.order.client_order_id)

    def left(self, frame: bytes) -> Left | None:
        if not DIALECT.is_order(frame):
            return None
        body = _body(frame)
        (wire,) = body["action"]["orders"]
        return Left(read_order(wire, self.venue.names), body["nonce"])

    def cancelled(self, frame: bytes) -> Sequence[str]:
        if b'"action":{"type":"cancel' not in frame:
            return ()
        action = _body(frame)["action"]
        if action["type"] == "cancelByCloid":
            return [self.venue.names.name_of(each["cloid"], 0) for each in action["cancels"]]
        orders = self.double.trading.orders
        return [self.venue.name_of(orders[each["o"]]) for each in action["cancels"] if each["o"] in orders]

    def asks_for_all(self, frame: bytes) -> bool:
        """There is no cancel of all: whoever wants it asks for the lists first, and the cancel names every
        order that stands there. The attempt begins with its first question."""
        return True

    def number(self, frame: bytes) -> int | None:
        """Nothing is numbered here."""
        return None

    # --- the adapter -----------------------------------------------------------------------------

    def enter(self, number: int) -> tuple[HyperliquidAdapter, DoubleWire]:
        wire = engine_wire(self._world, self.handle, DIALECT)
        return self._adapter(self._configured(wire), _keys()["engine"]), wire

    def enter_guard(self, on_sent: Callable[[bytes], None]) -> tuple[HyperliquidAdapter, DoubleWire]:
        wire = guard_wire(self._world, self.handle, on_sent, DIALECT)
        return self._adapter(self._configured(wire), _keys()["watchdog"]), wire

    def _configured(self, wire: DoubleWire) -> DoubleWire:
        world = self._world
        is_serving = lambda: world.loop.time() >= world.closed_until_s  # noqa: E731
        return wire.configure(self.double, _kind_of_frame, self._on_push, is_serving)

    def _adapter(self, wire: DoubleWire, key: KeyFile) -> HyperliquidAdapter:
        return HyperliquidAdapter(
            wire,
            AUTHORITY,
            wire.socket("", "/ws", SILENCE_S),
            key,
            self._world.clock,
            desk=key.key,
            bar_ns=round(BAR_S * NS_PER_S),
            coins=SYMBOLS,
            lookup_lag_ns=LOOPBACK_LAG_NS,
        )

    def listening(self, adapter: object) -> int:
        assert isinstance(adapter, HyperliquidAdapter)
        return adapter.listening

    def learn_desk(self, core: Core) -> None:
        mark = core.store.facts.get(DESK_MARK)
        assert mark is not None
        self.venue.names.use(mark)

    def _on_push(self, frame: bytes, kind: Kind) -> bytes:
        world = self._world
        if kind is Kind.OWN:
            world.fact("push", frame)
        elif kind is Kind.MARKET and frame.startswith(MARKET_MARKS[0]):
            before, self._shown[frame[:60].decode()] = self._shown.get(frame[:60].decode(), frame), frame
            if world.dice.strikes(Fault.BAD_MARKET):
                frame = _spoilt(frame, before, world)
                world.fact("spoilt", frame)
        return frame


def _body(frame: bytes) -> Any:
    return msgspec.json.decode(frame.partition(b"\r\n\r\n")[2])


def _refusal(said: dict[str, Any]) -> str:
    """Return the text by which an answer refuses an order; nothing where it does not."""
    response = said.get("response")
    if said.get("status") == "err":
        return str(response)
    statuses = response["data"]["statuses"] if isinstance(response, dict) and "data" in response else []
    return next((str(each["error"]) for each in statuses if isinstance(each, dict) and "error" in each), "")


def _kind_of_frame(frame: bytes) -> Kind:
    if frame.startswith(MARKET_MARKS):
        return Kind.MARKET
    return Kind.OWN if frame.startswith(OWN_MARKS) else Kind.CONTROL


def _spoilt(frame: bytes, before: bytes, world: World) -> bytes:
    """Return a best price that the market never had; see `spoilt_prices`."""
    said = msgspec.json.decode(frame)
    data = said["data"]
    bid, ask = data["bbo"]
    if bid is None or ask is None:
        return frame
    made = spoilt_prices(Decimal(bid["px"]), Decimal(ask["px"]), world.dice)
    if made is None:
        return before
    data["bbo"] = [bid | {"px": str(made.bid)}, ask | {"px": str(made.ask)}]
    data["time"] += made.shift_ms
    data["coin"] = made.name or data["coin"]
    return msgspec.json.encode(said)
