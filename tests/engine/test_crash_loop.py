"""Three deaths within ten minutes: the next engine starts at halt_all, and waits for a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import crash_loop
from engine.core import Core
from engine.daemon import Seams, build_core
from engine.sim.world import ENVIRON
from safety.interlock import HoldLevel
from safety.killbyte import KillByte, KillLevel
from seams.clock import NS_PER_S, FixedClock
from seams.disk import MemoryDisk
from seams.rng import Rng


class Desk:
    """One home whose engines die, or end in order."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.disk, self.clock = folder, MemoryDisk(), FixedClock(10**18)
        (folder / "db").mkdir(mode=0o700)
        self.environ = ENVIRON | {"INTERLOCK_ENGINE__CRASH_LOOP_DEATHS": "3"}

    def start(self) -> Core:
        seams = Seams(self.clock, None, Rng(1), self.disk, pid=1, commit="0" * 40)
        core = build_core(seams, self.folder, self.environ, KillByte.anonymous())
        crash_loop.note_start(core)
        return core

    def dies(self, after_s: float = 1.0) -> KillLevel:
        core = self.start()
        self.clock.advance(after_s)
        core.store.abandon()
        return core.kill.level

    def ends(self) -> KillLevel:
        core = self.start()
        self.clock.advance(1.0)
        crash_loop.note_end(core)
        core.store.close()
        return core.kill.level


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_start_after_three_deaths_is_latched_and_says_why(desk: Desk) -> None:
    assert [desk.dies() for _ in range(3)] == [KillLevel.CLEAR] * 3
    core = desk.start()
    assert core.kill.level is KillLevel.HALT_ALL
    assert core.kill.record.source == crash_loop.SOURCE
    assert core.interlock.has("kill") and core.interlock.level is HoldLevel.HALT, "and it is shown"
    assert core.kill.record.reason == "3 engines have died within 10 minutes"
    view = core.alarms.view(1, desk.clock.now_ns())
    assert [row.code for row in view.rows] == ["crash_loop"]
    assert b"3 engines have died" in bytes(desk.disk.files[core.paths.audit])


def test_a_later_start_does_not_forget_the_latch(desk: Desk) -> None:
    for _ in range(4):
        desk.dies()
    assert desk.ends() is KillLevel.HALT_ALL


def test_deaths_long_apart_are_no_loop(desk: Desk) -> None:
    assert {desk.dies(after_s=400.0) for _ in range(8)} == {KillLevel.CLEAR}


def test_an_orderly_end_is_no_death(desk: Desk) -> None:
    assert {desk.ends() for _ in range(8)} == {KillLevel.CLEAR}


def test_after_a_person_reset_it_the_loop_counts_anew(desk: Desk) -> None:
    for _ in range(3):
        desk.dies()
    core = desk.start()
    core.kill.reset(
        operator="ada", reason="a bad disk, replaced", clean_reconciliation=True, unknown_orders=0
    )
    core.store.abandon()
    assert desk.dies() is KillLevel.CLEAR, "one death since"
    assert desk.dies() is KillLevel.CLEAR
    assert desk.start().kill.level is KillLevel.HALT_ALL


def test_a_clock_that_went_back_hides_no_death(desk: Desk) -> None:
    for _ in range(3):
        desk.dies()
    desk.clock = FixedClock(desk.clock.now_ns() - 300 * NS_PER_S)
    assert desk.start().kill.level is KillLevel.HALT_ALL
