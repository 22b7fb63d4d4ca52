"""The registry of corridor sessions equals its folders at every step, and a stub sends nothing and says what
would be sent."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from console.cli.app import run
from engine.api.corridor import Step
from engine.corridor import reading
from engine.corridor.registry import ATTEMPT, INDEX, SubmitAttempt, stub_submit
from engine.corridor.status import alerts
from safety.reasons import Refusal
from tests.corridor.halls import UP_TO_GATE, Hall, in_hall
from tests.corridor.stages import STAGES

both = pytest.mark.parametrize("venue", sorted(STAGES))


def index_of(hall: Hall) -> dict[str, Any]:
    """Return the index as it lies there, and hold its three forms against each other."""
    disk, folder = hall.house.disk, hall.root.parent
    found: dict[str, Any] = json.loads(disk.read(folder / f"{INDEX}.json"))
    rows = list(csv.DictReader(io.StringIO(disk.read(folder / f"{INDEX}.csv").decode())))
    assert [row["session_id"] for row in rows] == [row["session_id"] for row in found["sessions"]]
    text = disk.read(folder / f"{INDEX}.md").decode()
    assert all(row["session_id"] in text and row["status"] in text for row in found["sessions"])
    return found


def scanned(hall: Hall) -> list[tuple[str, str, str]]:
    rows = reading.rows(hall.root, hall.house.disk)
    return [(row.session_id, row.status, row.step) for row in rows]


@both
def test_the_index_equals_the_folders_after_every_step(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        first = (await hall.opened()).session_id
        await hall.opened(quantity="0.000001")  # refused: it is in the registry like any other
        for step in (*UP_TO_GATE, Step.SUBMIT, Step.STATUS, Step.CANCEL, Step.STATUS):
            await hall.do(first, step)
            index = index_of(hall)
            shown = [(row["session_id"], row["status"], row["step"]) for row in index["sessions"]]
            assert shown == scanned(hall) and index["n_sessions"] == 2 == sum(index["status_counts"].values())
        assert {row[1] for row in shown} == {"canceled", "preflight_refused"}

    in_hall(venue, tmp_path, scene)


def stub(hall: Hall, session_id: str) -> SubmitAttempt:
    made = stub_submit(hall.root, session_id, hall.house.disk, hall.stage.clock)
    kept = json.loads(hall.house.disk.read(hall.root / session_id / ATTEMPT))
    assert (kept["would_submit"], kept["remote_submit_called"]) == (made.would_submit, False)
    return made


@both
def test_a_stub_sends_nothing_and_says_what_would_be_sent(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = (await hall.opened()).session_id
        for step in UP_TO_GATE:
            before = stub(hall, session_id)
            assert not before.would_submit and before.reasons == ("step_out_of_order",)
            await hall.do(session_id, step)
        names = hall.house.disk.list(hall.root / session_id / "history")
        made = stub(hall, session_id)
        assert made.would_submit and made.submit_mode == "stub" and not made.reasons
        assert hall.stage.arrived() == [] == hall.stage.placed()
        assert hall.house.disk.list(hall.root / session_id / "history") == names, "it is no step"
        await hall.stage.clock.sleep(61.0)
        assert stub(hall, session_id).reasons == ("artifact_stale",)
        with pytest.raises(Refusal, match="not_found"):
            stub(hall, "X-9-9999")

    in_hall(venue, tmp_path, scene)


@both
def test_what_a_stub_shows_is_what_is_sent_then(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        made = stub(hall, session_id)
        await hall.do(session_id, Step.SUBMIT)
        (body,) = hall.stage.arrived()
        text = body.decode()
        if venue == "hyperliquid":
            assert json.loads(text)["action"] == made.payload
        else:
            assert "validate" not in made.payload
            assert all(f"{name}=" in text for name in made.payload), made.payload
        assert stub(hall, session_id).reasons == ("already_submitted",)

    in_hall(venue, tmp_path, scene)


@both
def test_index_and_stub_have_commands(
    venue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"

    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        folder = home / "outputs" / "submits" / session_id / "history"
        folder.mkdir(parents=True)
        for name in hall.house.disk.list(hall.root / session_id / "history"):
            data = hall.house.disk.read(hall.root / session_id / "history" / name)
            (folder / name).write_bytes(data)

    (tmp_path / "engine").mkdir()
    in_hall(venue, tmp_path / "engine", scene)
    monkeypatch.setenv("INTERLOCK_HOME", str(home))
    (session_id,) = (each.name for each in (home / "outputs" / "submits").iterdir())
    assert run(["submit", "index", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["index"]["sessions"][0]["session_id"] == session_id
    assert (home / "outputs" / f"{INDEX}.csv").is_file()
    assert run(["submit", "stub", session_id]) == 1, "its gate is old by now"
    said = capsys.readouterr().out
    assert "nothing was sent" in said and "gate is" in said
    assert run(["submit", "stub", session_id, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["stub"]
    assert found["reasons"] == ["artifact_stale"] and found["payload"]


@both
def test_a_response_says_whether_anything_was_called(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        hall.stage.wire.is_up = False
        await hall.do(session_id, Step.SUBMIT)
        body = hall.artifact(session_id, "submit_response")["body"]
        assert (body["remote_submit_called"], body["submitted"], body["confirmed"]) == (False, False, True)
        hall.stage.wire.is_up = True
        await hall.house.tend(90.0)
        session_id = await hall.at_gate(quantity="0.002")
        await hall.do(session_id, Step.SUBMIT)
        body = hall.artifact(session_id, "submit_response")["body"]
        assert (body["remote_submit_called"], body["submitted"], body["errors"]) == (True, True, [])
        assert body["oid"] == hall.order(session_id).venue_order_id
        await hall.do(session_id, Step.STATUS)
        body = hall.artifact(session_id, "order_status")["body"]
        said = body["normalized_state"], body["raw_status"], body["status_known"], body["errors"]
        assert said == ("open", "open", True, [])

    in_hall(venue, tmp_path, scene)


@both
def test_attention_is_critical_while_the_orders_state_is_not_proved(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        hall.lose_answer()
        await hall.do(session_id, Step.SUBMIT)
        body = hall.artifact(session_id, "submit_response")["body"]
        assert (body["remote_submit_called"], body["submitted"]) == (True, None), "nobody knows"
        await hall.do(session_id, Step.SUPERVISE, polls=1)
        found = {each.code: each.severity for each in alerts(hall.view(session_id).artifacts)}
        assert found["SUPERVISION_ATTENTION"] == "critical", found
        await hall.house.tend(hall.stage.lag_s + 20)
        hall.stage.by_hand(59_000, 0.001)
        await hall.stage.clock.sleep(hall.stage.lag_s)
        await hall.do(session_id, Step.SUPERVISE, polls=1)
        found = {each.code: each.severity for each in alerts(hall.view(session_id).artifacts)}
        assert found["SUPERVISION_ATTENTION"] == "warning", found

    in_hall(venue, tmp_path, scene)
