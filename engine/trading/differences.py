"""What the venue shows and our record does not, as facts: pure, and named by a hash of what is seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from safety.canonical import changed, sha256_hex
from safety.text import clean
from venues.types import TERMINAL, Fill, OrderStatus, Record, Side, VenueOrder

ZERO = Decimal(0)
CENT = Decimal("0.01")
HASH_CHARACTERS = 16
MAX_NAME = 64


class Kind(StrEnum):
    FOREIGN = "foreign"
    """An order at the venue that is not in our record, with its executions."""
    POSITION = "position"
    CASH = "cash"
    SOURCES = "sources"
    """The venue's stream and its REST answers disagree about what the account holds."""
    UNKNOWN = "unknown"
    """An order of ours that nobody has proved anything about."""


class Difference(Record):
    """One thing on which the ledger and the venue do not agree: what each of them says.

    `amount` is the venue's figure less ours, where there is one.
    """

    kind: str
    subject: str
    ours: str
    theirs: str
    amount: Decimal = ZERO

    @property
    def key(self) -> str:
        """Return the name people use, safe to print."""
        return f"{self.kind}:{clean(self.subject, MAX_NAME)}"

    def seen(self, account: str) -> str:
        """Return the hash of exactly this picture of this account."""
        said = [account, self.kind, self.subject, self.ours, self.theirs]
        return sha256_hex(msgspec.json.encode(said))[:HASH_CHARACTERS]


class ForeignOrder(Record):
    """An order that somebody else placed on our account, as far as the venue has shown it."""

    order_id: str
    since_ns: int
    order: VenueOrder | None = None
    fills: tuple[Fill, ...] = ()

    @property
    def symbol(self) -> str:
        return self.order.symbol if self.order else self.fills[0].symbol if self.fills else ""

    @property
    def side(self) -> Side | None:
        return self.order.side if self.order else self.fills[0].side if self.fills else None

    @property
    def executed(self) -> Decimal:
        """Return the quantity of the executions that were shown."""
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def quantity(self) -> Decimal:
        """Return what it asked for; where only executions were shown, what they came to."""
        return max(self.order.quantity if self.order else ZERO, self.executed)

    @property
    def limit_price(self) -> Decimal:
        """Return the worst price that it takes, 0 where the venue named none."""
        return self.order.limit_price if self.order else ZERO

    @property
    def is_over(self) -> bool:
        """Tell whether the venue says that it will never act again."""
        return self.order is not None and self.order.status in TERMINAL

    @property
    def is_told(self) -> bool:
        """Tell whether all that it did was shown: its end, and every execution up to it."""
        return self.is_over and self.order is not None and self.executed >= self.order.filled

    def with_fill(self, fill: Fill) -> ForeignOrder:
        """Return it with one more execution; a known one changes nothing."""
        if any(known.fill_id == fill.fill_id for known in self.fills):
            return self
        fills = sorted((*self.fills, fill), key=lambda each: (each.at_ns, each.fill_id))
        return changed(self, fills=tuple(fills))

    def said(self) -> str:
        """Return what the venue says about it, in one line."""
        if self.side is None:
            return "seen on the stream, in no list of the venue yet"
        status = self.order.status if self.order else OrderStatus.FILLED
        text = f"{status} {self.side} {self.quantity.normalize():f} {self.symbol}"
        if self.limit_price and not self.is_over:
            text += f" limit {self.limit_price.normalize():f}"
        if not self.fills:
            return text
        paid = sum((fill.quantity * fill.price for fill in self.fills), ZERO) / self.executed
        fees = sum((fill.fee for fill in self.fills), ZERO)
        return f"{text}, {self.executed.normalize():f} done @ {paid:.8g}, fee {fees:.2f}"

    def held(self) -> Decimal:
        """Return what its executions have done to the position, signed."""
        return sum((fill.quantity * fill.side.sign for fill in self.fills), ZERO)


def compare(
    foreign: Mapping[str, ForeignOrder],
    ours: Mapping[str, Decimal],
    theirs: Mapping[str, Decimal],
    cash_usd: tuple[Decimal, Decimal],
) -> tuple[Difference, ...]:
    """List every disagreement about orders, positions (signed, by symbol) and cash (ours, theirs). Pure."""
    found = [
        Difference(kind=Kind.FOREIGN, subject=name, ours="unknown", theirs=foreign[name].said())
        for name in sorted(foreign)
    ]
    for symbol in sorted(theirs.keys() | ours.keys()):
        mine, its = ours.get(symbol, ZERO), theirs.get(symbol, ZERO)
        if mine != its:
            found.append(
                Difference(
                    kind=Kind.POSITION, subject=symbol, ours=f"{mine:f}", theirs=f"{its:f}", amount=its - mine
                )
            )
    amount = cash_usd[1] - cash_usd[0]
    if abs(amount) > CENT:
        said = (f"{cash_usd[0]:.2f}", f"{cash_usd[1]:.2f}")
        found.append(
            Difference(
                kind=Kind.CASH,
                subject="USD",
                ours=said[0],
                theirs=said[1],
                amount=amount,
            )
        )
    return tuple(found)


def obstacle(
    difference: Difference, all_of_them: Collection[Difference], foreign_symbols: Collection[str]
) -> str:
    """Say what must be decided before this difference can be; empty where nothing must.

    A hand trade shows as an order, a position and cash: who books two of them books it twice.
    """
    if difference.kind == Kind.POSITION and difference.subject in foreign_symbols:
        return "decide about the foreign orders of this symbol first"
    if difference.kind == Kind.CASH and any(each.kind != Kind.CASH for each in all_of_them):
        return "decide about foreign orders and positions first"
    return ""
