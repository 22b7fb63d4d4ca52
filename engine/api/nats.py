"""The bus over NATS: one connection that never buffers a command it cannot send now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import (
    ConnectionClosedError,
    ConnectionReconnectingError,
    NoRespondersError,
    OutboundBufferLimitError,
    StaleConnectionError,
)

from seams.net import Handler, NetDown, NoAnswer

_DOWN = (
    ConnectionClosedError,
    ConnectionReconnectingError,
    OutboundBufferLimitError,
    StaleConnectionError,
    OSError,
)

CLOSE_TIMEOUT_S = 2.0
T = TypeVar("T")


class NatsNet:
    """A `Net` over one NATS connection. `pending_size=-1`: disconnected means refused, not queued."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def connect(
        cls,
        url: str,
        user: str,
        password: str,
        name: str,
        on_change: Callable[[bool], None] | None = None,
        timeout_s: float = 2.0,
    ) -> NatsNet:
        """Open the connection. Raises `NetDown`; calls `on_change(is_connected)` on every change later."""

        async def up() -> None:
            if on_change is not None:
                on_change(True)

        async def down() -> None:
            if on_change is not None:
                on_change(False)

        async def ignore(_: Exception) -> None:
            """Connection errors show through `on_change` and through each call's own failure."""

        client = Client()
        try:
            opening = client.connect(
                url,
                user=user,
                password=password,
                name=name,
                connect_timeout=timeout_s,  # type: ignore[arg-type]  # floats work; the stub says int
                reconnect_time_wait=0.2,  # type: ignore[arg-type]
                max_reconnect_attempts=-1,
                allow_reconnect=True,
                pending_size=-1,
                ping_interval=1,
                max_outstanding_pings=2,
                error_cb=ignore,
                disconnected_cb=down,
                reconnected_cb=up,
                closed_cb=down,
                flush_timeout=2,
            )
            # nats-py retries a refused credential for ever; the deadline here is ours.
            await _heeded(asyncio.wait_for(opening, timeout_s + 1.0))
        except (nats.errors.Error, OSError, TimeoutError) as error:
            await _close(client)
            why = getattr(error, "strerror", None) or str(error) or "nothing answers there"
            raise NetDown(f"cannot reach the bus: {why}") from error
        return cls(client)

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected

    async def publish(self, subject: str, body: bytes) -> None:
        try:
            await self._client.publish(subject, body)
        except _DOWN as error:
            raise NetDown("the bus is down; nothing was sent") from error

    async def request(self, subject: str, body: bytes, timeout_s: float) -> bytes:
        try:
            message = await _heeded(self._client.request(subject, body, timeout=timeout_s))
        except NoRespondersError as error:
            raise NetDown("no engine listens on the bus") from error
        except (TimeoutError, nats.errors.TimeoutError) as error:
            # First: TimeoutError is an OSError too, and "not answered" must never read as "not sent".
            raise NoAnswer(f"no answer within {timeout_s:g} s") from error
        except _DOWN as error:
            raise NetDown("the bus is down; nothing was sent") from error
        return bytes(message.data)

    async def subscribe(self, subject: str, handler: Handler) -> None:
        async def receive(message: Msg) -> None:
            reply = await handler(message.subject, bytes(message.data))
            if reply is not None and message.reply:
                await message.respond(reply)

        await self._client.subscribe(subject, cb=receive)
        await self._client.flush()

    async def close(self) -> None:
        """Give the connection up within `CLOSE_TIMEOUT_S`; raises only when its caller is cancelled."""
        await _close(self._client)


async def _heeded(call: Awaitable[T]) -> T:
    """Await a call of the library; raise the cancellation that it may have swallowed.

    Its waits are `asyncio.wait_for`, which in Python 3.11 returns the answer, and drops the cancellation,
    where both come in one turn of the loop. A caller under `asyncio.timeout` would then never be stopped.
    """
    task = asyncio.current_task()
    assert task is not None, "awaited outside a task"
    before = task.cancelling()
    found = await call
    if task.cancelling() > before:
        raise asyncio.CancelledError
    return found


async def _close(client: Client) -> None:
    """Close a client whatever state it is in.

    Closing during the first moment of a reconnection, the library cancels its own task, and with it the
    future on which the stream's end is awaited; then it awaits that future itself and reports a
    cancellation that nobody asked for. Waiting beside the closing task tells that one from our caller's.
    """
    closing = asyncio.ensure_future(client.close())
    try:
        await asyncio.wait({closing}, timeout=CLOSE_TIMEOUT_S)
    finally:
        if not closing.done():
            closing.cancel()
        elif not closing.cancelled():
            closing.exception()  # looked at: a connection given up has nothing left to say
