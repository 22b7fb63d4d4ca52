"""`engine start` and `stop`: what they do with the process, shown with a stand-in for the daemon."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli import engine as room
from engine.api import launch
from engine.api.home import HomePaths
from safety.reasons import REASONS

from .conftest import Shell
from .fake_engine import FakeEngine

READY = """
import json, os, sys, time
home = sys.argv[1]
body = {"url": "nats://x", "pid": os.getpid(), "epoch": 3, "engine_version": "0.1.0", "started_at_ns": 1}
with open(home + "/run/endpoint.tmp", "w") as stream: json.dump(body, stream)
os.replace(home + "/run/endpoint.tmp", home + "/run/endpoint.json")
time.sleep(30)
"""
FAILING = "import sys; print('database is \\x1b[31mlocked', file=sys.stderr); sys.exit(1)"
REFUSING = "print('engine will not start: database_locked: paper.db is locked'); raise SystemExit(2)"


def _read_only(path: Path, **_: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system", str(path))


def _stand_in(monkeypatch: pytest.MonkeyPatch, script: str) -> list[subprocess.Popen[bytes]]:
    started: list[subprocess.Popen[bytes]] = []

    def spawn(paths: HomePaths, *, follows_parent: bool = False) -> subprocess.Popen[bytes]:
        with paths.log.open("ab") as log:
            words = [sys.executable, "-c", script, str(paths.home)]
            started.append(subprocess.Popen(words, stdout=log, stderr=log))
        return started[0]

    monkeypatch.setattr(launch, "spawn", spawn)
    return started


def test_start_waits_for_the_endpoint_of_its_own_process(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (home / "run").mkdir()
    stale = '{"url":"x","pid":%d,"epoch":1,"engine_version":"0","started_at_ns":1}'
    (home / "run" / "endpoint.json").write_text(stale % 2**22)
    started = _stand_in(monkeypatch, READY)
    try:
        answer = shell("engine", "start", "--json")
        assert answer.code == 0 and answer.body["pid"] == started[0].pid
        again = shell("engine", "start", "--json")
        assert again.body["pid"] == started[0].pid and len(started) == 1
    finally:
        started[0].kill()
        started[0].wait()


def test_a_start_that_fails_shows_the_end_of_the_log(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(monkeypatch, FAILING)
    answer = shell("engine", "start")
    assert answer.code == 1 and "database is [31mlocked" in answer.err
    assert "ended while starting" in answer.err and "to do: Read `interlock engine logs`" in answer.err
    assert "database" in shell("engine", "logs").out


def test_a_start_that_is_refused_passes_on_the_engine_s_own_code_and_correction(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (home / "run").mkdir()
    (home / "run" / "engine.log").write_text("engine will not start: disk_full: an older start\n")
    _stand_in(monkeypatch, REFUSING)
    answer = shell("engine", "start", "--json")
    assert (answer.code, answer.body["code"]) == (1, "database_locked")
    assert answer.body["message"] == "paper.db is locked"
    assert answer.body["correction"] == REASONS["database_locked"].correction


@pytest.mark.parametrize(
    ("damage", "code", "exit_code"), [("a file", "home_damaged", 2), ("read-only", "home_not_writable", 5)]
)
def test_a_home_that_cannot_be_used_is_refused_before_anything_starts(
    damage: str, code: str, exit_code: int, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "desk"
    monkeypatch.setenv("INTERLOCK_HOME", str(home))
    if damage == "a file":
        home.write_text("not a folder")
    else:  # the tests may run as root, whom no mode stops
        monkeypatch.setattr(Path, "mkdir", _read_only)
    answer = shell("engine", "start", "--json")
    assert (answer.code, answer.body["code"]) == (exit_code, code)
    assert str(home) in str(answer.body["message"]) and answer.body["correction"] == REASONS[code].correction


def test_a_start_that_takes_too_long_leaves_no_process(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "READY_S", 0.2)
    started = _stand_in(monkeypatch, "import time; time.sleep(30)")
    assert shell("engine", "start").code == 1
    assert started[0].poll() is not None


def test_stop_tells_an_engine_that_goes_on_from_one_that_ended(
    shell: Shell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    assert shell("engine", "stop").code == 0
    monkeypatch.setattr(room, "STOP_S", 0.1)
    (home / "run").mkdir()
    body = '{"url":"x","pid":%d,"epoch":1,"engine_version":"0","started_at_ns":1}'
    (home / "run" / "endpoint.json").write_text(body % os.getpid())
    assert shell("engine", "stop", "--json").code == 4


def test_the_daemon_loads_the_packages_this_command_loaded(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    words: list[str] = []
    environment: dict[str, str] = {}

    def popen(command: list[str], **options: object) -> None:
        words.extend(command)
        found = options["env"]
        assert isinstance(found, dict) and options["start_new_session"] is True
        environment.update(found)

    monkeypatch.setattr(subprocess, "Popen", popen)
    (home / "run").mkdir()
    launch.spawn(HomePaths(home))
    assert words[1:] == ["-P", "-m", "engine.daemon", "--home", str(home)]
    assert environment["PYTHONPATH"] == str(Path(launch.__file__).resolve().parents[2])
    assert (home / "run" / "engine.log").stat().st_mode & 0o777 == 0o600
