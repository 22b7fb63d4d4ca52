"""A demo that is cut off (a closed terminal, a kill -9) leaves no engine behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.api import launch
from engine.api.demo import OpenConsole, run_interactive
from engine.api.endpoint import read_endpoint
from engine.api.home import HomePaths

ROOT = Path(__file__).resolve().parents[2]


def _wait(what: object, seconds: float = 60.0) -> bool:
    assert callable(what)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_demo_takes_its_engine_with_it(tmp_path: Path) -> None:
    environment = {**os.environ, "INTERLOCK_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "interlock", "demo", "--headless", "--seconds", "240", "--json"]
    demo = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    paths = HomePaths(tmp_path / "demo")
    try:
        assert _wait(paths.endpoint.exists)
        engine = read_endpoint(paths.endpoint).pid
        assert _is_alive(engine)
    finally:
        demo.send_signal(signal.SIGKILL)
        demo.wait(60)
    assert _wait(lambda: not _is_alive(engine)), "the engine outlived its demo"
    assert not paths.endpoint.exists(), "it stopped in order"


def test_a_second_demo_is_refused_and_leaves_the_first_one_s_endpoint(tmp_path: Path) -> None:
    environment = {**os.environ, "INTERLOCK_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "interlock", "demo", "--headless", "--seconds", "240", "--json"]
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    paths = HomePaths(tmp_path / "demo")
    try:
        assert _wait(paths.endpoint.exists)
        before = read_endpoint(paths.endpoint)
        second = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
        answer = json.loads(second.stdout)
        assert (second.returncode, answer["code"]) == (1, "already_running"), second.stderr
        assert read_endpoint(paths.endpoint) == before and _is_alive(before.pid)
    finally:
        first.kill()
        first.wait(60)
    assert _wait(lambda: not _is_alive(before.pid))


@pytest.mark.parametrize("is_late", [False, True])
def test_a_demo_that_cannot_be_prepared_leaves_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    paths = HomePaths(tmp_path / "demo")
    started: list[subprocess.Popen[bytes]] = []
    spawn = launch.spawn

    def kept(paths: HomePaths, *, follows_parent: bool) -> subprocess.Popen[bytes]:
        started.append(spawn(paths, follows_parent=follows_parent))
        return started[-1]

    def broken() -> OpenConsole:
        assert not is_late or _wait(paths.endpoint.exists), "the engine starts meanwhile"
        raise ImportError("no console here")

    monkeypatch.setattr(launch, "spawn", kept)
    with pytest.raises(ImportError, match="no console here"):
        run_interactive(seed=1, operator="ada", load_console=broken)
    assert [process.poll() is not None for process in started] == [True]
