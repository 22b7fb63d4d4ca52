"""What a session's account is worth and holds, as the bus tells it (AQ-22)."""

from __future__ import annotations

from decimal import Decimal

from venues.types import Record, Side


class HeldPosition(Record):
    """One open position: prices in quote currency; None where there is no such exit or limit."""

    symbol: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealised_usd: Decimal
    stop_loss: float | None
    take_profit: float | None
    opened_at_ns: int
    held_bars: int
    max_hold_bars: int | None


class PortfolioState(Record):
    """A session's account now; drawdowns are positive fractions of the peak, the largest since it began."""

    session_id: str
    at_ns: int
    equity_usd: Decimal
    peak_equity_usd: Decimal
    drawdown: float
    max_drawdown: float
    positions: tuple[HeldPosition, ...]
