"""Two streams of decisions: the chain that blocks what it cannot record, and a flat copy that may be lost."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.api import commands as c
from engine.ops import decision_stream, line_queue
from engine.ops.decision_stream import BEFORE, DecisionLine, DecisionStream
from safety.approval import TicketState
from safety.intent import IntentCategory
from safety.killbyte import KillLevel
from tests.engine.supervised import START, Supervised, approval


def lines(path: Path) -> list[DecisionLine]:
    return [msgspec.json.decode(line, type=DecisionLine) for line in path.read_bytes().splitlines()]


def decide(desk: Supervised, number: int) -> None:
    desk.core.audit.decision(
        intent_category=IntentCategory.QUERY,
        policy_result={"allowed": False, "reasons": ["not_found"]},
        outcome="blocked",
        body={"act": "Look", "number": number},
    )


async def test_every_decision_is_a_flat_line_that_names_its_record(tmp_path: Path) -> None:
    desk = Supervised(tmp_path)
    stream = DecisionStream(desk.core)
    assert await desk.code(c.TicketSelect(ticket_id="T-none")) == "unknown_ticket"
    decide(desk, 1)
    stream.tend()
    first, second = lines(stream.path)
    assert (first.tool, first.outcome, first.allowed) == ("TicketSelect", "blocked", False)
    assert first.reasons == ("unknown_ticket",) and first.args["operator"] == "ada"
    assert (second.intent_category, second.args["number"]) == ("query", 1)
    assert (second.audit_seq, second.audit_sha256) == (desk.core.audit.seq, desk.core.audit.head)
    assert (second.hold_level, second.kill_level, second.epoch) == ("clear", "clear", desk.core.epoch)
    await desk.close()


async def test_the_stream_turns_over_and_one_file_before_it_is_kept(tmp_path: Path) -> None:
    desk = Supervised(tmp_path)
    stream = DecisionStream(desk.core, max_bytes=3_000)
    for number in range(20):
        decide(desk, number)
        stream.tend()
    kept = [line.args["number"] for line in (*lines(stream.folder / BEFORE), *lines(stream.path))]
    assert kept == list(range(kept[0], 20)) and kept[0] > 0
    assert {path.name for path in stream.folder.iterdir()} == {BEFORE, stream.path.name}
    assert stream.path.stat().st_size <= 3_000
    await desk.close()


async def test_a_stream_that_cannot_be_written_blocks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Supervised(tmp_path)
    stream = DecisionStream(desk.core)

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(line_queue, "append_lazily", refuse)
        record = desk.core.audit.append("decision", {"act": "Look"})
        for _ in range(decision_stream.MAX_WAITING + 3):
            stream.take(record)
        stream.tend()
    assert stream.lost == 3 and desk.core.kill.level is KillLevel.CLEAR
    stream.tend()
    assert len(lines(stream.path)) == decision_stream.MAX_WAITING
    await desk.close()


async def test_what_the_chain_cannot_record_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Supervised(tmp_path)
    ticket = await desk.open()
    row = await desk.reviewed(ticket)
    session = desk.engine.desk.session_of_ticket(ticket)
    sends = session.orders.sends

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(desk.core.audit, "_append_line", refuse)
    await desk.ask(approval(row))
    assert session.orders.sends == sends, "not one byte left"
    assert desk.core.kill.level is KillLevel.HALT_ALL and desk.core.audit.is_broken
    assert desk.state(ticket) is not TicketState.SENT
    assert await desk.code(START) == "audit_broken"
    assert await desk.code(c.Kill(confirm="KILL")) == "ok", "stopping needs no record"
    await desk.close()
