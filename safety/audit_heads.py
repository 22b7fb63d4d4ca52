"""Heads that vouch for a log: signed ones kept beside it, and anchors kept in a second place.

A chain proves that nothing inside it was changed; it cannot prove that its end is still there, nor that
it was not written anew from the first record on. A signed head can (nobody without the key makes one),
and so can an anchor (nobody who holds only this folder reaches it). Both are lines of `SignedHead`.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec

from safety.canonical import canonical, changed
from safety.reasons import Refusal
from safety.secrets import KeyReference, Secret, load_secret
from seams.disk import Disk
from venues.types import Record

MIN_KEY_CHARACTERS = 32
UNSIGNED = ""


class SignedHead(Record):
    """Where the log ended at an instant. `key_id` and `signature` are empty where no key is configured."""

    seq: int
    hash: str
    at_ns: int
    cause: str
    key_id: str = UNSIGNED
    signature: str = UNSIGNED


class HeadKey:
    """Signs and checks heads by HMAC-SHA-256 (RFC 2104)."""

    def __init__(self, secret: Secret) -> None:
        """Raises `Refusal("secret_missing")` for a key shorter than 32 characters."""
        if len(secret.reveal()) < MIN_KEY_CHARACTERS:
            raise Refusal("secret_missing", f"the audit key has under {MIN_KEY_CHARACTERS} characters")
        self._key = hashlib.sha256(secret.reveal().encode()).digest()
        self.key_id = hashlib.sha256(b"interlock.audit.key_id" + self._key).hexdigest()[:16]

    @classmethod
    def load(cls, path: str) -> HeadKey | None:
        """Read the configured 0600 key file; None for no path. Raises `Refusal` where it cannot be used."""
        return cls(load_secret(KeyReference(name="the audit head key", path=path))) if path else None

    def sign(self, head: SignedHead) -> SignedHead:
        """Return the head with this key's signature."""
        named = changed(head, key_id=self.key_id, signature=UNSIGNED)
        return changed(named, signature=self._signature(named))

    def vouches_for(self, head: SignedHead) -> bool:
        """Tell whether this key made the head's signature."""
        bare = changed(head, signature=UNSIGNED)
        return head.key_id == self.key_id and hmac.compare_digest(self._signature(bare), head.signature)

    def _signature(self, head: SignedHead) -> str:
        return hmac.new(self._key, canonical(head), hashlib.sha256).hexdigest()


def book_path(path: Path) -> Path:
    """Return where a log's signed heads are kept."""
    return path.with_name(path.name + ".signed")


def add_head(disk: Disk, path: Path, head: SignedHead) -> None:
    """Append a head to a book; durable when this returns. Raises `OSError`."""
    disk.append(path, canonical(head) + b"\n")


def trim_book(disk: Disk, path: Path) -> int:
    """Cut off a last line that a crash left without its end or with a hole, and return its bytes.

    It was never acknowledged. Call it before the first `add_head` of a process.
    """
    if not disk.exists(path):
        return 0
    data = disk.read(path)
    kept = data[: data.rstrip(b"\n").rfind(b"\n") + 1]
    last = data[len(kept) :]
    if not last or (last.endswith(b"\n") and _head_of(last[:-1]) is not None):
        return 0
    disk.write_atomic(path, kept)
    return len(last)


def read_heads(disk: Disk, path: Path) -> tuple[SignedHead, ...]:
    """Return a book's heads; none where it is missing. Raises `OSError`, or `ValueError` naming the line."""
    try:
        data = disk.read(path)
    except FileNotFoundError:
        return ()
    if data and not data.endswith(b"\n"):
        raise ValueError("the last line has no end")
    heads = []
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        head = _head_of(line)
        if head is None:
            raise ValueError(f"line {number} is not a head")
        heads.append(head)
    return tuple(heads)


def _head_of(line: bytes) -> SignedHead | None:
    try:
        head = msgspec.json.decode(line, type=SignedHead)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return head if canonical(head) == line else None
