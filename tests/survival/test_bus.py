"""The bus: lost and found again, and what comes in over it that should not be obeyed."""

from __future__ import annotations

import asyncio
import signal

import msgspec
import pytest

from engine.api import subjects
from engine.api.client import EngineClient
from engine.api.commands import SCHEMA_VERSION, Command, CommandBody, Kill, PaperStart, Reply, Resume, encode
from engine.api.views import OverviewView
from seams.clock import NS_PER_S
from seams.net import NetDown, NoAnswer

from .conftest import CLOCK, Rig, bars_of, eventually, hurt, level_of


async def test_sessions_go_on_without_the_bus_and_a_command_sent_meanwhile_is_never_executed(
    rig: Rig,
) -> None:
    client = await rig.start()
    await rig.trade(client)
    before, bus = await bars_of(client), rig.bus_pid()
    hurt(bus, signal.SIGKILL)
    await eventually(lambda: not client.net.is_connected)
    with pytest.raises(NetDown):
        await client.command(Kill(confirm="KILL"))
    await eventually(lambda: rig.bus_pid() not in (0, bus), rig.log)

    async def has_grown() -> bool:
        return client.net.is_connected and await bars_of(client) > before + 4

    await eventually(has_grown, rig.log)
    assert await level_of(client) == "clear"
    kinds = {kind for (kind,) in rig.rows("SELECT kind FROM requests")}
    assert "Kill" not in kinds


def _command(
    client: EngineClient, body: CommandBody, *, request_id: str, epoch: int | None = None, life_s: float = 5.0
) -> bytes:
    command = Command(
        schema_version=SCHEMA_VERSION,
        request_id=request_id,
        operator="ada",
        reason="test",
        epoch=client.epoch if epoch is None else epoch,
        expires_at_ns=CLOCK.now_ns() + round(life_s * NS_PER_S),
        body=body,
    )
    return encode(command)


async def _say(client: EngineClient, body: bytes, subject: str = subjects.COMMAND) -> Reply:
    return msgspec.json.decode(await client.net.request(subject, body, 3.0), type=Reply)


async def test_an_expired_a_foreign_and_a_far_dated_command_are_refused_but_a_kill_of_any_epoch_counts(
    rig: Rig,
) -> None:
    client = await rig.start()
    start = PaperStart(strategies=("ema_cross",))
    expired = await _say(client, _command(client, start, request_id="C-old", life_s=-0.001))
    assert expired.code == "expired_request"
    dated = await _say(client, _command(client, start, request_id="C-far", life_s=3600.0))
    assert dated.code == "expired_request"
    foreign = await _say(client, _command(client, start, request_id="C-epoch", epoch=client.epoch - 1))
    assert foreign.code == "wrong_epoch"
    assert rig.rows("SELECT 1 FROM sessions") == []
    kill = _command(client, Kill(confirm="KILL"), request_id="C-kill", epoch=client.epoch - 1)
    assert (await _say(client, kill, subjects.KILL)).ok
    assert await level_of(client) == "halt_all"
    resume = _command(client, Resume(confirm="RESUME"), request_id="C-res", epoch=client.epoch - 1)
    assert (await _say(client, resume)).code == "wrong_epoch"


async def test_a_request_sent_twice_is_executed_once_and_answered_the_same(rig: Rig) -> None:
    client = await rig.start()
    body = _command(client, PaperStart(strategies=("ema_cross",)), request_id="C-once")
    both = await asyncio.gather(_say(client, body), _say(client, body))
    later = await _say(client, body)
    assert both[0].ok and both[0] == both[1] == later
    assert rig.rows("SELECT count(*) FROM sessions") == [(1,)]
    await rig.kill_hard()
    client = await rig.start()
    again = await _say(client, body)
    assert again == later, "the answer outlives the engine"
    assert rig.rows("SELECT count(*) FROM sessions") == [(1,)]


async def test_hostile_bytes_are_answered_with_invalid_request_and_hurt_nothing(rig: Rig) -> None:
    client = await rig.start()
    nested = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    hostile = (
        b"",
        b"\x00\xff\xfe",
        b"null",
        b"{}",
        b"[" * 200_000,
        nested,
        b'{"request_id":1}',
        encode(PaperStart(strategies=())),
        b'{"body":{"type":"kill","confirm":"KILL"}}',
    )
    for subject in (subjects.COMMAND, subjects.KILL, subjects.QUERY):
        for body in hostile:
            assert (await _say(client, body, subject)).code == "invalid_request", body[:40]
    nameless = _command(client, PaperStart(strategies=("ema_cross",)), request_id="")
    assert (await _say(client, nameless)).code == "invalid_request"
    odd = (
        PaperStart(strategies=("ema_cross",), speed=-1.0),
        PaperStart(strategies=("../../etc/passwd",)),
        PaperStart(strategies=("ema_cross",), feed="replay:../../../etc/x/y"),
        PaperStart(strategies=("ema_cross",), scenario="\x1b[31m" * 500),
        PaperStart(strategies=("ema_cross",), params={"fast": float(10**300)}),
    )
    for number, start in enumerate(odd):
        reply = await _say(client, _command(client, start, request_id=f"C-odd-{number}"))
        assert not reply.ok and reply.code, start
        assert "\x1b" not in reply.message
    long_reason = _command(client, Kill(confirm="KILL"), request_id="C-long").replace(
        b'"reason":"test"',
        b'"reason":"'
        + "\u202e\x1b]0;x\x07".encode("unicode_escape").replace(b"\\x", b"\\u00") * 20_000
        + b'"',
    )
    assert (await _say(client, long_reason, subjects.KILL)).ok
    assert await level_of(client) == "halt_all"
    assert rig.audit().ok
    assert (await client.query_view("overview", OverviewView)).bars == 0


async def test_an_observer_can_look_and_stop_and_nothing_more(rig: Rig) -> None:
    client = await rig.start()
    watcher = await rig.client("observer", "eve")
    assert await level_of(watcher) == "clear"
    start = PaperStart(strategies=("ema_cross",))
    with pytest.raises((NoAnswer, NetDown)):
        await watcher.command(start, timeout_s=0.6)
    smuggled = await _say(watcher, _command(watcher, start, request_id="C-smuggled"), subjects.KILL)
    assert not smuggled.ok
    assert rig.rows("SELECT 1 FROM sessions") == []
    await rig.kill(watcher)
    assert await level_of(client) == "halt_all"
    resume = _command(watcher, Resume(confirm="RESUME"), request_id="C-loosen")
    assert not (await _say(watcher, resume, subjects.KILL)).ok
    assert await level_of(client) == "halt_all"
