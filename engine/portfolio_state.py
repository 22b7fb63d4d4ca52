"""What a session's account is worth and holds at this moment (AQ-22)."""

from __future__ import annotations

from decimal import Decimal

from engine.api.account import HeldPosition, PortfolioState
from engine.trading.session import PaperSession
from venues.types import Side

CENT = Decimal("0.01")


def portfolio_state(session: PaperSession, now_ns: int) -> PortfolioState:
    """Return a running session's equity, drawdown and positions, each with its exits and its age."""
    ledger = session.ledger
    return PortfolioState(
        session_id=session.plan.session_id,
        at_ns=now_ns,
        equity_usd=ledger.equity_usd.quantize(CENT),
        peak_equity_usd=ledger.peak_usd.quantize(CENT),
        drawdown=ledger.drawdown,
        max_drawdown=ledger.worst_drawdown,
        positions=tuple(_held(session, held.symbol) for held in ledger.open_holdings()),
    )


def _held(session: PaperSession, symbol: str) -> HeldPosition:
    lane = session.lane_of(symbol)
    known, own, past = (
        session.ledger.holding(symbol),
        session.kernel.position(lane),
        session.kernel.remembered(lane),
    )
    stated = session.stated_stops.get(symbol)
    stop = own.stop_price if own.stop_price is not None else None if stated is None else float(stated)
    return HeldPosition(
        symbol=symbol,
        side=Side.BUY if known.quantity > 0 else Side.SELL,
        quantity=abs(known.quantity),
        entry_price=known.entry_price,
        mark_price=known.mark_price,
        unrealised_usd=known.unrealised.quantize(CENT),
        stop_loss=stop,
        take_profit=own.target_price,
        opened_at_ns=own.entry_ts_ns,
        held_bars=past["held_bars"],
        max_hold_bars=past["hold_bars"] or None,
    )
