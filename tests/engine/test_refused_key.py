"""A key that the venue refuses, of two that we have: shown as such, beside what is told of the other one."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.cli import link
from console.cli.app import run
from engine.api.venues import key_said
from engine.arming_rules import looked_conditions
from engine.trading.key_trouble import is_key_dead
from tests.engine.test_venue_desk import Room, in_room
from tests.venues import test_kraken_adapter as kr


@pytest.mark.parametrize(("public", "name"), [("K", "orders"), ("ASK", "questions")])
def test_one_refused_key_of_two_is_shown_with_its_reason_and_the_other_as_told(
    public: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`interlock venue keys` said `no keys` where the venue took one of the two."""
    other = {"orders": "questions", "questions": "orders"}[name]

    async def scene(room: Room) -> None:
        assert isinstance(room.rig, kr.Rig)
        gate = room.rig.desk.exchange.gate
        gate.keys[public].permissions |= {"withdraw-funds"}
        await room.turn(2)
        assert "key_unsafe" in room.alarms() and not is_key_dead(room.core)
        del gate.keys[public]
        view = await room.desk.view(is_fresh=True)
        rows = {key.name: key for key in view.keys}
        assert (rows[name].state, rows[name].refused, rows[name].public) == ("refused", "bad_key", public)
        assert (rows[other].state, rows[other].refused) == ("ok", "") and rows[other].may
        assert key_said(rows[name]) == f"{name} refused bad_key"
        assert f"bad_key: the key for {name}: EAPI:Invalid key" in view.problems
        assert not any(name in each for each in view.warnings), "its end is no question any more"
        assert is_key_dead(room.core) and "key_dead" in room.alarms()
        assert "key_unsafe" in room.alarms(), "what is not told clears nothing"
        part = next(each for each in room.desk.parts() if each.part == "venue keys")
        assert part.state == "failed" and f"{name} refused bad_key" in part.detail
        room.core.environment = room.core.environment.TESTNET
        assert not {"signer_is_master", "signer_left_ms"} & set(room.desk.facts()), "nobody knows"
        judged = looked_conditions(room.core, room.custody, room.desk.standing, "")
        wrong = {each.code: each.said for each in judged if not each.ok}
        assert wrong["key_can_withdraw"] == f"not said of: {name}"
        assert wrong["key_expires_soon"] == f"{name}: not told, the venue refuses it (bad_key)"
        assert wrong["venue_not_ready"] == f"bad_key: the key for {name}: EAPI:Invalid key"

        monkeypatch.setattr(link, "ask", lambda *_, **__: view)
        assert run(("venue", "keys")) == 1
        shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
        assert "refused" in shown[name] and "bad_key" in shown[name] and public in shown[name]
        assert "api key" in shown[other] and "bad_key" not in shown[other]
        assert run(("venue", "check")) == 1
        assert f"{name} refused bad_key" in capsys.readouterr().out

    in_room(tmp_path, kr.Rig, scene)
