"""Starting an engine process and waiting until it answers: for the command line and for the demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import NamedTuple

from engine.api.endpoint import Endpoint, live_endpoint
from engine.api.home import HomePaths
from engine.failures import reason_code
from seams.clock import NS_PER_S, SystemClock

READY_S = 45.0
GRACE_S = 8.0
POLL_S = 0.02
TAIL_LINES = 6
ROOT = Path(__file__).resolve().parents[2]
SAID = re.compile(r"^engine will not start: (\w+): (.*)$", re.MULTILINE)


class EngineNotReady(Exception):
    """No engine came up. `code` is the reason the engine gave, else `engine_not_ready`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Launched(NamedTuple):
    """An engine that answers, and the process that this one started for it."""

    process: subprocess.Popen[bytes]
    endpoint: Endpoint


async def start(paths: HomePaths, *, follows_parent: bool = False) -> Launched:
    """Start the engine of a home and wait until it answers. Raises `EngineNotReady`; nothing stays behind.

    With `follows_parent` the engine stops in order when this process ends, however it ends.
    """
    try:
        paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        said_before = paths.log.stat().st_size if paths.log.exists() else 0
        process = spawn(paths, follows_parent=follows_parent)
    except OSError as error:
        raise EngineNotReady(reason_code(error), str(error)) from error
    try:
        endpoint = await _ready(paths, process)
    except BaseException:
        end(process)
        raise
    if endpoint is None:
        is_late = process.poll() is None
        end(process)
        raise _not_ready(paths.log, said_before, is_late=is_late)
    return Launched(process=process, endpoint=endpoint)


def spawn(paths: HomePaths, *, follows_parent: bool = False) -> subprocess.Popen[bytes]:
    """Start the daemon in a session of its own, its words going to `run/engine.log` (0600).

    It loads the packages that this process loaded, whatever the working folder. Raises `OSError`.
    """
    command = [sys.executable, "-P", "-m", "engine.daemon", "--home", str(paths.home)]
    with paths.log.open("ab") as log:
        paths.log.chmod(0o600)
        return subprocess.Popen(
            [*command, "--follow-parent"] if follows_parent else command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End an engine process: in order within `GRACE_S`, else by force."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(path: Path, lines: int, start: int = 0) -> list[str]:
    """Return the last lines of a text file, looking no further back than byte `start`; as they are."""
    with path.open("rb") as stream:
        stream.seek(start)
        return [line.decode(errors="replace").rstrip("\n") for line in deque(stream, maxlen=lines)]


async def _ready(paths: HomePaths, process: subprocess.Popen[bytes]) -> Endpoint | None:
    """Wait for the endpoint that this process writes; None when it ended or took too long."""
    clock = SystemClock()
    deadline_ns = clock.monotonic_ns() + round(READY_S * NS_PER_S)
    while clock.monotonic_ns() < deadline_ns and process.poll() is None:
        endpoint = live_endpoint(paths)
        if endpoint is not None and endpoint.pid == process.pid:
            return endpoint
        await clock.sleep(POLL_S)
    return None


def _not_ready(log: Path, start: int, *, is_late: bool) -> EngineNotReady:
    """Say why, in the engine's own words where its log has them."""
    lines = tail(log, TAIL_LINES, start)
    said = SAID.search("\n".join(lines))
    if said is not None:
        return EngineNotReady(said[1], said[2])
    what = f"the engine was not ready within {READY_S:g} s" if is_late else "the engine ended while starting"
    return EngineNotReady("engine_not_ready", f"{what}; its log ends: {' | '.join(lines) or '(empty)'}")
