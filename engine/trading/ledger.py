"""The ledger: positions, profit and equity, from fills and marks only. Money is `Decimal`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from seams.clock import NS_PER_S
from venues.types import Fill

ZERO = Decimal(0)
DAY_NS = 86_400 * NS_PER_S
MAX_EQUITY_POINTS = 2_000
MAX_SEEN_FILLS = 20_000
"""So many of the newest fills are told from new ones here; older ones by the record, which keeps them all."""


@dataclass
class Holding:
    """One symbol's signed position at its size-weighted average entry."""

    symbol: str
    quantity: Decimal = ZERO
    entry_price: Decimal = ZERO
    mark_price: Decimal = ZERO
    mark_ns: int = 0
    realised: Decimal = ZERO
    realised_today: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def unrealised(self) -> Decimal:
        """Profit of the open quantity at the mark, in USD."""
        return (self.mark_price - self.entry_price) * self.quantity if self.mark_price else ZERO

    @property
    def notional(self) -> Decimal:
        """Signed value at the mark, in USD."""
        return self.quantity * self.mark_price


class Ledger:
    """All holdings of one account. Equity = cash + realised - fees + unrealised, exactly."""

    def __init__(self, cash_usd: Decimal) -> None:
        self.cash_usd = cash_usd
        self.holdings: dict[str, Holding] = {}
        self.peak_usd = cash_usd
        self.worst_drawdown = 0.0
        """The largest drawdown at any mark so far, a positive fraction of the peak of its time."""
        self.day = -1
        self.day_start_usd = cash_usd
        self.points: deque[tuple[int, float]] = deque(maxlen=MAX_EQUITY_POINTS)
        self._seen_fills: dict[str, None] = {}

    @property
    def settled_usd(self) -> Decimal:
        """Cash with what closed positions brought and fees took: the balance where positions are margined."""
        return self.cash_usd + sum((held.realised - held.fees for held in self.holdings.values()), ZERO)

    @property
    def paid_usd(self) -> Decimal:
        """What the open positions cost: on spot it has left the cash balance."""
        return sum((held.quantity * held.entry_price for held in self.holdings.values()), ZERO)

    def holding(self, symbol: str) -> Holding:
        """Return what is held of a symbol, to look at; looking makes no holding."""
        return self.holdings.get(symbol) or Holding(symbol)

    def _own(self, symbol: str) -> Holding:
        held = self.holdings.get(symbol)
        if held is None:
            held = self.holdings[symbol] = Holding(symbol)
        return held

    def take_over(self, holdings: Sequence[Holding]) -> None:
        """Begin with positions that are held already, at their marks; peak and day count from there."""
        assert not self.holdings and all(held.mark_price > 0 for held in holdings)
        self.holdings = {held.symbol: held for held in holdings}
        self.peak_usd = self.day_start_usd = self.equity_usd

    def mark(self, symbol: str, price: Decimal, at_ns: int) -> None:
        """Take a new mark price; peak, drawdown and the UTC day follow."""
        assert price > 0
        held = self._own(symbol)
        held.mark_price, held.mark_ns = price, at_ns
        self._roll(at_ns)

    def book(self, fill: Fill, market_ns: int = 0) -> bool:
        """Book a fill once; a repeated `fill_id` changes nothing and returns False.

        `market_ns` is the time the marks are in (a replay's own, not the venue's clock): days are
        counted in one time only. 0 takes the fill's stamp.
        """
        assert fill.quantity > 0 and fill.price > 0
        if fill.fill_id in self._seen_fills:
            return False
        self._seen_fills[fill.fill_id] = None
        if len(self._seen_fills) > MAX_SEEN_FILLS:
            del self._seen_fills[next(iter(self._seen_fills))]
        at_ns = market_ns or fill.at_ns
        held = self._own(fill.symbol)
        before = self.equity_usd
        signed = fill.quantity * fill.side.sign
        gain = _apply(held, signed, fill.price)
        held.realised += gain
        held.realised_today += gain
        held.fees += fill.fee
        if held.mark_price == ZERO:
            held.mark_price, held.mark_ns = fill.price, at_ns
        moved = self.equity_usd - before
        value_step = (held.mark_price - fill.price) * signed
        assert abs(moved - (value_step - fill.fee)) < Decimal("1e-9"), (
            "a fill may only cost its fee and its spread"
        )
        self._roll(at_ns)
        return True

    def has_booked(self, fill_id: str) -> bool:
        """Tell whether this fill is known to be in the ledger: then it is on record too."""
        return fill_id in self._seen_fills

    def rebook(self, cash_usd: Decimal, fills: Sequence[Fill]) -> None:
        """Begin anew with this cash and these fills, in this order; marks, peak and day stay."""
        marks = {held.symbol: (held.mark_price, held.mark_ns) for held in self.holdings.values()}
        today = {held.symbol: held.realised_today for held in self.holdings.values()}
        is_first = not self.holdings and not self._seen_fills
        self.cash_usd = cash_usd
        self._seen_fills = dict.fromkeys(fill.fill_id for fill in fills[-MAX_SEEN_FILLS:])
        self.holdings = {}
        for symbol, (price, at_ns) in marks.items():
            self.holdings[symbol] = Holding(symbol, mark_price=price, mark_ns=at_ns)
        for fill in fills:
            held = self._own(fill.symbol)
            held.realised += _apply(held, fill.quantity * fill.side.sign, fill.price)
            held.fees += fill.fee
            if held.mark_price == ZERO or fill.symbol not in marks:
                held.mark_price, held.mark_ns = fill.price, fill.at_ns
        for symbol, amount in today.items():
            self.holdings[symbol].realised_today = amount
        if is_first:
            self.peak_usd = self.day_start_usd = self.equity_usd

    @property
    def booked(self) -> frozenset[str]:
        """The ids of the newest bookings."""
        return frozenset(self._seen_fills)

    def sample(self, at_ns: int) -> None:
        """Add one point to the equity curve."""
        self.points.append((at_ns, float(self.equity_usd)))

    @property
    def equity_usd(self) -> Decimal:
        total = self.cash_usd
        for held in self.holdings.values():
            total += held.realised - held.fees
            if held.quantity and held.mark_price:
                total += (held.mark_price - held.entry_price) * held.quantity
        return total

    @property
    def day_pnl_usd(self) -> Decimal:
        return self.equity_usd - self.day_start_usd

    @property
    def drawdown(self) -> float:
        """Positive fraction of the peak."""
        return self.fall_of(self.equity_usd)

    def fall_of(self, equity_usd: Decimal) -> float:
        """Return how far this equity lies below the peak, as a positive fraction of it."""
        return float((self.peak_usd - equity_usd) / self.peak_usd) if self.peak_usd > 0 else 0.0

    @property
    def gross_usd(self) -> Decimal:
        return sum((abs(h.notional) for h in self.holdings.values()), ZERO)

    @property
    def net_usd(self) -> Decimal:
        return sum((h.notional for h in self.holdings.values()), ZERO)

    def open_holdings(self) -> list[Holding]:
        """Return the holdings that are not flat, by symbol."""
        return [self.holdings[name] for name in sorted(self.holdings) if self.holdings[name].quantity]

    def _roll(self, at_ns: int) -> None:
        equity = self.equity_usd
        if equity >= self.peak_usd:
            self.peak_usd = equity
        else:
            self.worst_drawdown = max(self.worst_drawdown, self.fall_of(equity))
        day = at_ns // DAY_NS
        if day > self.day:
            self.day, self.day_start_usd = day, equity
            for held in self.holdings.values():
                held.realised_today = ZERO


def _apply(held: Holding, signed: Decimal, price: Decimal) -> Decimal:
    """Move the holding by a signed quantity; return the realised gain in USD."""
    old = held.quantity
    new = old + signed
    if old == 0 or (old > 0) == (signed > 0):
        held.entry_price = (held.entry_price * abs(old) + price * abs(signed)) / abs(new)
        held.quantity = new
        return ZERO
    closed = min(abs(old), abs(signed))
    gain = (price - held.entry_price) * closed * (1 if old > 0 else -1)
    held.quantity = new
    if new == 0:
        held.entry_price = ZERO
    elif (new > 0) != (old > 0):
        held.entry_price = price
    return gain
