"""An engine that may be armed, over loopback exchanges that stand in for the real ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.api.arming import ArmAsk, ArmConfirm, ArmingView
from engine.api.commands import Command
from engine.api.drills import DRILL_KINDS
from engine.arming import ArmingDesk
from engine.arming_rules import MUST_BE_SET
from engine.daemon import Engine, Seams, build_core
from engine.keeping import Parts, parts_of
from engine.ops import drill_evidence
from engine.trading.custody import Custody
from safety.killbyte import KillByte
from safety.principals import OperatorKey, enrol
from seams.clock import NS_PER_S, Clock
from seams.disk import MemoryDisk
from seams.rng import Rng
from seams.virtual import VirtualLoop, run_virtual
from seams.wire import Caller, FrameHandler, MayLeave, MessageLink, StateHandler, always
from tests.venues import kraken_desk
from tests.venues import test_hyperliquid_adapter as hl
from venues.keyfile import KeyFile
from venues.sandbox.inprocess import PeerCaller, PeerLink
from venues.sandbox.web import Peer
from venues.types import OrderRequest, OrderType, Side, TimeInForce

TESTNET = "https://api.hyperliquid-testnet.xyz"
ANN, BOB = "k-ann", "k-bob"


class Wires:
    """A transport to a loopback exchange under a real venue's address; it keeps what went where."""

    def __init__(self, peer: Peer, clock: Clock, doors: dict[str, tuple[str, str]]) -> None:
        self._peer, self._clock, self._doors = peer, clock, doors
        self.called: list[str] = []
        self.opened: list[str] = []

    def caller(self, url: str, venue: str) -> Caller:
        inner, called = PeerCaller(self._peer, self._clock), self.called

        class Counted:
            async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
                called.append(url + body.split(b" ", 2)[1].decode())
                return await inner.call(body, timeout_s, may_leave)

            async def close(self) -> None: ...

        return Counted()

    def link(self, url: str, clock: Clock, silence_s: float = 1.0) -> MessageLink:
        door, path = self._doors[url]
        inner, opened = PeerLink(self._peer, door, path, clock), self.opened

        class Counted(PeerLink):
            def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
                opened.append(url)
                inner.start(on_frame, on_state)

            def send(self, frame: bytes) -> None:
                inner.send(frame)

            async def close(self) -> None:
                await inner.close()

        return Counted(self._peer, door, path, clock)


class Place:
    """An engine that is configured for a real venue, and that venue, in one virtual world."""

    def __init__(self, folder: Path, loop: VirtualLoop, key: KeyFile = hl.KEY, **environ: str) -> None:
        self.rig = hl.Rig(loop)
        self.clock = self.rig.clock
        self.venue = key.venue
        if key.venue == "kraken":
            self.kraken = kraken_desk.Desk(self.clock)
            doors = {
                "wss://ws-auth.kraken.com/v2": ("auth", "/v2"),
                "wss://ws.kraken.com/v2": ("public", "/v2"),
            }
            self.wires = Wires(self.kraken.exchange, self.clock, doors)
        else:
            doors = {f"wss://api.hyperliquid{net}.xyz/ws": ("", "/ws") for net in ("-testnet", "")}
            self.wires = Wires(self.rig.exchange, self.clock, doors)
        self.folder, self.disk = folder, MemoryDisk()
        (folder / "db").mkdir(mode=0o700)
        self.key = folder / "key.json"
        self.key.write_bytes(msgspec.json.encode(key))
        self.key.chmod(0o600)
        self.environ = {
            "INTERLOCK_ENGINE__MODE": "live",
            "INTERLOCK_ENGINE__ENVIRONMENT": "testnet",
            "INTERLOCK_EXECUTION__VENUE_KEY_FILE": str(self.key),
            "INTERLOCK_EXECUTION__ALLOWED_VENUES": f'["{key.venue}"]',
            "INTERLOCK_EXECUTION__ALLOWED_SYMBOLS": '["BTC-PERP"]',
            "INTERLOCK_EXECUTION__ALLOWED_STRATEGIES": '["ema_cross"]',
            **environ,
        }
        self.origins = dict.fromkeys(MUST_BE_SET, "config/interlock.yaml of this desk")
        self.engine = self.build()

    def build(self) -> Engine:
        seams = Seams(self.clock, None, Rng(1), self.disk, pid=1, commit="0" * 40)
        core = build_core(seams, self.folder, self.environ, KillByte.anonymous())
        self.parts: Parts = parts_of(core, self.wires)
        parts = self.parts
        engine = Engine(core, parts.venue, parts.account, evidence=parts.evidence, arming=parts.arming)
        engine.recover()
        assert engine.arming is not None
        engine.arming.origins = lambda: self.origins
        return engine

    @property
    def desk(self) -> ArmingDesk:
        assert self.engine.arming is not None
        return self.engine.arming

    @property
    def custody(self) -> Custody:
        assert self.engine.custody is not None
        return self.engine.custody

    def ready(self) -> None:
        """Bring everything that arming wants of the desk itself."""
        core, exchange = self.engine.core, self.rig.exchange
        for number, agent in enumerate((hl.AGENT, hl.ASKER)):  # the venue tells the end of a named agent
            exchange.add_agent(hl.MASTER.address, agent.address, f"a{number}")
        for name in ("ann", "bob"):
            key = OperatorKey(name.encode().ljust(32, b"!"))
            enrol(core.disk, core.paths.operators, name, key.public_key, 1)
        for kind in DRILL_KINDS:
            drill = drill_evidence.Drill(
                kind=kind,
                scope="rehearsal",
                ok=True,
                problem="",
                operator="ann",
                reason="monthly",
                began_ns=core.clock.now_ns() - NS_PER_S,
                goals=(),
                facts={},
                engine_version="1",
                commit="0",
                kernel_sha256=core.kernel_sha256,
            )
            drill_evidence.keep(core.paths.outputs, core.disk, drill_evidence.seal(drill, None))

    async def turn(self, seconds: float = 1.0) -> None:
        """Let the main loop's part of it run, and custody's."""
        self.desk.tend()
        if self.custody.is_open():
            await self.custody.tend()
        await self.clock.sleep(seconds)

    async def act(self, body: Any, operator: str, principal: str, reason: str = "first orders") -> ArmingView:
        command = Command(
            request_id="r", operator=operator, reason=reason, epoch=1, expires_at_ns=0, body=body
        )
        found = await self.desk.act(command, principal)
        assert isinstance(found, ArmingView)
        return found

    async def ask(self) -> ArmingView:
        asked = await self.act(ArmAsk(), "ann", ANN)
        for _ in range(8):
            await self.turn()
        return asked

    async def arm(self) -> ArmingView:
        self.ready()
        asked = await self.ask()
        return await self.act(ArmConfirm(hash=asked.hash, phrase=asked.phrase), "bob", BOB)

    @property
    def actions(self) -> list[str]:
        return [url for url in self.wires.called if url.endswith(("/exchange", "AddOrder"))]

    async def close(self) -> None:
        await self.custody.venue.close()
        self.engine.core.store.close()


def in_place(folder: Path, scene: Callable[[Place], Awaitable[None]], **given: Any) -> None:
    loop = VirtualLoop()

    async def play() -> None:
        place = Place(folder, loop, **given)
        await scene(place)
        await place.close()

    run_virtual(play(), loop)


def order(name: str = "O-1-0001") -> OrderRequest:
    return OrderRequest(
        client_order_id=name,
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=Decimal("0.001"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(59_000),
        time_in_force=TimeInForce.GTC,
        reduce_only=False,
        mark_price=Decimal(60_000),
    )
