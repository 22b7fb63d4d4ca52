"""What Kraken pushes of an account's balances: a whole picture, and after it each change, counted.

It is a second source beside REST, and nothing is booked from it. A gap in the count is mended by subscribing
anew; the executions on the same connection are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal

import msgspec

from seams.clock import Clock
from seams.wire import MessageLink, Unsent
from venues.contract import Pushed
from venues.kraken.translate import Json, amount, table

CHANNEL = "balances"
REQUEST_ID = 2
"""Tells the answers to this subscription from those to the executions': a refusal costs only this source."""
CASH = "USD"
SPOT = "spot"


class Balances:
    """The balances of one account on one connection. `assets`: the venue's name of a coin -> our symbol."""

    def __init__(self, link: MessageLink, assets: Mapping[str, str], clock: Clock) -> None:
        self._link, self._assets, self._clock = link, assets, clock
        self._token = ""
        self._sequence: int | None = None
        self._owned: dict[str, Decimal] = {}
        self._whole_ns = 0

    def begin(self, token: str) -> None:
        """Subscribe on a new connection. Raises `Unsent`."""
        self._token, self._sequence = token, None
        self._ask("subscribe")

    def end(self) -> None:
        """The connection is gone: what was heard on it is nothing now."""
        self._token, self._sequence = "", None

    def anew(self) -> None:
        """Ask for a whole picture."""
        if self._token:
            self._sequence = None
            with suppress(Unsent):  # it broke: a new connection begins with a whole picture
                self._ask("unsubscribe")
                self._ask("subscribe")

    def pushed(self) -> Pushed | None:
        """Return what the stream says, None before it has said it all."""
        if self._sequence is None:
            return None
        held = {
            symbol: self._owned[asset] for asset, symbol in self._assets.items() if self._owned.get(asset)
        }
        return Pushed(cash_usd=self._owned.get(CASH, Decimal(0)), held=held, whole_ns=self._whole_ns)

    def heard(self, said: Json) -> None:
        """Take one message of the channel. Raises `ValueError` or `KeyError` where it is none."""
        number, rows = int(str(said["sequence"])), said["data"]
        if not isinstance(rows, list):
            raise ValueError("balances without data")
        if said.get("type") == "snapshot":
            if self._sequence is not None:
                return  # a repeat of the one that was taken
            self._owned, self._whole_ns = {}, self._clock.monotonic_ns()
        elif self._sequence is None or number <= self._sequence:
            return  # from before the picture, or a repeat
        elif number != self._sequence + 1 or any(table(row).get("wallet_type") != SPOT for row in rows):
            self.anew()
            return
        self._sequence = number
        for row in map(table, rows):
            self._owned[str(row["asset"])] = amount(row["balance"])

    def _ask(self, method: str) -> None:
        params = {"channel": CHANNEL, "token": self._token}
        said = {"method": method, "params": params, "req_id": REQUEST_ID}
        self._link.send(msgspec.json.encode(said))
