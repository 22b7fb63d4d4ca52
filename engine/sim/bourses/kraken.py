"""The double of Kraken spot in a simulated world, behind the adapter that trades at the real one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from engine.core import Core
from engine.places import KRAKEN_SILENCE_S
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
from engine.sim.bourses.kraken_truth import HAND_LOTS, KrakenTruth
from engine.sim.bourses.sockets import DoubleWire, Kind
from engine.sim.bourses.spoiling import spoilt_prices
from engine.sim.faults import Fault
from engine.sim.wires import Dialect
from engine.venue import DESK_MARK, LOOPBACK_LAG_NS
from seams.clock import NS_PER_S
from seams.http import Response, decode_request, encode_response, json_response
from venues.keyfile import KeyFile
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.capabilities import PAIRS as RULES
from venues.sandbox.kraken import keys as k
from venues.sandbox.kraken.books import Account
from venues.sandbox.kraken.exchange import KrakenExchange
from venues.sandbox.kraken.keys import ApiKey
from venues.sandbox.kraken.listing import PAIRS, spec_of
from venues.sandbox.programs import HTML
from venues.types import Instrument, MarketEvent

if TYPE_CHECKING:
    from engine.sim.world import World

AUTHORITY = "kraken.invalid"
TICK_S = 0.25
KINDS = (
    *STRIKES,
    VenueFault.HANG_UP,
    VenueFault.FALSE_CHECKSUM,
    VenueFault.PENDING_CANCEL,
    VenueFault.CANCEL_ONLY,
)
WATCHED = tuple(rules for rules in RULES if rules.pair_id in HAND_LOTS)


def _error(text: str) -> bytes:
    return encode_response(json_response(msgspec.json.encode({"error": [text]})))


BUSY = _error("EService:Unavailable")
UNPROVED = ("EService:Unavailable", "EAPI:Invalid nonce")
"""Refusals that say nothing about the order."""
GARBAGE = (
    b"",
    b"\xff\xfe",
    b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{",
    BUSY,
    _error("EGeneral:Internal error"),
    encode_response(json_response(b"null")),
    encode_response(json_response(b'{"error":[]}')),
    encode_response(json_response(b'{"error":[],"result":{}}', 520)),
    encode_response(Response(502, {"content-type": "text/html"}, HTML)),
    encode_response(Response(200, {"content-type": "text/html"}, HTML)),
)
FRAMES = (b"", b"null", b"\xff\xfe", b'{"channel":"executions"', b'{"channel":"executions","data":[{}]}')
ORDER = b"POST /0/private/AddOrder "
CANCEL = b"POST /0/private/Cancel"
DIALECT = Dialect(
    is_order=lambda body: body.startswith(ORDER),
    is_word=lambda said: said.startswith(b"HTTP/1.1 200 ") and b'{"error":[]' in said,
    garbage=GARBAGE,
    frames=FRAMES,
)


def _key(who: str) -> tuple[str, str]:
    """Return a throw-away API key and its secret: the same in every process."""
    key, secret = (hashlib.sha512(f"simulator:{who}:{part}".encode()).digest() for part in ("key", "secret"))
    return base64.b64encode(key[:42]).decode(), base64.b64encode(secret).decode()


ASKS = frozenset({*k.READS, k.CLOSE, k.SOCKET})
KEYS = {who: _key(who) for who in ("engine", "asker", "watchdog")}
MAY = {"engine": ASKS | {k.TRADE}, "asker": ASKS, "watchdog": ASKS}


def _file(who: str, asker: str) -> KeyFile:
    (key, secret), (ask_key, ask_secret) = KEYS[who], KEYS[asker]
    return KeyFile(
        venue="kraken", account="trader", key=key, secret=secret, ask_key=ask_key, ask_secret=ask_secret
    )


class KrakenBourse:
    """One loopback Kraken, its market, and the account that the engine trades on."""

    name = "kraken"
    safety_s, liveness_s = 60.0, 240.0
    """A doubt lasts until the order's deadline and the lists' lag are over, and questions are few."""
    is_spot = refuses_locally = True
    secrets = tuple(secret.encode() for _, secret in KEYS.values())

    def __init__(self, world: World) -> None:
        self._world, seed = world, world.dice.plan.market_seed
        account = Account("trader", {"ZUSD": CASH_USD})
        keys = [ApiKey(key, secret, account.name, MAY[who]) for who, (key, secret) in KEYS.items()]
        self.double = KrakenExchange(world.true_clock, [account], keys, seed=seed, lag_ns=NS_PER_S)
        self.venue = KrakenTruth(self.double, account, world.true_clock)
        self.dice = VenueDice(world.seed, self.name, world.dice, KINDS)
        self.double.private.refuses = lambda asked: world.dice.strikes(Fault.VENUE_REJECTS)
        self.double.trading.part_of = Parts(world)
        specs = [spec_of(PAIRS[pair_id]) for pair_id in HAND_LOTS]
        self.feed = feed_of(world, specs)
        self._shown: dict[str, bytes] = {}

    @property
    def lag_ns(self) -> int:
        return self.double.private.lag_ns

    @lag_ns.setter
    def lag_ns(self, value: int) -> None:
        self.double.private.lag_ns = value

    @property
    def exchange(self) -> KrakenBourse:
        return self

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return self.venue.instruments

    # --- its time --------------------------------------------------------------------------------

    async def run_market(self) -> None:
        await asyncio.gather(run_prices(self.feed, self._on_market), self._keep_house())

    def _on_market(self, event: MarketEvent) -> None:
        self.venue.heard(event)
        self.double.on_market(event)

    async def _keep_house(self) -> None:
        """Let the venue do what it does by the clock, and what a fault makes it do."""
        loop, dice, trading = self._world.loop, self.dice, self.double.trading
        while True:
            await asyncio.sleep(TICK_S)
            self.double.advance()
            if dice.strikes(VenueFault.HANG_UP):
                self.double.sockets.close_all(1001)
            if dice.strikes(VenueFault.FALSE_CHECKSUM):
                self.double.sockets.false_checksums = 1
            if dice.strikes(VenueFault.PENDING_CANCEL):
                trading.cancel_pause_ns, seconds = 2 * NS_PER_S, self._lasts(VenueFault.PENDING_CANCEL)
                loop.call_later(seconds, setattr, trading, "cancel_pause_ns", 0)
            if dice.strikes(VenueFault.CANCEL_ONLY):
                trading.set_system("cancel_only")
                loop.call_later(self._lasts(VenueFault.CANCEL_ONLY), trading.set_system, "online")

    def _lasts(self, kind: VenueFault) -> float:
        """Draw for how many seconds a fault of the venue's house lasts."""
        return self.dice.stream(kind).uniform(1, 10)

    def settle(self) -> None:
        self.lag_ns = NS_PER_S
        self.double.trading.cancel_pause_ns = 0
        self.double.trading.set_system("online")

    def counts(self) -> Mapping[str, int]:
        return {str(kind): count for kind, count in self.dice.counts.items()}

    # --- requests --------------------------------------------------------------------------------

    async def handle(self, body: bytes) -> bytes:
        world = self._world
        if world.loop.time() < world.closed_until_s:
            return BUSY
        if body.startswith(CANCEL) and world.dice.strikes(Fault.CANCEL_FAILS):
            return BUSY
        found = decode_request(body)
        assert found is not None
        request = found[0]
        key = request.headers.get("api-key", "")
        if key and world.dice.strikes(Fault.RATE_LIMITED):
            now_ns = world.true_clock.now_ns()
            self.double.trading.budgets.exhaust(key, "trader", HAND_LOTS, now_ns)
        fault = self.dice.of_request()
        if fault is not None:
            self.double.program.add(fault)
        reply = await answer_of(self.double, request)
        self._note(body, reply.data)
        return await dripped(reply)

    def _note(self, body: bytes, data: bytes) -> None:
        """Put an answer on the trace, and remember an order that the exchange has truly refused."""
        said = data.partition(b"\r\n\r\n")[2]
        self._world.fact("venue", hashlib.sha256(body).hexdigest()[:16].encode() + b" " + said)
        left = self.left(body)
        if left is None:
            return
        try:
            errors = json.loads(said)["error"]
        except (ValueError, KeyError, TypeError):
            return
        if errors and not str(errors[0]).startswith(UNPROVED):
            self._world.refused.add(left.order.client_order_id)

    def left(self, frame: bytes) -> Left | None:
        if not frame.startswith(ORDER):
            return None
        return Left(*self.venue.read_order(frame.partition(b"\r\n\r\n")[2]))

    def cancelled(self, frame: bytes) -> Sequence[str]:
        if not frame.startswith(CANCEL):
            return ()
        fields = dict(parse_qsl(frame.partition(b"\r\n\r\n")[2].decode()))
        if "cl_ord_id" in fields:
            return (self.venue.ours(fields["cl_ord_id"]),)
        found = self.double.trading.orders.get(fields.get("txid", ""))
        return () if found is None else (self.venue.name_of(found),)

    def asks_for_all(self, frame: bytes) -> bool:
        return frame.startswith(CANCEL + b"All ")

    def number(self, frame: bytes) -> int | None:
        if not frame.startswith(b'{"channel":"executions"'):
            return None
        try:
            return int(json.loads(frame)["sequence"])
        except (ValueError, KeyError):
            return None  # damaged on its way

    # --- the adapter -----------------------------------------------------------------------------

    def enter(self, number: int) -> tuple[KrakenAdapter, DoubleWire]:
        wire = engine_wire(self._world, self.handle, DIALECT)
        return self._adapter(wire, _file("engine", "asker")), wire

    def enter_guard(self, on_sent: Callable[[bytes], None]) -> tuple[KrakenAdapter, DoubleWire]:
        wire = guard_wire(self._world, self.handle, on_sent, DIALECT)
        return self._adapter(wire, _file("watchdog", "watchdog")), wire

    def _adapter(self, wire: DoubleWire, key: KeyFile) -> KrakenAdapter:
        world = self._world
        wire.configure(
            self.double,
            _kind_of,
            self._on_push,
            lambda: world.loop.time() >= world.closed_until_s,
        )
        return KrakenAdapter(
            wire,
            AUTHORITY,
            wire.socket("auth", "/v2-auth", KRAKEN_SILENCE_S),
            wire.socket("", "/v2", KRAKEN_SILENCE_S),
            key,
            world.clock,
            bar_ns=round(BAR_S * NS_PER_S),
            lookup_lag_ns=LOOPBACK_LAG_NS,
            pairs=WATCHED,
        )

    def listening(self, adapter: object) -> int:
        assert isinstance(adapter, KrakenAdapter)
        return adapter.listening

    def learn_desk(self, core: Core) -> None:
        mark = core.store.facts.get(DESK_MARK)
        assert mark is not None
        self.venue.learn(mark)

    def _on_push(self, frame: bytes, kind: Kind) -> bytes:
        world = self._world
        if kind is Kind.OWN:
            world.fact("push", frame)
        elif kind is Kind.MARKET and frame.startswith(b'{"channel":"book"'):
            before, self._shown["book"] = self._shown.get("book", frame), frame
            if world.dice.strikes(Fault.BAD_MARKET):
                frame = _spoilt(frame, before, world)
                world.fact("spoilt", frame)
        return frame


def _kind_of(frame: bytes) -> Kind:
    if frame.startswith((b'{"channel":"book"', b'{"channel":"trade"')):
        return Kind.MARKET
    return Kind.OWN if frame.startswith(b'{"channel":"executions"') else Kind.CONTROL


def _spoilt(frame: bytes, before: bytes, world: World) -> bytes:
    """Return a book that the market never had; its checksum is left as it was."""
    said: dict[str, Any] = json.loads(frame)
    row = said["data"][0]
    bid = Decimal(str(row["bids"][0]["price"])) if row["bids"] else Decimal(1)
    ask = Decimal(str(row["asks"][0]["price"])) if row["asks"] else bid
    made = spoilt_prices(bid, ask, world.dice)
    if made is None:
        return before
    for side, price in (("bids", made.bid), ("asks", made.ask)):
        for level in row[side][:1]:
            level["price"] = float(price)
    row["symbol"] = made.name or row["symbol"]
    return json.dumps(said).encode()
