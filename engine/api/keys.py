"""Operators' keys on the desk's disk, for who administers them; the engine reads them for every signature."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safety.principals import Enrolled, OperatorKey, enrol, enrolled, revoke
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import secret_token
from venues.types import Record


class OperatorRow(Record):
    """An operator and the key on file; `state` is in force or revoked."""

    operator: str
    key_id: str
    state: str


def make_key(path: Path) -> str:
    """Write a new private key (0600) and return its public half. Raises `FileExistsError`."""
    disk = RealDisk()
    if disk.exists(path):
        raise FileExistsError(path)
    seed = hashlib.sha256(secret_token(48).encode()).digest()
    disk.make_folder(path.parent)
    disk.write_atomic(path, seed.hex().encode() + b"\n", 0o600)
    return OperatorKey(seed).public_key


def enrol_operator(folder: Path, operator: str, public_key: str) -> OperatorRow:
    """Write a public key down. Raises `Refusal`: operator_required, signature_invalid."""
    return _row(enrol(RealDisk(), folder, operator, public_key, SystemClock().now_ns()))


def revoke_operator(folder: Path, operator: str) -> OperatorRow:
    """Let a key count no longer. Raises `Refusal`: not_found, operator_required."""
    return _row(revoke(RealDisk(), folder, operator, SystemClock().now_ns()))


def operators(folder: Path) -> tuple[OperatorRow, ...]:
    """Return every operator with a key on file, by name. Raises `Refusal("signature_invalid")`."""
    disk = RealDisk()
    names = sorted(name.removesuffix(".json") for name in disk.list(folder)) if disk.exists(folder) else []
    found = [enrolled(disk, folder, name) for name in names]
    return tuple(_row(each) for each in found if each is not None)


def _row(found: Enrolled) -> OperatorRow:
    state = "revoked" if found.revoked_ns else "in force"
    return OperatorRow(operator=found.operator, key_id=found.key_id, state=state)
