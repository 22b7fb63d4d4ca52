"""Our order names as Kraken's client ids, and back.

A client id is a tag and no protection: the venue takes one again once its order has ended. Ours carry a
mark of the desk that made them, so that a desk whose count began anew never takes an old desk's order for
its own. A counted name (`O-X-100-0001`) that leaves no room for the mark is written shorter
(`OX2s.1`), so that a later process reads it back; any other name too long for a mark goes out as it is,
and is known again in this process only.
"""

from __future__ import annotations

import base64
import hashlib
import re

from venues.kraken.translate import FOREIGN, Json

MOST = 18
"""A client id that is not a UUID has so many characters at most."""
MARK_CHARACTERS = 6
SEPARATOR = "~"
COUNTED = re.compile(r"([A-Z])(?:-([A-Z]))?-(0|[1-9]\d*)-(\d{4,})")
SHORT = re.compile(r"([A-Z])([A-Z])?([0-9a-z]+)\.([0-9a-z]+)")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Names:
    """The client ids of one desk, and what is known of the venue's ids; `desk` is unrepeatable."""

    def __init__(self, desk: str) -> None:
        self.by_txid: dict[str, str] = {}
        self._bare: set[str] = set()
        self.use(desk)

    def use(self, desk: str) -> None:
        """Carry this desk's mark from now on."""
        digest = hashlib.sha256(f"interlock:{desk}".encode()).digest()
        self._mark = SEPARATOR + base64.b32encode(digest).decode()[:MARK_CHARACTERS]
        self.by_txid.clear()
        self._bare.clear()

    def of(self, name: str) -> str:
        """Return the client id of an order's name."""
        for form in (name, _short(name)):
            if form and not (form == name and SHORT.fullmatch(name)) and len(form + self._mark) <= MOST:
                return form + self._mark
        self._bare.add(name)
        return name

    def txid_of(self, name: str) -> str:
        """Return the venue's id of an order, or nothing where it was never told."""
        if name.startswith(FOREIGN):
            return name.removeprefix(FOREIGN)
        return next((txid for txid, known in reversed(self.by_txid.items()) if known == name), "")

    def learn(self, txid: str, name: str) -> None:
        """Keep what an order of ours is called at the venue."""
        self.by_txid[txid] = name

    def read(self, txid: str, said: Json) -> Json:
        """Return what the venue said of an order with our name in it, also where it left that out."""
        wire = said.get("cl_ord_id")
        if wire:
            self.by_txid[txid] = self._ours(str(wire)) or FOREIGN + txid
        known = self.by_txid.get(txid)
        return said if known is None else {**said, "cl_ord_id": known}

    def _ours(self, wire: str) -> str:
        if wire.endswith(self._mark):
            return _whole(wire.removesuffix(self._mark))
        return wire if wire in self._bare else ""


def _short(name: str) -> str:
    """Return a counted name with its numbers in base 36, nothing for any other name."""
    found = COUNTED.fullmatch(name)
    if found is None:
        return ""
    first, second, epoch, count = found.groups()
    made = f"{first}{second or ''}{_base36(int(epoch))}.{_base36(int(count))}"
    return made if _whole(made) == name else ""


def _whole(form: str) -> str:
    """Return the name that a client id says, written short or as it is."""
    found = SHORT.fullmatch(form)
    if found is None:
        return form
    letters = [letter for letter in found.groups()[:2] if letter]
    return "-".join([*letters, str(int(found[3], 36)), f"{int(found[4], 36):04d}"])


def _base36(number: int) -> str:
    digits = [DIGITS[number % 36]]
    while number := number // 36:
        digits.append(DIGITS[number % 36])
    return "".join(reversed(digits))
