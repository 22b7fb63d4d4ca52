"""The simulated account: cash, signed positions at average entry, fees; Decimal throughout."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from venues.types import AccountSnapshot, Fill, Record, Side, VenuePosition

ZERO = Decimal(0)
USD_QUANTUM = Decimal("1e-8")


class Holding(Record):
    """A signed quantity and its average entry price."""

    quantity: Decimal
    entry_price: Decimal


class AccountState(Record):
    """An account as data."""

    starting_cash_usd: Decimal
    cash_usd: Decimal
    fees_usd: Decimal
    realised_usd: Decimal
    holdings: dict[str, Holding]


class Account:
    """Perpetuals on USD collateral: cash moves by realised result and fees only."""

    def __init__(self, starting_cash_usd: Decimal) -> None:
        assert starting_cash_usd >= 0
        self._starting_usd = starting_cash_usd
        self.cash_usd, self.fees_usd, self.realised_usd = starting_cash_usd, ZERO, ZERO
        self.holdings: dict[str, Holding] = {}

    @classmethod
    def from_state(cls, state: AccountState) -> Account:
        account = cls(state.starting_cash_usd)
        account.cash_usd, account.fees_usd = state.cash_usd, state.fees_usd
        account.realised_usd, account.holdings = state.realised_usd, dict(state.holdings)
        return account

    def state(self) -> AccountState:
        return AccountState(
            starting_cash_usd=self._starting_usd,
            cash_usd=self.cash_usd,
            fees_usd=self.fees_usd,
            realised_usd=self.realised_usd,
            holdings=dict(self.holdings),
        )

    def move_cash(self, amount_usd: Decimal) -> None:
        """Book cash that came in or went out without a trade; it counts as cash from the start."""
        self._starting_usd += amount_usd
        self.cash_usd += amount_usd

    def reducible(self, symbol: str, side: Side) -> Decimal:
        """Return how much an order of this side could reduce the position by."""
        holding = self.holdings.get(symbol)
        return max(ZERO, -side.sign * holding.quantity) if holding is not None else ZERO

    def apply(self, fill: Fill) -> None:
        """Book one execution: realise what it closes, average what it adds, pay the fee."""
        assert fill.quantity > 0 and fill.price > 0
        before = self.holdings.get(fill.symbol, Holding(quantity=ZERO, entry_price=ZERO))
        closing = min(fill.quantity, self.reducible(fill.symbol, fill.side))
        realised = (closing * (fill.price - before.entry_price) * -fill.side.sign).quantize(USD_QUANTUM)
        self.realised_usd += realised
        self.fees_usd += fill.fee
        self.cash_usd += realised - fill.fee
        after = before.quantity + fill.side.sign * fill.quantity
        if after == 0:
            self.holdings.pop(fill.symbol, None)
        else:
            self.holdings[fill.symbol] = Holding(
                quantity=after, entry_price=_entry(before, fill, closing, after)
            )
        assert self.cash_usd == self._starting_usd + self.realised_usd - self.fees_usd

    def snapshot(self, account_id: str, marks: Mapping[str, float], at_ns: int) -> AccountSnapshot:
        """Return balances and positions at these marks; a symbol without a mark stands at entry."""
        positions = tuple(
            VenuePosition(
                symbol=symbol,
                quantity=holding.quantity,
                entry_price=holding.entry_price,
                mark_price=Decimal(repr(marks[symbol])) if symbol in marks else holding.entry_price,
            )
            for symbol, holding in sorted(self.holdings.items())
        )
        open_usd = sum(((p.mark_price - p.entry_price) * p.quantity for p in positions), ZERO)
        return AccountSnapshot(
            account_id=account_id,
            cash_usd=self.cash_usd,
            equity_usd=self.cash_usd + open_usd,
            positions=positions,
            at_ns=at_ns,
        )


def _entry(before: Holding, fill: Fill, closing: Decimal, after: Decimal) -> Decimal:
    """Return the entry price after a fill: averaged when added to, kept when reduced, new when flipped."""
    if closing == 0:
        cost = abs(before.quantity) * before.entry_price + fill.quantity * fill.price
        return cost / abs(after)
    return before.entry_price if after * before.quantity > 0 else fill.price
