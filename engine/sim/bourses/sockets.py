"""Simulated connections to the double of a venue: HTTP requests, and WebSockets that break and come back.

The bytes are those of the real wire. What TCP promises is kept (what arrives, arrives in order, or the
connection ends); what a venue or its proxies may do besides (lose, repeat, swap, damage) is drawn.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from engine.sim.faults import Fault
from engine.sim.wires import Died, SimWire
from seams.web import BACKOFF_S
from seams.wire import FrameHandler, StateHandler, Unsent
from venues.sandbox.web import Conversation, Peer

TICK_S = 1e-6
"""What keeps two frames of one stream apart: timers of the same instant have no order."""


REPEAT_S = 0.25
"""How soon what did not get through is sent again below us."""


class Kind(StrEnum):
    """What a pushed frame is about."""

    MARKET = "market"
    OWN = "own"
    CONTROL = "control"


class DoubleWire(SimWire):
    """A `SimWire` to a double: its streams are the sockets that were made with `socket`."""

    def configure(
        self,
        peer: Peer,
        kind_of: Callable[[bytes], Kind],
        on_push: Callable[[bytes, Kind], bytes],
        is_serving: Callable[[], bool],
    ) -> DoubleWire:
        """`on_push` hears every frame that the exchange says, and returns what is carried of it; nobody gets
        a connection while `is_serving` says no."""
        self.peer, self.kind_of, self.on_push, self.is_serving = peer, kind_of, on_push, is_serving
        self.sockets: list[SimSocket] = []
        self._frames: list[tuple[Connection, bytes | None]] = []
        return self

    def socket(self, door: str, path: str, silence_s: float) -> SimSocket:
        """Return one stream, not yet started; it counts as broken after `silence_s` without a word."""
        made = SimSocket(self, door, path, silence_s)
        self.sockets.append(made)
        return made

    def open_stream(self) -> None:
        self.is_up = True
        for socket in self.sockets:
            socket.try_soon(0.0)

    def break_stream(self) -> None:
        self.is_up = False
        for socket in self.sockets:
            if socket.connection is not None:
                socket.connection.end()

    def carry(self, connection: Connection, frame: bytes) -> None:
        """Carry one pushed frame to the engine, or lose, repeat, delay, or damage it."""
        kind = self.kind_of(frame)
        frame = self.on_push(frame, kind)
        dice, loop = self._dice, asyncio.get_running_loop()
        waits_until_s = max(loop.time(), self.silent_until_s)
        if kind is Kind.MARKET:
            connection.due_s = max(connection.due_s + TICK_S, waits_until_s)
            self._at(connection.due_s, connection, frame)
            return
        if dice.strikes(Fault.PUSH_DROPPED):
            return
        if dice.strikes(Fault.PUSH_GARBAGE):
            frame = dice.stream("garbage").choice(self._dialect.frames)
        due_s = connection.own_due_s = max(connection.own_due_s + TICK_S, waits_until_s + self._latency_s())
        if dice.strikes(Fault.PUSH_REORDERED):
            due_s += dice.between(Fault.PUSH_REORDERED, 0.01, 2.0)
        self._at(due_s, connection, frame)
        if dice.strikes(Fault.PUSH_DUPLICATED):
            self._at(due_s + dice.between(Fault.PUSH_DUPLICATED, 0.0, 3.0), connection, frame)

    def _at(self, due_s: float, connection: Connection, frame: bytes) -> None:
        asyncio.get_running_loop().call_at(due_s, self.arrive, connection, frame)

    def arrive(self, connection: Connection, frame: bytes | None) -> None:
        """Let the engine take a frame (None: the end of the connection), once its process runs."""
        if self.is_frozen:
            self._frames.append((connection, frame))
        elif frame is None:
            connection.socket.lost(connection)
        elif self.is_deaf or connection.held:
            connection.held.append(frame)  # repeated below us until it gets through, or nobody waits any more
            if len(connection.held) == 1:
                self._try_again(connection)
        else:
            connection.socket.take(connection, frame)

    def _try_again(self, connection: Connection) -> None:
        if self.is_deaf:
            if connection.is_open:
                asyncio.get_running_loop().call_later(REPEAT_S, self._try_again, connection)
            return
        held, connection.held = connection.held, []
        for frame in held:
            self.arrive(connection, frame)

    def latency_s(self) -> float:
        """Draw how long one message is under way."""
        return self._latency_s()

    def thaw(self) -> None:
        self.is_frozen = False
        waiting, self._frames = self._frames, []
        for connection, frame in waiting:
            self.arrive(connection, frame)


class Connection:
    """One opening of one socket; a `Line` for the exchange."""

    def __init__(self, socket: SimSocket) -> None:
        self.socket = socket
        self.conversation: Conversation | None = None
        self.is_open = True
        self.number = 0
        """Which of its wire's openings this is."""
        self.due_s = self.own_due_s = self.said_due_s = 0.0
        self.held: list[bytes] = []

    def push(self, text: bytes) -> None:
        wire = self.socket.wire
        if wire.is_dead:
            self.hang_up()
        elif self.is_open:
            wire.carry(self, text)

    def close(self, code: int) -> None:
        self.end()

    def end(self) -> None:
        """The connection breaks; the engine notices once its process runs."""
        if self.is_open:
            self.hang_up()
            loop, wire = asyncio.get_running_loop(), self.socket.wire
            loop.call_soon(wire.arrive, self, None, context=contextvars.Context())

    def hang_up(self) -> None:
        """The exchange's side is told in its own time: it may be in the midst of telling everybody."""
        self.is_open = False
        if self.conversation is not None:
            conversation, self.conversation = self.conversation, None
            asyncio.get_running_loop().call_soon(conversation.gone, context=contextvars.Context())


