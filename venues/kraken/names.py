"""Our order names as Kraken's client ids, and back.

A client id is a tag and no protection: the venue takes one again once its order has ended. Ours carry a
mark of the desk that made them, so that a desk whose count began anew never takes an old desk's order for
its own. A name too long for a mark goes out as it is, and is known again in this process only.
"""

from __future__ import annotations

import base64
import hashlib

from venues.kraken.translate import FOREIGN, Json

MOST = 18
"""A client id that is not a UUID has so many characters at most."""
MARK_CHARACTERS = 6
SEPARATOR = "~"


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
        if len(name) + len(self._mark) <= MOST:
            return name + self._mark
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
            return wire.removesuffix(self._mark)
        return wire if wire in self._bare else ""
