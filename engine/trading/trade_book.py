"""Every change of a position as a row of the database, tied to the trade that opened it (OC-38, OC-72)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.conduct import Traded
from engine.limits import latch_conduct
from engine.store.rows import TradeRecord
from engine.trading.session import PaperSession
from engine.trading.working import ManagedOrder
from venues.types import Fill

ZERO = Decimal(0)
CENT = Decimal("0.01")


class TradeMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What `trades.meta` holds: the trade that opened this position, and the position after this one."""

    entry_trade_id: str
    position_after: str


class TradeBook:
    """Writes one row for each fill of a session, durable when the fill's event ends."""

    def __init__(self, session: PaperSession) -> None:
        self._session = session
        self._realised = {name: held.realised for name, held in session.ledger.holdings.items()}
        self._entries: dict[str, str] = {}

    def on_fill(self, order: ManagedOrder, fill: Fill) -> None:
        """Record what a fill did to its position; the ledger has booked it already."""
        session = self._session
        held = session.ledger.holding(fill.symbol)
        after = held.quantity
        before = after - fill.quantity * fill.side.sign
        trade_id = f"{order.order_id}:{fill.fill_id}"
        action = action_of(before, after)
        if action == "open" or fill.symbol not in self._entries:
            self._entries[fill.symbol] = trade_id
        entry = self._entries[fill.symbol]
        pnl_usd = held.realised - self._realised.get(fill.symbol, ZERO)
        self._realised[fill.symbol] = held.realised
        if after * before < 0:
            self._entries[fill.symbol] = trade_id
        elif not after:
            del self._entries[fill.symbol]
        meta = TradeMeta(entry_trade_id=entry, position_after=f"{after:f}")
        trade = TradeRecord(
            trade_id=trade_id,
            session_id=session.plan.session_id,
            at_ns=session.market_ns or fill.at_ns,
            symbol=fill.symbol,
            strategy=order.strategy,
            side=fill.side,
            action=action,
            quantity=fill.quantity,
            price=fill.price,
            notional_usd=(fill.quantity * fill.price).quantize(CENT),
            fee_usd=fill.fee,
            pnl_usd=pnl_usd,
            balance_usd=session.ledger.equity_usd,
            reason=order.reason,
            reason_code=order.status,
            client_order_id=order.order_id,
            meta=msgspec.json.encode(meta).decode(),
            config_fingerprint=session.core.config_fingerprint,
            run_fingerprint=session.plan.run_fingerprint,
        )
        session.core.store.decisions.record_trade(trade)
        if not session.plan.uses_market_time:  # a replay lives in recorded time: it says nothing about now
            wish = session.core.store.orders.intent(order.intent_id)
            mark = None if wish is None else wish.mark_price
            net_usd, sign = pnl_usd - fill.fee, fill.side.sign
            traded = Traded(order.created_ns, order.strategy, action, sign, fill.price, mark, net_usd)
            latch_conduct(session.core, session.plan.session_id, traded)


def action_of(before: Decimal, after: Decimal) -> str:
    """Name what a fill did to a signed position; one that crosses zero has closed it."""
    if not before:
        return "open"
    if before * after <= 0:
        return "close"
    return "add" if abs(after) > abs(before) else "reduce"
