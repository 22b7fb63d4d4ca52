"""The TCP wire: what an error proves about a request, the last look before the first byte, the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from seams.clock import SystemClock
from seams.tcp import TcpWire
from seams.wire import Lost, Unsent
from tests.survival.conftest import eventually

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(work: Peer) -> AsyncIterator[TcpWire]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await work(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    wire = TcpWire("127.0.0.1", server.sockets[0].getsockname()[1], b"open", SystemClock())
    try:
        yield wire
    finally:
        await wire.close()
        server.close()


async def test_an_answer_comes_back_whole() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"you said " + await reader.readline())

    async with peer(echo) as wire:
        assert await wire.call(b"hello", 2.0) == b"you said hello"


async def test_no_listener_means_that_nothing_left() -> None:
    async with peer(_never) as wire:
        port = wire._port
    with pytest.raises(Unsent):
        await TcpWire("127.0.0.1", port, b"", SystemClock()).call(b"hello", 1.0)


async def _never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("said", [b"", b"half an answ"])
async def test_a_cut_or_torn_answer_is_lost_not_unsent(said: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)

    async with peer(cut) as wire:
        with pytest.raises(Lost):
            await wire.call(b"hello", 2.0)


async def test_silence_ends_at_the_outer_deadline() -> None:
    heard: list[bytes] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(b"a byte now and then")  # bytes that trickle must not extend the deadline
        await asyncio.sleep(5)

    loop = asyncio.get_running_loop()
    async with peer(silent) as wire:
        began = loop.time()
        with pytest.raises(Lost):
            await wire.call(b"hello", 0.3)
        assert loop.time() - began < 4.5, "before the peer ends it"
        assert heard == [b"hello\n"]


async def test_a_gate_that_closes_while_it_connects_lets_no_byte_out() -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async with peer(listen) as wire:
        with pytest.raises(Unsent):
            await wire.call(b"an order", 2.0, lambda: False)
        await asyncio.sleep(0.1)
        assert heard == [b""]


async def test_a_broken_stream_is_opened_again_and_says_so() -> None:
    times = 0

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal times
        times += 1
        assert await reader.readline() == b"open\n"
        writer.write(b"\nframe %d\n" % times)
        await writer.drain()

    told: list[bytes | bool] = []
    async with peer(stream) as wire:
        wire.start(told.append, told.append)
        await eventually(lambda: told.count(False) >= 2)
    assert told[:6] == [True, b"frame 1", False, True, b"frame 2", False]


async def test_a_frame_that_its_reader_chokes_on_breaks_the_stream() -> None:
    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"\nbad\n")
        await reader.read()

    def choke(frame: bytes) -> None:
        raise ZeroDivisionError

    states: list[bool] = []
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    async with peer(stream) as wire:
        wire.start(choke, states.append)
        await eventually(lambda: False in states)
    assert states[:2] == [True, False]
    assert isinstance(complaints[0]["exception"], ZeroDivisionError)
