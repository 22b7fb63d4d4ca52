"""Our order names as Hyperliquid's 16-byte client ids, and back.

A cloid is a tag and no protection: the venue takes one again once its order has ended. Ours therefore
carry a mark of the desk that made them, so that a desk whose count began anew never takes an old desk's
order for its own. Names that count (`O-3-0012`) can be read back after a restart; others are digests.
"""

from __future__ import annotations

import hashlib
import re

COUNTED = re.compile(r"([A-Z])-(0|[1-9]\d{0,7})-(\d{4,8})")
MARK_BYTES, LIMIT = 8, 1 << 24
DIGEST, READABLE = 0x68, 0x69
FOREIGN = "hl:"
"""What stands before the venue's number in the name of an order that is not this desk's."""


class Cloids:
    """The client ids of one desk; `desk` is its own unrepeatable name."""

    def __init__(self, desk: str) -> None:
        self._named: dict[str, str] = {}
        self.use(desk)

    def use(self, desk: str) -> None:
        """Carry this desk's mark from now on."""
        self._mark = hashlib.sha256(f"interlock:{desk}".encode()).digest()[:MARK_BYTES]
        self._named.clear()

    def of(self, name: str) -> str:
        """Return the cloid of an order's name: 0x and 32 lower-case hexadecimal digits."""
        found = COUNTED.fullmatch(name)
        if found and int(found[2]) < LIMIT and int(found[3]) < LIMIT and _name(*_parts(found)) == name:
            letter, epoch, count = _parts(found)
            raw = bytes((READABLE, ord(letter))) + epoch.to_bytes(3, "big") + count.to_bytes(3, "big")
        else:
            raw = bytes((DIGEST,)) + hashlib.sha256(name.encode()).digest()[:7]
        cloid = "0x" + (raw + self._mark).hex()
        if raw[0] == DIGEST:
            self._named[cloid] = name
        return cloid

    def name_of(self, cloid: str | None, oid: int) -> str:
        """Return the name of the order that carries a cloid; a foreign one where it is not ours."""
        foreign = f"{FOREIGN}{oid}"
        if cloid is None:
            return foreign
        cloid = cloid.lower()
        if cloid in self._named:
            return self._named[cloid]
        raw = bytes.fromhex(cloid.removeprefix("0x"))
        if len(raw) != 16 or raw[MARK_BYTES:] != self._mark or raw[0] != READABLE:
            return foreign
        return _name(chr(raw[1]), int.from_bytes(raw[2:5], "big"), int.from_bytes(raw[5:8], "big"))


def _parts(found: re.Match[str]) -> tuple[str, int, int]:
    return found[1], int(found[2]), int(found[3])


def _name(letter: str, epoch: int, count: int) -> str:
    return f"{letter}-{epoch}-{count:04d}"
