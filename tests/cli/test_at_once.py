"""A direct kill latches before the command line is loaded, once, and only if its words leave no doubt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli import at_once
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE, read_latch
from seams.disk import RealDisk

WHOLE = ["kill", "--direct", "--confirm", "KILL"]


@pytest.fixture(autouse=True)
def _nothing_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once, "done", None)
    monkeypatch.delenv("INTERLOCK_OPERATOR", raising=False)


@pytest.mark.parametrize(
    ("more", "level"),
    [([], KillLevel.HALT_ALL), (["--level", "close_only", "--json"], KillLevel.CLOSE_ONLY)],
)
def test_a_whole_direct_kill_is_latched_with_its_cause(
    tmp_path: Path, more: list[str], level: KillLevel
) -> None:
    words = ["--home", str(tmp_path), *WHOLE, "--operator", "ada", "--reason", "smoke", *more]
    at_once.kill_at_once(words)
    record = read_latch(RealDisk(), tmp_path / "safety")
    assert (record.level, record.by, record.reason, record.trips) == (level, "ada", "smoke", 1)
    assert KillByte.shared(tmp_path / "safety" / BYTE_FILE).level is level
    assert at_once.done is not None and at_once.done.record == record


@pytest.mark.parametrize(
    "words",
    [
        ["kill", "--confirm", "KILL"],
        ["kill", "--direct", "--confirm", "kill"],
        ["kill", "--direct"],
        [*WHOLE, "--level", "resume"],
        [*WHOLE, "--help"],
        [*WHOLE, "--reason"],
        [*WHOLE, "--confirm", "no"],
        ["resume", *WHOLE],
        [],
    ],
)
def test_words_that_leave_a_doubt_go_the_ordinary_way(tmp_path: Path, words: list[str]) -> None:
    at_once.kill_at_once(["--home", str(tmp_path), *words])
    assert at_once.done is None and not (tmp_path / "safety").exists()


def test_a_disk_that_refuses_is_left_to_the_ordinary_way(tmp_path: Path) -> None:
    (tmp_path / "safety").write_text("a file stands where the folder should be")
    at_once.kill_at_once(["--home", str(tmp_path), *WHOLE])
    assert at_once.done is None


def test_the_command_tells_of_it_and_does_not_latch_again(tmp_path: Path) -> None:
    words = [sys.executable, "-P", "-m", "interlock", "--home", str(tmp_path), *WHOLE, "--json"]
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(
        words, capture_output=True, env={**os.environ, "PYTHONPATH": str(root)}, timeout=60
    )
    told = json.loads(found.stdout)
    assert found.returncode == 0 and told["path"] == "direct" and told["kill"]["level"] == "halt_all"
    assert read_latch(RealDisk(), tmp_path / "safety").trips == 1
