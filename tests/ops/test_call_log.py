"""Calls to a venue as rows: each request once, how it ended, and nothing of what it carried."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.api.venue_calls import VenueCall, venue_calls
from engine.core import Core
from engine.daemon import Seams, build_core
from engine.ops.call_log import CallLog, LoggedCaller, asked
from safety.killbyte import KillByte
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.http import Response, encode_request, encode_response, json_response
from seams.rng import Rng
from seams.wire import Lost, MayLeave, Unsent, always

SECRET = "c2VjcmV0LXNpZ25hdHVyZQ"
ORDER = encode_request(
    "POST", "/0/private/AddOrder", "x", {"API-Key": SECRET, "API-Sign": SECRET}, b"pair=XBTUSD&nonce=7"
)
ASK = encode_request("POST", "/info", "x", {}, b'{"type":"orderStatus","user":"0xabc","oid":5}')
ACT = encode_request(
    "POST", "/exchange", "x", {}, b'{"action":{"type":"cancel","cancels":[]},"signature":{"r":"0x1"}}'
)
OK = encode_response(json_response(b"{}"))


class Says:
    """A wire that does what it was told, in turn."""

    def __init__(self, *turns: bytes | Exception) -> None:
        self.turns = list(turns)

    async def call(self, body: bytes, timeout_s: float, may_leave: MayLeave = always) -> bytes:
        turn = self.turns.pop(0)
        if isinstance(turn, Unsent) or not may_leave():
            raise turn if isinstance(turn, Unsent) else Unsent("the gate closed before the first byte")
        await asyncio.sleep(0.005)
        if isinstance(turn, Exception):
            raise turn
        return turn

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), tmp_path, {}, KillByte.anonymous())


def rows(core: Core, log: CallLog, **wanted: object) -> list[VenueCall]:
    log.tend()
    return list(reversed(venue_calls(core.paths.home, 100, **wanted)))  # type: ignore[arg-type]


async def test_every_call_is_a_row_and_none_of_its_secrets(core: Core) -> None:
    log = CallLog.of_engine(core)
    caller = LoggedCaller(Says(OK, Lost("no answer"), Unsent("refused"), OK, OK), "kraken", log, core.clock)
    assert await caller.call(ORDER, 1.0) == OK
    with pytest.raises(Lost):
        await caller.call(ASK, 1.0)
    with pytest.raises(Unsent):
        await caller.call(ACT, 1.0)
    with pytest.raises(Unsent):
        await caller.call(ACT, 1.0, lambda: False)
    waiting = asyncio.ensure_future(caller.call(ACT, 1.0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    found = rows(core, log)
    assert [(row.asked, row.outcome, row.status) for row in found] == [
        ("POST /0/private/AddOrder", "answered", 200),
        ("POST /info orderStatus", "lost", 0),
        ("POST /exchange cancel", "unsent", 0),
        ("POST /exchange cancel", "unsent", 0),
        ("POST /exchange cancel", "given_up", 0),
    ]
    assert [row.sent_bytes for row in found] == [len(ORDER), len(ASK), 0, 0, len(ACT)]
    assert found[0].got_bytes == len(OK) and found[1].said == "no answer"
    assert len({row.request_id for row in found}) == 5
    assert all(0 <= row.waited_ms <= row.took_ms for row in found) and found[0].took_ms >= 5.0
    written = b"".join(path.read_bytes() for path in (core.paths.outputs / "venue_calls").iterdir())
    for word in (SECRET, "XBTUSD", "nonce", "0xabc", "0x1"):
        assert word.encode() not in written


async def test_they_are_found_by_what_they_ask_and_how_they_ended(core: Core) -> None:
    log = CallLog.of_engine(core)
    caller = LoggedCaller(Says(OK, OK, Lost("gone")), "hyperliquid", log, core.clock)
    await caller.call(ASK, 1.0)
    await caller.call(ACT, 1.0)
    with pytest.raises(Lost):
        await caller.call(ACT, 1.0)
    assert [row.outcome for row in rows(core, log, about="CANCEL")] == ["answered", "lost"]
    assert [row.asked for row in rows(core, log, is_failed=True)] == ["POST /exchange cancel"]
    path = next((core.paths.outputs / "venue_calls").iterdir())
    with path.open("ab") as file:
        file.write(b'{"schema":"venue_call_v1","torn')
    assert len(rows(core, log)) == 3, "a torn line hides no other"


PAGE = b"<html><body>Down for maintenance</body></html>"


@pytest.mark.parametrize("body", [PAGE, b"", b'{"half":', b'{"a":1} {"b":2}', b"\xff\xfe"])
async def test_a_page_with_a_good_status_is_a_failed_call(core: Core, body: bytes) -> None:
    """A proxy's maintenance page with status 200 stood beside the good answers: `--failed` showed nothing."""
    log = CallLog.of_engine(core)
    page = encode_response(Response(200, {"content-type": "text/html"}, body))
    caller = LoggedCaller(Says(OK, page, OK), "kraken", log, core.clock)
    assert [await caller.call(ASK, 1.0) for _ in range(3)] == [OK, page, OK], "whoever asked judges it"
    (row,) = rows(core, log, is_failed=True)
    assert (row.outcome, row.status, row.said) == ("unreadable", 200, "status 200, and no JSON")
    written = b"".join(path.read_bytes() for path in (core.paths.outputs / "venue_calls").iterdir())
    assert b"maintenance" not in written, "a row holds no body"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'"ok"', b" 5 "])
async def test_whatever_is_json_is_an_answer(core: Core, body: bytes) -> None:
    log = CallLog.of_engine(core)
    caller = LoggedCaller(Says(encode_response(json_response(body))), "kraken", log, core.clock)
    await caller.call(ASK, 1.0)
    assert rows(core, log, is_failed=True) == []
    assert [row.outcome for row in rows(core, log)] == ["answered"]


async def test_an_address_that_sends_us_elsewhere_rings(core: Core) -> None:
    log = CallLog.of_engine(core)
    moved = encode_response(Response(307, {"location": "http://elsewhere.invalid/"}, b""))
    caller = LoggedCaller(Says(OK, moved), "kraken", log, core.clock)
    await caller.call(ORDER, 1.0)
    assert ("venue_redirect", "kraken") not in core.standing
    assert await caller.call(ORDER, 1.0) == moved, "the answer is judged by whoever asked"
    assert ("venue_redirect", "kraken") in core.standing
    assert rows(core, log)[-1].status == 307


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\xff\x00", "POST /x"),
        (b'{"type":"a b; rm -rf"}', "POST /x"),
        (b'{"type":["orders"]}', "POST /x"),
        (b'{"action":"noop"}', "POST /x"),
        (b"[1]", "POST /x"),
    ],
)
def test_a_body_that_names_nothing_names_nothing(body: bytes, said: str) -> None:
    assert asked(encode_request("POST", "/x", "h", {}, body)) == said
    assert asked(encode_request("GET", "/0/public/Time?nonce=1", "h", {}, b"")) == "GET /0/public/Time"
    assert asked(b"no request") == "unreadable"
