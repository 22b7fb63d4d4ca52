"""For programs that drive us: a request from a JSON file, and signals of progress to a JSONL file.

    {"schema_version": "1.0", "request_id": "R-1", "command": "run", "params": {...}}
    {"schema_version": "1.0", "event": "SESSION_COMPLETED", "status": "success", "mode": "run", ...}

Both are described in runbooks/consumers.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from console.cli import diagnostics
from console.cli.failure import Failure
from seams.clock import SystemClock, iso_z
from seams.disk import RealDisk

SCHEMA_VERSION = "1.0"
KEYS = {"schema_version", "request_id", "command", "params"}
MAX_ID = 128
MAX_REQUEST_BYTES = 4 * 1024 * 1024

JsonRequest = Annotated[
    Path | None, typer.Option("--json-request", help="A JSON file with request_id and params.")
]
SignalFile = Annotated[
    Path | None, typer.Option("--signal-file", help="Append a JSON line when it starts and when it ends.")
]


class Asked(NamedTuple):
    """A request: its id, and its parameters as plain values."""

    request_id: str
    params: dict[str, object]


class Signals:
    """Where a command says how it goes; best effort: a file that cannot be written is told once."""

    def __init__(self, path: Path | None, mode: str, request_id: str) -> None:
        self._path, self._mode, self._request_id = path, mode, request_id
        self._clock, self._disk = SystemClock(), RealDisk()
        self._is_told = False

    def send(self, event: str, status: str, **more: object) -> None:
        """Append one line, durably."""
        if self._path is None:
            return
        line = {
            "schema_version": SCHEMA_VERSION,
            "event": event,
            "status": status,
            "mode": self._mode,
            "request_id": self._request_id,
            "timestamp": iso_z(self._clock.now_ns()),
            **more,
        }
        try:
            self._disk.append(self._path, (json.dumps(line, allow_nan=False) + "\n").encode())
        except OSError as error:
            if not self._is_told:
                diagnostics.say(f"signals cannot be written to {self._path}: {error.strerror}")
            self._is_told = True

    def completed(self, run_id: str, folder: str) -> None:
        """Say that a run was published, and where its files are."""
        path = Path(folder)
        self.send(
            "SESSION_COMPLETED",
            "success",
            run_id=run_id,
            artifacts_path=str(path),
            report_path=str(path / "report.json"),
            runs_index_json=str(path.parents[1] / "runs_index.json"),
        )

    def failed(self, error: BaseException) -> None:
        """Say that it failed, why, and with which exit code."""
        code = error.code if isinstance(error, Failure) else type(error).__name__
        status = int(error.exit_code) if isinstance(error, Failure) else 1
        self.send(
            "SESSION_FAILED", "error", exit_code=status, error_type=code, message=str(error)[:500] or code
        )


@contextmanager
def refusals(path: Path | None, mode: str, request_id: str = "") -> Iterator[None]:
    """Send SESSION_FAILED when what is inside refuses the request: nothing was started."""
    try:
        yield
    except Failure as error:
        Signals(path, mode, request_id).failed(error)
        raise


@contextmanager
def signals(path: Path | None, mode: str, request_id: str) -> Iterator[Signals]:
    """Send SESSION_STARTED, and SESSION_FAILED when what is inside raises; success is sent by it."""
    sender = Signals(path, mode, request_id)
    sender.send("SESSION_STARTED", "running")
    try:
        yield sender
    except BaseException as error:
        sender.failed(error)
        raise


def read_request(path: Path | None, command: str, signal_file: Path | None = None) -> Asked:
    """Read a request for `command`; without a path, an empty one. Raises `Failure`, which it signals."""
    if path is None:
        return Asked("", {})
    with refusals(signal_file, command):
        return _read(path, command)


def _read(path: Path, command: str) -> Asked:
    try:
        data = RealDisk().read(path)
    except OSError as error:
        raise _bad(f"{path}: {error.strerror}") from error
    try:
        body = json.loads(data) if len(data) <= MAX_REQUEST_BYTES else None
    except ValueError as error:
        raise _bad(f"{path} is not JSON: {error}") from error
    if not isinstance(body, dict) or set(body) - KEYS or not {"schema_version", "command"} <= set(body):
        raise _bad(f"a request has {', '.join(sorted(KEYS))}, and nothing else")
    if body["schema_version"] != SCHEMA_VERSION:
        raise _bad(f"schema_version must be {SCHEMA_VERSION!r}, not {body['schema_version']!r}")
    if body["command"] != command:
        raise _bad(f"the request is for {body['command']!r}, this command is {command!r}")
    request_id, params = body.get("request_id", ""), body.get("params", {})
    if not isinstance(request_id, str) or len(request_id) > MAX_ID or not isinstance(params, dict):
        raise _bad("request_id must be text of at most 128 characters, params an object")
    return Asked(request_id, params)


def _bad(message: str) -> Failure:
    return Failure("invalid_request", message, "see runbooks/consumers.md")
