"""One engine for one home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.lock import AlreadyRunning, EngineLock, holder


def test_second_engine_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "run" / "engine.lock"
    first = EngineLock(path)
    first.acquire()
    with pytest.raises(AlreadyRunning) as refusal:
        EngineLock(path).acquire()
    assert (refusal.value.code, refusal.value.pid) == ("already_running", os.getpid())
    assert holder(path) == os.getpid()
    first.release()
    assert holder(path) == 0
    EngineLock(path).acquire()


def test_lock_is_free_after_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "engine.lock"
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom engine.lock import EngineLock\n"
        "EngineLock(Path(sys.argv[1])).acquire()\nprint('held', flush=True)\ntime.sleep(60)\n"
    ).replace(
        "EngineLock(Path(sys.argv[1])).acquire()", "lock = EngineLock(Path(sys.argv[1])); lock.acquire()"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"held\n"
    assert holder(path) == child.pid
    child.kill()
    child.wait()
    child.stdout.close()
    assert holder(path) == 0
    EngineLock(path).acquire()


def test_no_lock_file_means_no_engine(tmp_path: Path) -> None:
    assert holder(tmp_path / "engine.lock") == 0
