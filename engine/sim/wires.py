"""Simulated links: the wire to the exchange, and the bus between engine and people.

What is delivered, lost, repeated or late is drawn here; the exchange's side runs in the world's own
tasks, so that a request goes on its way although the engine that sent it has died.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import NamedTuple

from engine.sim.faults import Dice, Fault
from seams.net import Handler, NetDown, NoAnswer, matches
from seams.wire import FrameHandler, Lost, MayLeave, StateHandler, Unsent, always

BASE_LATENCY_S = (0.002, 0.04)
CONNECT_S = (0.0005, 0.01)
CLOGGED_S = (0.05, 6.0)
"""How long a connection takes to open, mostly and at its worst: a kill or a hold may come meanwhile."""
LATE_S = (0.05, 12.0)
ORDER, REFUSAL = b'"type":"place"', b'{"type":"refusal"'
"""What tells an order among requests, and a refusal among answers."""


class Dialect(NamedTuple):
    """How one exchange's bytes look from outside."""

    is_order: Callable[[bytes], bool]
    is_word: Callable[[bytes], bool]
    """Tells an answer that says something from one that only turns us away."""
    garbage: tuple[bytes, ...]
    """What may come instead of an answer: nothing that the exchange would say of a request it judged."""
    frames: tuple[bytes, ...]
    """What may come instead of a pushed frame."""


GARBAGE = (
    b"",
    b"null",
    b"<html>502 Bad Gateway</html>",
    b'{"type":"done"',
    b"\xff\xfe",
    b'{"type":"done","at_ns":"x"}',
)
SANDBOX = Dialect(
    is_order=lambda body: ORDER in body,
    is_word=lambda said: not said.startswith(REFUSAL),
    garbage=GARBAGE,
    frames=GARBAGE,
)


class Died(BaseException):
    """The engine process ends here, as by kill -9; nothing of it runs on."""


Spawn = Callable[[Coroutine[None, None, None]], None]


class SimWire:
    """A `Wire` between one engine incarnation and the exchange."""

    def __init__(
        self,
        dice: Dice,
        handle: Callable[[bytes], Awaitable[bytes]],
        spawn: Spawn,
        on_sent: Callable[[bytes], None],
        crash: Callable[[str], None],
        on_clogged: Callable[[float], None] = lambda seconds: None,
        dialect: Dialect = SANDBOX,
    ) -> None:
        """`on_clogged` hears of an order that waits so long for its connection."""
        self._dialect = dialect
        self._dice, self._handle, self._spawn = dice, handle, spawn
        self._on_sent, self._crash, self._on_clogged = on_sent, crash, on_clogged
        self.on_delivered: Callable[[bytes], None] = lambda frame: None
        """Called with every frame right after the engine has taken it."""
        self.answered_s = 0.0
        """When the exchange last answered a request with more than a refusal."""
        self._on_frame: FrameHandler | None = None
        self._on_state: StateHandler | None = None
        self.context = contextvars.copy_context()
        """In what the engine's side runs."""
        self.is_dead = False
        self.is_up = False
        self.opened = 0
        """How often a stream was opened."""
        self.delivering = 0
        """Of which opening the frame is that is being delivered."""
        self.is_reachable = True
        self.is_deaf = False
        """Requests arrive, answers do not (an asymmetric partition)."""
        self.silent_until_s = 0.0
        self._last_due_s = 0.0
        self.is_frozen = False
        """The engine's process is stopped: frames wait in the socket."""
        self._waiting: list[bytes] = []

    def start(self, on_frame: FrameHandler, on_state: StateHandler) -> None:
        self._on_frame, self._on_state = on_frame, on_state
        self.context = contextvars.copy_context()
        self.open_stream()

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        dice = self._dice
        is_order = self._dialect.is_order(body)
        room = "wire.order" if is_order else "wire"
        timeout_s -= await self._connect(timeout_s, room)
        if not may_leave():
            raise Unsent("the gate closed before the first byte")
        self._on_sent(body)
        self._crash(f"{room}.sent")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        copies = 2 if dice.strikes(Fault.REQUEST_DUPLICATED) else 1
        if dice.strikes(Fault.REQUEST_DROPPED) or (is_order and dice.strikes(Fault.ORDER_DROPPED)):
            copies = 0
        for _ in range(copies):
            self._spawn(self._carry(body, answer))
        try:
            # Not wait_for: in 3.11 it swallows a cancel that meets its answer, and the dead would live on.
            async with asyncio.timeout(timeout_s):
                said = await answer
        except TimeoutError as error:
            raise Lost("no answer") from error
        self._crash(f"{room}.answered")
        if dice.strikes(Fault.ANSWER_GARBAGE):
            return dice.stream("garbage").choice(self._dialect.garbage)
        return said

    async def close(self) -> None:
        self.is_dead = True

    async def _connect(self, timeout_s: float, room: str) -> float:
        """Open a connection as a real wire does before each request; return how long it took."""
        is_order, strikes = room == "wire.order", self._dice.strikes
        is_clogged = strikes(Fault.CONNECT_CLOGGED) or (is_order and strikes(Fault.ORDER_CLOGGED))
        least_s, most_s = CLOGGED_S if is_clogged else CONNECT_S
        took_s: float = least_s * (most_s / least_s) ** self._dice.stream("connect").random()
        if is_clogged and is_order:
            self._on_clogged(min(took_s, timeout_s))
        await asyncio.sleep(min(took_s, timeout_s))
        if self.is_dead or not self.is_reachable or took_s >= timeout_s:
            raise Unsent("no route to the exchange")
        self._crash(f"{room}.connected")
        return took_s

    async def _carry(self, body: bytes, answer: asyncio.Future[bytes]) -> None:
        """One copy of a request on its way there, and its answer on the way back."""
        await asyncio.sleep(self._latency_s())
        said = await self._handle(body)
        lost = self._dice.strikes(Fault.RESPONSE_DROPPED) or self.is_deaf
        lost = lost or (self._dialect.is_order(body) and self._dice.strikes(Fault.ORDER_UNANSWERED))
        await asyncio.sleep(self._latency_s())
        if not lost and not answer.done() and not self.is_dead:
            if self._dialect.is_word(said):
                self.answered_s = asyncio.get_running_loop().time()
            answer.set_result(said)

    def _latency_s(self) -> float:
        if self._dice.strikes(Fault.RESPONSE_DELAYED):
            # Mostly a fraction of a second; now and then longer than anybody waits.
            return LATE_S[0] + LATE_S[1] * self._dice.stream(Fault.RESPONSE_DELAYED).random() ** 24
        return self._dice.stream("latency").uniform(*BASE_LATENCY_S)

    # --- the stream ------------------------------------------------------------------------------

    def open_stream(self) -> None:
        """The stream opens (anew): the engine hears so and must ask for what it missed."""
        self.is_up = True
        self.opened += 1
        self._tell_state(True)

    def break_stream(self) -> None:
        self.is_up = False
        self._waiting.clear()
        self._tell_state(False)

    def push(self, frame: bytes, *, is_market: bool) -> None:
        """Carry one pushed frame to the engine, or lose, repeat, delay, or damage it."""
        dice, loop = self._dice, asyncio.get_running_loop()
        if self.is_dead or not self.is_up or self._on_frame is None:
            return
        if self.is_deaf or loop.time() < self.silent_until_s:
            return
        if is_market:
            loop.call_soon(self._deliver, frame)
            return
        if dice.strikes(Fault.PUSH_DROPPED):
            return
        if dice.strikes(Fault.PUSH_GARBAGE):
            frame = dice.stream("garbage").choice(self._dialect.frames)
        due_s = max(self._last_due_s, loop.time() + self._latency_s())
        if dice.strikes(Fault.PUSH_REORDERED):
            loop.call_at(due_s + dice.between(Fault.PUSH_REORDERED, 0.01, 2.0), self._deliver, frame)
        else:
            self._last_due_s = due_s
            loop.call_at(due_s, self._deliver, frame)
        if dice.strikes(Fault.PUSH_DUPLICATED):
            loop.call_at(due_s + dice.between(Fault.PUSH_DUPLICATED, 0.0, 3.0), self._deliver, frame)

    def thaw(self) -> None:
        """The process goes on and reads what has come."""
        self.is_frozen = False
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self._deliver(frame)

    def _deliver(self, frame: bytes) -> None:
        if self.is_frozen:
            self._waiting.append(frame)
            return
        if not self.is_dead and self.is_up and self._on_frame is not None:
            with suppress(Died):
                self.context.run(self._on_frame, frame)
                self.delivering = self.opened
                self.on_delivered(frame)

    def _tell_state(self, is_up: bool) -> None:
        if not self.is_dead and self._on_state is not None:
            self.context.run(self._on_state, is_up)


