"""Our order names as Hyperliquid's 16-byte client ids, and back.

A cloid is a tag and no protection: the venue takes one again once its order has ended. Ours therefore
carry a mark of the desk that made them, so that a desk whose count began anew never takes an old desk's
order for its own. Names that count (`O-3-0012`, `O-X-3-0001`) can be read back after a
restart; others are digests.
"""

from __future__ import annotations

import hashlib
import re

COUNTED = re.compile(r"([A-Z])(?:-([A-Z]))?-(0|[1-9]\d{0,7})-(\d{4,8})")
MARK_BYTES = 8
EPOCH_BITS, COUNT_BITS, LETTER_BITS = 26, 24, 5
READABLE = 0x9
"""The first four bits of a cloid whose name can be read back; a digest begins with others."""
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
        packed = _packed(name)
        if packed is None:
            digest = hashlib.sha256(name.encode()).digest()[:MARK_BYTES]
            raw = bytes((digest[0] & 0x0F,)) + digest[1:]
        else:
            raw = packed.to_bytes(MARK_BYTES, "big")
        cloid = "0x" + (raw + self._mark).hex()
        if packed is None:
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
        if len(raw) != 2 * MARK_BYTES or raw[MARK_BYTES:] != self._mark or raw[0] >> 4 != READABLE:
            return foreign
        return _name(int.from_bytes(raw[:MARK_BYTES], "big"))


def _packed(name: str) -> int | None:
    """Return a counted name as 64 bits: tag, two letters (the second may be none), epoch, count."""
    found = COUNTED.fullmatch(name)
    if found is None:
        return None
    first, second = (0 if letter is None else ord(letter) - 64 for letter in found.groups()[:2])
    epoch, count = int(found[3]), int(found[4])
    if epoch >> EPOCH_BITS or count >> COUNT_BITS:
        return None
    packed = READABLE << LETTER_BITS | first
    packed = packed << LETTER_BITS | second
    packed = packed << EPOCH_BITS | epoch
    packed = packed << COUNT_BITS | count
    return packed if _name(packed) == name else None


def _name(packed: int) -> str:
    count = packed & (1 << COUNT_BITS) - 1
    packed >>= COUNT_BITS
    epoch = packed & (1 << EPOCH_BITS) - 1
    packed >>= EPOCH_BITS
    second, first = packed & 31, packed >> LETTER_BITS & 31
    letters = [chr(64 + letter) for letter in (first, second) if letter]
    return "-".join([*letters, str(epoch), f"{count:04d}"])
