"""HTTP and WebSocket: whole messages from torn bytes, and what an error proves about a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seams.caller import HttpCaller
from seams.clock import SystemClock
from seams.http import (
    Request,
    Response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    json_response,
)
from seams.web import Address, WebSocketLink
from seams.websocket import FrameReader, Op, accept_key, encode_frame
from seams.wire import Lost, Unsent
from tests.survival.conftest import eventually
from venues.sandbox.programs import Fault, Program, Reply, Strike, carried_out
from venues.sandbox.web import Conversation, Line, Shell

ORDER = encode_request("POST", "/order", "x", {}, b"buy=1")


def test_a_request_is_read_from_any_pieces() -> None:
    assert all(decode_request(ORDER[:cut]) is None for cut in range(len(ORDER)))
    found = decode_request(ORDER + b"GET")
    assert found is not None
    request, size = found
    assert (request.method, request.path, request.body, size) == ("POST", "/order", b"buy=1", len(ORDER))


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
        b"a" * 40_000,
    ],
)
def test_what_is_no_request_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError):
        decode_request(bad)


def test_a_header_cannot_smuggle_a_second_one() -> None:
    with pytest.raises(ValueError):
        encode_request("GET", "/", "x", {"a": "1\r\nAPI-Key: k"}, b"")


def test_an_answer_by_length_by_chunks_and_until_the_end() -> None:
    whole = encode_response(json_response(b'{"a":1}'))
    assert all(decode_response(whole[:cut], is_at_end=False) is None for cut in range(len(whole)))
    assert decode_response(whole, is_at_end=False).body == b'{"a":1}'  # type: ignore[union-attr]
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    assert all(decode_response(chunked[:cut], is_at_end=False) is None for cut in range(len(chunked)))
    assert decode_response(chunked, is_at_end=False).body == b"abcde"  # type: ignore[union-attr]
    endless = b"HTTP/1.0 200 OK\r\n\r\nabc"
    assert decode_response(endless, is_at_end=False) is None
    assert decode_response(endless, is_at_end=True).body == b"abc"  # type: ignore[union-attr]
    with pytest.raises(ValueError):
        decode_response(whole[:-1], is_at_end=True)


def test_the_handshake_key_of_the_standard() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from((0, 1, 125, 126, 300, 70_000)), st.binary(min_size=4, max_size=4)),
        max_size=5,
    ),
    st.integers(min_value=7, max_value=5_000),
)
def test_messages_survive_any_cut(sent: list[tuple[int, bytes]], step: int) -> None:
    stream = b"".join(encode_frame(Op.TEXT, b"x" * size, mask) for size, mask in sent)
    reader, got = FrameReader(), []
    for at in range(0, len(stream), step):
        got += [message.data for message in reader.feed(stream[at : at + step])]
    assert got == [b"x" * size for size, _ in sent]


def test_fragments_become_one_message_around_a_ping() -> None:
    first = bytes([Op.TEXT]) + encode_frame(Op.TEXT, b"he")[1:]
    ping = encode_frame(Op.PING, b"?")
    last = encode_frame(Op.MORE, b"llo")
    got = FrameReader().feed(first + ping + last)
    assert [(m.op, m.data) for m in got] == [(Op.PING, b"?"), (Op.TEXT, b"hello")]
    with pytest.raises(ValueError):
        FrameReader().feed(last)
    with pytest.raises(ValueError):
        FrameReader().feed(bytes([0xC1, 0]))


class Echo:
    """A peer that counts what was applied and says things back."""

    def __init__(self) -> None:
        self.applied: list[bytes] = []
        self.program = Program()
        self.lines: list[Line] = []
        self.said: list[bytes] = []

    def answer(self, request: Request) -> Reply:
        return carried_out(self.program.next(request.path), lambda: self._apply(request))

    def again(self, request: Request) -> Reply:
        return carried_out(None, lambda: self._apply(request))

    def _apply(self, request: Request) -> Response:
        self.applied.append(request.body)
        return json_response(b'{"said":"' + request.body + b'"}')

    def open(self, door: str, path: str, line: Line) -> Conversation | None:
        self.lines.append(line)
        return self if path == "/v2" else None

    def take(self, text: bytes) -> None:
        self.said.append(text)
        self.lines[-1].push(b"echo " + text)

    def gone(self) -> None:
        self.said.append(b"(gone)")

    def advance(self) -> None:
        pass


@asynccontextmanager
async def desk() -> AsyncIterator[tuple[Echo, str]]:
    echo = Echo()
    shell = Shell(echo, SystemClock())
    port = await shell.listen(0)
    try:
        yield echo, f"127.0.0.1:{port}"
    finally:
        await shell.close()


async def test_a_request_goes_out_once_and_its_answer_comes_back_whole() -> None:
    async with desk() as (echo, where):
        answer = decode_response(await HttpCaller(f"http://{where}").call(ORDER, 2.0), is_at_end=True)
        assert answer is not None and answer.body == b'{"said":"buy=1"}' and echo.applied == [b"buy=1"]


APPLIED, NOT = True, False


@pytest.mark.parametrize(
    ("strike", "value", "is_applied"),
    [
        (Strike.APPLY_THEN_DROP, 0, APPLIED),
        (Strike.DROP_WITHOUT_APPLY, 0, NOT),
        (Strike.CUT, 0, APPLIED),
        (Strike.SILENCE, 0, APPLIED),
        (Strike.DRIP, 0.05, APPLIED),
        (Strike.DELAY_AFTER, 5, APPLIED),
    ],
)
async def test_no_whole_answer_in_time_is_lost(strike: Strike, value: float, is_applied: bool) -> None:
    """A drip beats a read timeout, not the outer deadline (venues.md, fault 55)."""
    async with desk() as (echo, where):
        echo.program.add(Fault(nth=1, on="/order", strike=strike, value=value))
        with pytest.raises(Lost):
            await HttpCaller(f"http://{where}").call(ORDER, 0.4)
        assert bool(echo.applied) is is_applied


async def test_a_redirect_is_an_answer_and_nothing_reaches_the_other_host() -> None:
    async with desk() as (echo, where), desk() as (other, there):
        echo.program.add(Fault(nth=1, on="/order", strike=Strike.REDIRECT, text=f"http://{there}/order"))
        answer = decode_response(await HttpCaller(f"http://{where}").call(ORDER, 2.0), is_at_end=True)
        assert answer is not None and answer.status == 307
        assert echo.applied == [] and other.applied == []


async def test_a_request_held_back_is_applied_after_its_client_gave_up() -> None:
    async with desk() as (echo, where):
        echo.program.add(Fault(nth=1, on="/order", strike=Strike.DELAY_BEFORE, value=0.3))
        with pytest.raises(Lost):
            await HttpCaller(f"http://{where}").call(ORDER, 0.1)
        assert echo.applied == []
        await eventually(lambda: bool(echo.applied))


async def test_nobody_there_and_a_closed_gate_are_unsent() -> None:
    async with desk() as (echo, where):
        with pytest.raises(Unsent):
            await HttpCaller(f"http://{where}").call(ORDER, 2.0, lambda: False)
    with pytest.raises(Unsent):
        await HttpCaller(f"http://{where}").call(ORDER, 2.0)
    assert echo.applied == []


async def test_messages_go_both_ways_and_a_dropped_stream_comes_back() -> None:
    async with desk() as (echo, where):
        link = WebSocketLink(f"ws://{where}/v2", SystemClock())
        got: list[bytes] = []
        states: list[bool] = []
        with pytest.raises(Unsent):
            link.send(b"early")
        link.start(got.append, states.append)
        await eventually(lambda: states == [True])
        link.send(b"hello")
        await eventually(lambda: got == [b"echo hello"])
        link.drop()
        await eventually(lambda: states == [True, False, True])
        echo.lines[-1].close(1001)
        await eventually(lambda: states == [True, False, True, False, True])
        await link.close()
        assert states[-1] is False
        await eventually(lambda: echo.said.count(b"(gone)") == 3)


async def test_a_message_that_its_reader_chokes_on_breaks_the_stream_aloud() -> None:
    loud: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: loud.append(context))

    def choke(frame: bytes) -> None:
        raise KeyError("what is this")

    async with desk() as (_, where):
        link = WebSocketLink(f"ws://{where}/v2", SystemClock())
        states: list[bool] = []
        link.start(choke, states.append)
        await eventually(lambda: states == [True])
        link.send(b"hello")
        await eventually(lambda: states[:3] == [True, False, True])
        await link.close()
    assert loud


@pytest.mark.parametrize("url", ["", "ftp://x", "127.0.0.1:80", "https://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """An empty address must never mean the real venue."""
    with pytest.raises(ValueError):
        Address(url)
