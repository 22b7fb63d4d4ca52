"""Connections that outlast a request: none of it is ever sent again, and no answer is another request's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from seams import caller as caller_module
from seams.caller import HttpCaller
from seams.http import (
    Request,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    json_response,
)
from seams.wire import Lost, Unsent
from tests.survival.conftest import eventually

CLOSE = None
"""A server's word: it closes the connection now."""
Turn = Callable[[Request], list[bytes | float | None]]


class Server:
    """Answers by the turns it was given, then with what it was asked; counts its connections."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.seen: list[bytes] = []
        self.sockets: list[socket.socket] = []
        self.connections = self.open = 0

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.sockets.append(writer.get_extra_info("socket"))
        self.open += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        self.open -= 1
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = b""
        while True:
            while (found := decode_request(data)) is None:
                more = await reader.read(65_536)
                if not more:
                    return
                data += more
            request, data = found[0], data[found[1] :]
            self.seen.append(request.body)
            turn = self.turns.pop(0) if self.turns else lambda asked: [said(asked.body)]
            for act in turn(request):
                if act is CLOSE:
                    return
                if isinstance(act, float):
                    await asyncio.sleep(act)
                else:
                    writer.write(act)


def said(body: bytes) -> bytes:
    return encode_response(json_response(b'{"said":"' + body + b'"}'))


def asking(name: str) -> bytes:
    return encode_request("POST", "/", "x", {}, name.encode())


async def ask(caller: HttpCaller, name: str, timeout_s: float = 5.0) -> bytes:
    answer = decode_response(await caller.call(asking(name), timeout_s), is_at_end=True)
    assert answer is not None
    return answer.body


@asynccontextmanager
async def hall() -> AsyncIterator[tuple[Server, HttpCaller]]:
    server = Server()
    listening = await asyncio.start_server(server.client, "127.0.0.1", 0)
    caller = HttpCaller(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    try:
        yield server, caller
    finally:
        await caller.close()
        listening.close()


async def test_one_connection_serves_one_request_after_another() -> None:
    async with hall() as (server, caller):
        for number in range(20):
            assert await ask(caller, f"{number}") == b'{"said":"%d"}' % number
        assert server.connections == 1
        together = await asyncio.gather(*(ask(caller, f"t{number}") for number in range(8)))
        assert together == [b'{"said":"t%d"}' % number for number in range(8)]
        assert server.connections == 8, "two requests never share one at a time"
        await eventually(lambda: server.open == caller_module.MOST_IDLE)


async def test_a_connection_that_died_while_idle_is_replaced_and_the_request_arrives_once() -> None:
    async with hall() as (server, caller):
        server.turns = [lambda asked: [said(asked.body), CLOSE]]
        await ask(caller, "first")
        await eventually(lambda: server.open == 0)
        assert await ask(caller, "second") == b'{"said":"second"}'
        assert server.seen == [b"first", b"second"] and server.connections == 2


async def test_an_end_that_is_still_in_the_socket_is_seen_before_the_first_byte() -> None:
    """The loop has not read it yet: it lies between the last turn of the loop and the write."""
    async with hall() as (server, caller):
        await ask(caller, "first")
        line = caller._idle[0]
        server.sockets[0].shutdown(socket.SHUT_RDWR)
        assert not line.is_usable() and not line._is_over
        assert await ask(caller, "second") == b'{"said":"second"}'
        assert server.seen == [b"first", b"second"] and server.connections == 2


async def test_words_that_nobody_asked_for_are_no_answer() -> None:
    async with hall() as (server, caller):
        late = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"
        server.turns = [lambda asked: [said(asked.body), 0.05, late]]
        await ask(caller, "first")
        await asyncio.sleep(0.2)
        assert await ask(caller, "second") == b'{"said":"second"}'
        assert server.connections == 2


async def test_more_than_an_answer_ends_the_connection() -> None:
    async with hall() as (server, caller):
        server.turns = [lambda asked: [said(asked.body) + said(b"a stranger's")]]
        await ask(caller, "first")
        assert await ask(caller, "second") == b'{"said":"second"}'
        assert server.connections == 2


@pytest.mark.parametrize(
    "turn",
    [
        lambda asked: [CLOSE],
        lambda asked: [said(asked.body)[:-3], CLOSE],
        lambda asked: [said(asked.body)[:20], 5.0],
        lambda asked: [5.0],
    ],
    ids=["closed", "cut", "stalls", "silent"],
)
async def test_what_fails_after_the_first_byte_is_lost_and_never_sent_again(turn: Turn) -> None:
    async with hall() as (server, caller):
        await ask(caller, "warm")
        server.turns = [turn]
        with pytest.raises(Lost) as lost:
            await ask(caller, "order", 0.4)
        assert str(lost.value) in (
            "no whole answer: the connection was cut before its first line was whole",
            "no whole answer: the connection was cut in its midst",
            "nothing whole came within 0.4 s",
        ), "an operator reads it, in an alarm or on a ticket"
        assert server.seen == [b"warm", b"order"] and server.connections == 1
        assert await ask(caller, "next") == b'{"said":"next"}', "on another connection"
        assert server.seen == [b"warm", b"order", b"next"] and server.connections == 2


async def test_an_answer_that_comes_too_late_is_read_by_nobody() -> None:
    async with hall() as (server, caller):
        server.turns = [lambda asked: [0.3, said(b"late")]]
        with pytest.raises(Lost):
            await ask(caller, "slow", 0.1)
        assert await ask(caller, "next") == b'{"said":"next"}'
        await asyncio.sleep(0.4)
        assert await ask(caller, "last") == b'{"said":"last"}'


async def test_whoever_gives_up_leaves_no_answer_behind() -> None:
    async with hall() as (server, caller):
        server.turns = [lambda asked: [0.2, said(b"nobody's")]]
        waiting = asyncio.ensure_future(ask(caller, "first"))
        await eventually(lambda: server.seen == [b"first"])
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await ask(caller, "second") == b'{"said":"second"}'


async def test_a_closed_gate_sends_nothing_on_a_warm_connection() -> None:
    async with hall() as (server, caller):
        await ask(caller, "warm")
        with pytest.raises(Unsent):
            await caller.call(asking("order"), 2.0, lambda: False)
        await asyncio.sleep(0.1)
        assert server.seen == [b"warm"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n",
    ],
    ids=["says close", "1.0", "a trailer"],
)
async def test_what_may_not_go_on_does_not(answer: bytes) -> None:
    async with hall() as (server, caller):
        server.turns = [lambda asked: [answer]]
        assert await ask(caller, "first") == b"{}"
        await ask(caller, "second")
        assert server.connections == 2


async def test_an_idle_connection_ends_by_itself_and_with_its_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(caller_module, "IDLE_S", 0.1)
    async with hall() as (server, caller):
        await ask(caller, "first")
        await eventually(lambda: server.open == 0)
        assert await ask(caller, "second") == b'{"said":"second"}'
        await caller.close()
        await eventually(lambda: server.open == 0)
        assert await ask(caller, "after") == b'{"said":"after"}'
        await eventually(lambda: server.open == 0)
