"""What an engine makes of a home that is in use, damaged or robbed of its latch."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess

import pytest

from engine.api.commands import Kill, KillDone, Resume
from engine.api.incidents import list_incidents
from safety.killbyte import KillLevel
from safety.killswitch import LATCH_FILE

from .conftest import Rig, eventually, level_of


async def exit_code(process: subprocess.Popen[bytes]) -> int:
    """Return how a start that is refused ended; meanwhile the test's own clients keep their lines."""
    await eventually(lambda: process.poll() is not None)
    return int(process.returncode)


async def test_a_second_engine_of_one_home_refuses_and_two_homes_work_side_by_side(
    rig: Rig, other_rig: Rig
) -> None:
    client = await rig.start()
    assert await exit_code(rig.spawn()) == 2
    assert "already_running" in rig.log()
    assert await level_of(client) == "clear"
    other = await other_rig.start()
    await rig.kill(client)
    assert await level_of(other) == "clear"
    assert await level_of(client) == "halt_all"


@pytest.mark.parametrize("damage", ["corrupt", "unreadable"])
async def test_a_database_that_cannot_be_read_stops_the_start(rig: Rig, damage: str) -> None:
    await rig.start()
    await rig.kill_hard()
    database = rig.paths.database / "paper.db"
    for extra in rig.paths.database.glob("paper.db-*"):
        extra.unlink()
    if damage == "corrupt":
        database.write_bytes(b"not a database at all" * 500)
    else:
        database.unlink()
        database.mkdir()
    process = rig.spawn()
    assert await exit_code(process) == 2
    assert "will not start: database_unreadable: paper.db" in rig.log()
    assert not rig.paths.endpoint.exists() or process.pid != rig.pid


async def test_a_database_held_by_another_program_is_called_locked_and_starts_once_it_is_let_go(
    rig: Rig,
) -> None:
    await rig.start()
    await rig.kill_hard()
    with contextlib.closing(sqlite3.connect(rig.paths.database / "paper.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert await exit_code(rig.spawn()) == 2
        assert "will not start: database_locked: paper.db" in rig.log()
    assert await level_of(await rig.start()) == "clear"


async def test_a_database_of_a_newer_version_is_called_so(rig: Rig) -> None:
    await rig.start()
    await rig.kill_hard()
    with contextlib.closing(sqlite3.connect(rig.paths.database / "paper.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    assert await exit_code(rig.spawn()) == 2
    assert "will not start: database_newer: the database is at schema 9999" in rig.log()


async def test_a_file_in_the_place_of_a_folder_is_a_damaged_home(rig: Rig) -> None:
    rig.home.mkdir()
    (rig.home / "audit").write_text("a file")
    assert await exit_code(rig.spawn()) == 2
    assert "will not start: home_damaged: [Errno 17]" in rig.log()


async def test_a_home_that_may_not_be_written_says_so(rig: Rig) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; tests/cli shows the same with a read-only error")
    rig.paths.run.mkdir(parents=True)
    rig.home.chmod(0o500)
    try:
        assert await exit_code(rig.spawn()) == 2
        assert "will not start: home_not_writable: [Errno 13]" in rig.log()
    finally:
        rig.home.chmod(0o700)


@pytest.mark.parametrize("damage", ["corrupt", "missing"])
async def test_a_latch_that_is_corrupt_or_missing_means_halt_all(rig: Rig, damage: str) -> None:
    await rig.start()
    await rig.kill_hard()
    latch = rig.paths.safety / LATCH_FILE
    if damage == "corrupt":
        latch.write_bytes(latch.read_bytes().replace(b"first start", b"first stArt"))
    else:
        latch.unlink()
    client = await rig.start()
    assert await level_of(client) == "halt_all"
    assert rig.latch() is KillLevel.HALT_ALL
    codes = [code for (code,) in rig.rows("SELECT code FROM alarms")]
    assert "latch_unreadable" in codes and "kill_latched" in codes
    await rig.resume(client)
    assert await level_of(client) == "clear"


async def test_an_audit_log_that_was_changed_stops_the_start(rig: Rig) -> None:
    await rig.start()
    await rig.kill_hard()
    rig.paths.audit.write_bytes(rig.paths.audit.read_bytes().replace(b"epoch 1", b"epoch 7"))
    assert await exit_code(rig.spawn()) == 2
    assert "will not start: audit_broken" in rig.log()


async def test_a_halt_leaves_an_incident_and_a_resume_its_note(rig: Rig) -> None:
    client = await rig.start()
    await client.demand(Kill(level="halt_all", confirm="KILL"), KillDone, reason="a drill")
    await eventually(lambda: bool(list_incidents(rig.home)), rig.log)
    (opened,) = list_incidents(rig.home)
    assert opened.status == "open" and opened.reason == "a drill" and "status" in opened.views
    assert (rig.paths.outputs / "desk_alerts.json").exists()
    unexplained = await client.command(Resume(confirm="RESUME"), reason="looks well")
    assert unexplained.code == "incident_note_required" and rig.latch() is KillLevel.HALT_ALL
    await rig.resume(client)
    (noted,) = list_incidents(rig.home)
    assert noted.status == "noted" and noted.notes[0].by == "ada"
