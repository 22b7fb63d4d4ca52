"""Whatever a crash leaves of our files, what was acknowledged is there and everything can be read.

A part of the states; all of them: python -m tests.survival.crashpoints
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.survival.crashpoints import subjects
from tests.survival.crashpoints.disk_model import State, states
from tests.survival.crashpoints.recorder import NoCompiler, Op, build_shim
from tests.survival.crashpoints.replay import replay
from tests.survival.crashpoints.subjects import SUBJECTS, Subject, in_child


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build_shim(tmp_path_factory.mktemp("shim"))
    except NoCompiler as missing:
        pytest.skip(str(missing))


CASES = {
    "audit": (4, 1, 1),
    "latch": (4, 1, 1),
    "endpoint": (3, 1, 1),
    "session": (2, 1, 1),
    "run": (2, 1, 1),
    "store": (2, 1, 40),
    "live": (5, 1, 4),
}
"""Subject -> (size, power losses at each operation, every how-manieth state)."""


@pytest.mark.parametrize("name", CASES)
def test_a_crash_at_any_point_loses_nothing_that_was_acknowledged(
    name: str, shim: Path, tmp_path: Path
) -> None:
    size, losses, every = CASES[name]
    outcome = replay(name, tmp_path, shim, size=size, losses=losses, every=every)
    assert not outcome.bad, "\n".join(outcome.broken)
    assert outcome.states > 20 and len(outcome.by_kind) == 3


Writer = Callable[[Path, int, subjects.Ack], None]


def unsynced(root: Path, size: int, ack: subjects.Ack) -> None:
    for number in range(size):
        with (root / "log").open("ab") as log:
            log.write(b"%d\n" % number)
        ack(str(number))


def in_place(root: Path, size: int, ack: subjects.Ack) -> None:
    for number in range(size):
        with (root / "log").open("wb") as log:
            log.write(b"%d\n" % number * 500)
            log.flush()
            os.fsync(log.fileno())
        ack(str(number))


def renamed_unsynced_name(root: Path, size: int, ack: subjects.Ack) -> None:
    for number in range(size):
        with (root / "new").open("wb") as log:
            log.write(b"%d\n" % number)
            log.flush()
            os.fsync(log.fileno())
        os.replace(root / "new", root / "log")
        ack(str(number))


def has_last(state: State, _: Path) -> str:
    lines = state.files.get("log", b"").split(b"\n")
    return "" if not state.acked or state.acked[-1].encode() in lines else f"{state.acked[-1]} is gone"


@pytest.mark.parametrize(
    ("act", "how"),
    [(unsynced, "power lost"), (in_place, "killed"), (renamed_unsynced_name, "power lost")],
)
def test_the_replay_finds_writers_that_break_their_promise(
    act: Writer, how: str, shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SUBJECTS, "planted", Subject(act, has_last))
    monkeypatch.setenv("CRASHPOINTS_PLANTED", act.__name__)
    outcome = replay("planted", tmp_path, shim, size=4, losses=2)
    assert outcome.bad and any(how in line for line in outcome.broken), outcome


def all_states(ops: list[Op], losses: int = 0) -> Iterator[tuple[str, bytes]]:
    return ((state.how, state.files.get("f", b"-")) for state in states(ops, losses))


def test_a_power_loss_drops_what_was_not_synced_and_keeps_what_was() -> None:
    ops = [Op("C", "f"), Op("W", "f", 0, b"aa"), Op("S", "f"), Op("S", ""), Op("W", "f", 2, b"bb")]
    found = [data for how, data in all_states(ops) if how.startswith("power lost")]
    assert found == [b"-", b"-", b"-", b"aa", b"aa"], "a name is not kept by syncing its file"
    assert {data for how, data in all_states(ops) if how == "killed"} == {b"-", b"", b"aa", b"aabb"}
    assert b"aab" in {data for how, data in all_states(ops) if how == "torn at 1"}


def test_a_reader_that_dies_or_hangs_is_found() -> None:
    assert in_child(lambda: "fine", 5) == "fine"
    assert in_child(lambda: os._exit(9), 5) == "the reader died"
    assert "did not end" in in_child(lambda: __import__("time").sleep(30) or "", 0.2)
