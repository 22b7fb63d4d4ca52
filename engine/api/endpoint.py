"""How a client finds the engine: `run/endpoint.json` and the credential file of its role."""

from __future__ import annotations

from pathlib import Path

import msgspec

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
