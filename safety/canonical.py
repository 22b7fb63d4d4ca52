"""One spelling for everything that is hashed: sorted keys, no spaces, decimals and enums as text."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

from venues.types import Record

T = TypeVar("T", bound=Record)
_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="string")


def canonical(value: Any) -> bytes:
    """Return the canonical JSON of a message; equal values give equal bytes in every process."""
    return _ENCODER.encode(value)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of a message's canonical JSON."""
    return sha256_hex(canonical(value))


def changed(record: T, **fields: object) -> T:
    """Return a copy of a frozen message with some fields changed."""
    return msgspec.structs.replace(record, **fields)  # type: ignore[type-var]