class SimSocket:
    """A `MessageLink` to a double: opened again whenever it breaks, ever more slowly."""

    def __init__(self, wire: DoubleWire, door: str, path: str, silence_s: float) -> None:
        self.wire, self._door, self._path, self._silence_s = wire, door, path, silence_s
        self._on_frame: FrameHandler | None = None
        self._on_state: StateHandler | None = None
        self._context = contextvars.copy_context()
        self.connection: Connection | None = None
        self._is_closed = self._is_trying = False
        self._pause_s = BACKOFF_S[0]
        self._heard_s = self._opened_s = 0.0

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        self._on_frame, self._on_state = on_frame, on_state
        self._context = self.wire.context = contextvars.copy_context()
        self.wire.is_up = True
        self.try_soon(self.wire.latency_s())

    def send(self, frame: bytes) -> None:
        connection = self.connection
        if connection is None or not connection.is_open:
            raise Unsent("the stream is not open")
        loop = asyncio.get_running_loop()
        connection.said_due_s = max(connection.said_due_s + TICK_S, loop.time() + self.wire.latency_s())
        loop.call_at(connection.said_due_s, _said, connection, frame, context=contextvars.Context())

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.end()

    async def close(self) -> None:
        self._is_closed = True
        if self.connection is not None:
            self.connection.hang_up()
            self.connection = None
            self._tell(False)

    def try_soon(self, pause_s: float) -> None:
        """Try to open it after a while, unless that is under way."""
        if not self._is_trying and not self._is_closed and self._on_frame is not None:
            self._is_trying = True
            self._later(pause_s, self._try)

    def _try(self) -> None:
        """Open a connection, or try again later: no route, no answer to the handshake, or nobody there."""
        self._is_trying = False
        wire, now_s = self.wire, asyncio.get_running_loop().time()
        if wire.is_dead or self._is_closed or self.connection is not None:
            return
        is_routed = wire.is_up and wire.is_reachable and not wire.is_deaf and now_s >= wire.silent_until_s
        connection = Connection(self)
        if is_routed and wire.is_serving():
            opened = contextvars.Context().run(wire.peer.open, self._door, self._path, connection)
            connection.conversation = opened
        if connection.conversation is None:
            self.try_soon(self._pause_s)
            self._pause_s = min(2 * self._pause_s, BACKOFF_S[1])
            return
        self.connection, self._heard_s, self._opened_s = connection, now_s, now_s
        wire.opened += 1
        connection.number = wire.opened
        self._later(self._silence_s, self._listen, connection)
        self._tell(True)

    def _listen(self, connection: Connection) -> None:
        """A stream that says nothing at all for so long is broken."""
        quiet_s = asyncio.get_running_loop().time() - self._heard_s
        if connection is not self.connection:
            return
        if quiet_s >= self._silence_s:
            connection.end()
        else:
            self._later(max(TICK_S, self._silence_s - quiet_s), self._listen, connection)

    def take(self, connection: Connection, frame: bytes) -> None:
        """Hand a frame to the engine; one that its reader chokes on breaks the stream, aloud."""
        if connection is not self.connection or self.wire.is_dead or self._on_frame is None:
            return
        self._heard_s = asyncio.get_running_loop().time()
        with suppress(Died):
            try:
                self._context.copy().run(self._on_frame, frame)
            except Exception as error:
                said = {"message": "a message of the venue's stream was not understood", "exception": error}
                asyncio.get_running_loop().call_exception_handler(said)
                connection.end()
                return
            self.wire.delivering = connection.number
            self.wire.on_delivered(frame)

    def lost(self, connection: Connection) -> None:
        """The engine notices the end of a connection."""
        if connection is not self.connection:
            return
        self.connection = None
        now_s = asyncio.get_running_loop().time()
        if now_s - self._opened_s > self._silence_s:
            self._pause_s = BACKOFF_S[0]  # it stood for a while: this break is a new one
        if self.wire.is_dead:
            return
        self._tell(False)
        self.try_soon(self._pause_s)
        self._pause_s = min(2 * self._pause_s, BACKOFF_S[1])

    def _tell(self, is_up: bool) -> None:
        if self._on_state is not None:
            with suppress(Died):
                self._context.copy().run(self._on_state, is_up)

    def _later(self, pause_s: float, call: Callable[..., None], *args: object) -> None:
        asyncio.get_running_loop().call_later(pause_s, call, *args, context=self._context)


def _said(connection: Connection, frame: bytes) -> None:
    if connection.conversation is not None:
        connection.conversation.take(frame)
