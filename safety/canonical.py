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


class Spelled:
    """The canonical JSON of the newest message asked for, and its hash: the same object is spelled once.

    For what many judgements share and nobody changes: a frozen policy, an instrument.
    """

    def __init__(self) -> None:
        self._of: Any = self
        self.body, self.sha256 = "", ""

    def __call__(self, value: Record | None) -> Spelled:
        """Return this, holding the spelling of `value`."""
        if value is not self._of:
            data = canonical(value)
            self._of, self.body, self.sha256 = value, data.decode(), sha256_hex(data)
        return self


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of a message's canonical JSON."""
    return sha256_hex(canonical(value))


def changed(record: T, **fields: object) -> T:
    """Return a copy of a frozen message with some fields changed."""
    return msgspec.structs.replace(record, **fields)  # type: ignore[type-var]