class SimBus:
    """A `Net` whose handlers run in tasks of the process that subscribed; a process can die."""

    def __init__(self, spawn_in: Callable[[contextvars.Context, Coroutine[None, None, None]], None]) -> None:
        self._spawn_in = spawn_in
        self._handlers: list[tuple[str, Handler, contextvars.Context, str]] = []
        self.is_up = True
        self.on_message: Callable[[str, bytes], None] = lambda subject, body: None
        """Called with everything that goes over the bus."""

    def port(self, owner: str) -> BusPort:
        """Return the connection of one process."""
        return BusPort(self, owner)

    def drop(self, owner: str) -> None:
        """A process has died: nobody answers for it."""
        self._handlers = [entry for entry in self._handlers if entry[3] != owner]

    def add(self, subject: str, handler: Handler, owner: str) -> None:
        self._handlers.append((subject, handler, contextvars.copy_context(), owner))

    def send(self, subject: str, body: bytes) -> list[asyncio.Future[bytes | None]]:
        """Hand a message to every subscriber; each answers in its own time."""
        self.on_message(subject, body)
        loop = asyncio.get_running_loop()
        answers = []
        for pattern, handler, context, _ in list(self._handlers):
            if matches(pattern, subject):
                answer: asyncio.Future[bytes | None] = loop.create_future()
                self._spawn_in(context, _answer(handler, subject, body, answer))
                answers.append(answer)
        return answers


class BusPort:
    """One process's end of the bus."""

    def __init__(self, bus: SimBus, owner: str) -> None:
        self._bus, self._owner = bus, owner

    @property
    def is_connected(self) -> bool:
        return self._bus.is_up

    async def publish(self, subject: str, body: bytes) -> None:
        if not self._bus.is_up:
            raise NetDown("the bus is down")
        self._bus.send(subject, body)

    async def request(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        if not self._bus.is_up:
            raise NetDown("the bus is down")
        answers = self._bus.send(subject, body)
        if not answers:
            raise NoAnswer(f"no responder for {subject}")
        done, _ = await asyncio.wait(answers, timeout=timeout_s)
        for answer in answers:
            if answer in done and (said := answer.result()) is not None:
                return said
        raise NoAnswer(f"no answer on {subject}")

    async def subscribe(self, subject: str, handler: Handler) -> None:
        self._bus.add(subject, handler, self._owner)

    async def close(self) -> None:
        self._bus.drop(self._owner)


async def _answer(handler: Handler, subject: str, body: bytes, answer: asyncio.Future[bytes | None]) -> None:
    said = await handler(subject, body)
    if not answer.done():
        answer.set_result(said)
