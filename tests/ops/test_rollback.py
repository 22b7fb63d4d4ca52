"""Back to the last configuration that ended well: kept only then, put back whole, and told on the record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.cli.app import run
from engine.api.rollback import list_kept, rollback, rollback_plan
from engine.config.history import MAX_KEPT, ROLLBACKS, kept
from engine.ops.config_watch import ConfigWatch
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from seams.disk import RealDisk
from tests.engine.supervised import Supervised

GOOD, WORSE = "risk:\n  max_open_orders: 12\n", "risk:\n  max_open_orders: 1\n"


def write(home: Path, text: str) -> None:
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "interlock.yaml").write_text(text)


async def lived(home: Path, text: str, halts: bool = False, killed: bool = False) -> None:
    """One engine's life under a configuration."""
    write(home, text)
    desk = Supervised(home)
    watch = ConfigWatch(desk.core)
    watch.tend()
    if halts:
        desk.core.halt(OSError("disk full"), "test")
    if killed:
        desk.core.kill.trip(KillLevel.HALT_ALL, by="ada", reason="test", source="test")
    watch.close()
    if killed or halts:
        (home / "safety" / "kill.latch").unlink(missing_ok=True)
    await desk.close()


async def test_only_what_ended_well_is_kept_and_once(tmp_path: Path) -> None:
    await lived(tmp_path, GOOD)
    await lived(tmp_path, GOOD)
    (row,) = kept(RealDisk(), tmp_path)
    assert row.files == {"interlock.yaml": GOOD, "strategy_overrides.yaml": None} and row.epoch == 1


@pytest.mark.parametrize("how", ["halts", "killed"])
async def test_a_run_that_was_halted_or_killed_keeps_nothing(tmp_path: Path, how: str) -> None:
    await lived(tmp_path, GOOD, **{how: True})
    assert kept(RealDisk(), tmp_path) == ()
    with pytest.raises(Refusal, match="not_found"):
        rollback_plan(tmp_path, 0)


async def test_going_back_puts_every_file_back_and_keeps_what_was_there(tmp_path: Path) -> None:
    await lived(tmp_path, GOOD)
    write(tmp_path, WORSE)
    overrides = tmp_path / "config" / "strategy_overrides.yaml"
    overrides.write_text("risk:\n  max_leverage: 2\n")
    plan = rollback_plan(tmp_path, 0)
    assert "-  max_open_orders: 1" in plan.difference and "+  max_open_orders: 12" in plan.difference
    assert (tmp_path / "config" / "interlock.yaml").read_text() == WORSE, "a plan changes nothing"
    with pytest.raises(Refusal, match="reason_required"):
        rollback(tmp_path, {}, 0, "ada", " ")
    done = rollback(tmp_path, {}, 0, "ada", "it stops every entry")
    assert done.is_done and (tmp_path / "config" / "interlock.yaml").read_text() == GOOD
    assert not overrides.exists(), "what was not there then is not there now"
    (record,) = (tmp_path / "config" / ROLLBACKS).iterdir()
    told = json.loads(record.read_text())
    assert told["before"]["interlock.yaml"] == WORSE and told["operator"] == "ada"
    assert [row.is_present for row in list_kept(tmp_path)] == [True]
    with pytest.raises(Refusal, match="not_found"):
        rollback(tmp_path, {}, 0, "ada", "again")


async def test_the_next_engine_tells_of_it_once(tmp_path: Path) -> None:
    await lived(tmp_path, GOOD)
    write(tmp_path, WORSE)
    rollback(tmp_path, {}, 0, "ada", "it stops every entry")
    for _ in range(2):
        desk = Supervised(tmp_path)
        watch = ConfigWatch(desk.core)
        watch.tend()
        watch.tend()
        assert desk.core.settings.risk.max_open_orders == 12
        assert desk.core.paths.audit.read_bytes().count(b"it stops every entry") == 1
        await desk.close()


async def test_what_does_not_load_any_more_leaves_everything_as_it_was(tmp_path: Path) -> None:
    await lived(tmp_path, GOOD)
    path = tmp_path / "config" / "history" / "000001.json"
    path.write_text(path.read_text().replace("max_open_orders", "no_such_limit_"))
    write(tmp_path, WORSE)
    with pytest.raises(Refusal, match="invalid_config"):
        rollback(tmp_path, {}, 0, "ada", "try")
    assert (tmp_path / "config" / "interlock.yaml").read_text() == WORSE
    assert list((tmp_path / "config" / ROLLBACKS).iterdir()) == []


async def test_only_so_many_are_kept(tmp_path: Path) -> None:
    from engine.config.history import keep
    from seams.clock import FixedClock

    for number in range(MAX_KEPT + 3):
        files: dict[str, str | None] = {"interlock.yaml": f"# {number}\n"}
        keep(RealDisk(), tmp_path, FixedClock(), files, epoch=1, fingerprint="f", engine_version="0")
    rows = kept(RealDisk(), tmp_path)
    assert len(rows) == MAX_KEPT and rows[-1].number == MAX_KEPT + 3


async def test_the_command_shows_first_and_asks_for_its_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    await lived(tmp_path, GOOD)
    write(tmp_path, WORSE)
    assert run(["rollback", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rollback"]["is_done"] is False
    assert run(["rollback", "--reason", "r", "--operator", "ada", "--json"]) == 2
    assert (tmp_path / "config" / "interlock.yaml").read_text() == WORSE
    assert run(["rollback", "--confirm", "ROLLBACK", "--reason", "r", "--operator", "ada"]) == 0
    assert (tmp_path / "config" / "interlock.yaml").read_text() == GOOD
    assert run(["rollback", "--list"]) == 0
