"""What the record says of one account at a venue: its opening cash, its fills, and what operators decided."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.api.reconcile import DecidedRow
from engine.store.store import Store
from engine.trading.adjustments import Adjustment, bookings_of
from engine.trading.rows import fill_of
from venues.types import Fill


class AccountRecord:
    """The record of one account; `key` is its name there."""

    def __init__(self, store: Store, venue: str, account: str) -> None:
        self._store, self._venue, self._account = store, venue, account
        self.key = f"{venue}:{account}"

    def adjustments(self) -> list[Adjustment]:
        """Return every operator's booking, oldest first."""
        kept = self._store.facts.under(f"adjustment:{self.key}:")
        return [msgspec.json.decode(text, type=Adjustment) for text in kept.values()]

    def adjust(self, text: str, at_ns: int) -> None:
        """Keep one more booking, as its JSON."""
        number = len(self._store.facts.under(f"adjustment:{self.key}:")) + 1
        self._store.facts.set(f"adjustment:{self.key}:{number:06d}", text, at_ns)

    def decisions(self) -> list[DecidedRow]:
        """Return every operator's decision about a difference, oldest first."""
        kept = self._store.facts.under(f"decided:{self.key}:")
        return [msgspec.json.decode(text, type=DecidedRow) for text in kept.values()]

    def decide(self, number: int, row: DecidedRow) -> None:
        """Keep a decision under its number, 1 for the first."""
        text = msgspec.json.encode(row).decode()
        self._store.facts.set(f"decided:{self.key}:{number:06d}", text, row.at_ns)

    @property
    def is_open(self) -> bool:
        """Whether the account's cash at first contact is known."""
        return self._store.facts.get(f"opening:{self.key}") is not None

    def open(self, cash_usd: Decimal, at_ns: int) -> None:
        """Keep what the account held at first contact: where our ledger begins."""
        self._store.facts.set(f"opening:{self.key}", f"{cash_usd:f}", at_ns)

    def bookings(self, moved_usd: Decimal) -> tuple[Decimal, list[Fill]]:
        """Return cash and fills in the order of their time; `moved_usd`: what the venue moved by itself."""
        adjustments = self.adjustments()
        opening_usd = Decimal(self._store.facts.get(f"opening:{self.key}") or 0)
        fills = [fill_of(row) for row in self._store.orders.fills_of_account(self._venue, self._account)]
        fills += [fill for each in adjustments for fill in bookings_of(each)]
        fills.sort(key=booking_order)
        booked_usd = sum((each.cash_usd for each in adjustments), moved_usd)
        return opening_usd + booked_usd, fills


def booking_order(fill: Fill) -> tuple[int, str]:
    """Return what fills are booked by: the venue's time, then its own numbering."""
    return fill.at_ns, fill.fill_id
