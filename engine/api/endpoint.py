"""How a client finds the engine: `run/endpoint.json` and the credential file of its role."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from engine.api.home import HomePaths
from venues.types import Record


class Endpoint(Record):
    """Written by the engine when it is ready; `pid` and `epoch` tell one engine from the next."""

    url: str
    pid: int
    epoch: int
    engine_version: str
    started_at_ns: int


class Credential(Record):
    """A bus user and its password, in a 0600 file, one for each role."""

    role: str
    user: str
    password: str


def read_endpoint(path: Path) -> Endpoint:
    """Read the endpoint. Raises `FileNotFoundError` or `msgspec.DecodeError`."""
    return msgspec.json.decode(path.read_bytes(), type=Endpoint)


def read_credential(path: Path) -> Credential:
    """Read a credential. Raises `PermissionError` when others may read the file."""
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path.name} must have mode 0600")
    return msgspec.json.decode(path.read_bytes(), type=Credential)


def live_endpoint(paths: HomePaths) -> Endpoint | None:
    """Return the endpoint whose engine process lives, if any."""
    try:
        endpoint = read_endpoint(paths.endpoint)
    except (OSError, msgspec.MsgspecError):
        return None
    return endpoint if is_alive(endpoint.pid) else None


def is_alive(pid: int) -> bool:
    """Tell whether a process of this number exists on this host."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
