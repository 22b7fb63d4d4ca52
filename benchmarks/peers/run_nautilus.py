"""nautilus_trader: its event-driven engine, a Python strategy with the engine's own averages.

A market order sent at a bar fills at that bar's close and nothing slips. The bars here open at the close
before, so that is our fill at the next open; the slippage goes into the fee.
"""

from decimal import Decimal

import _peer
import nautilus_trader
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("SIM")
NAME = InstrumentId(Symbol("BTCUSDT"), VENUE)
BARS = BarType.from_str("BTCUSDT.SIM-1-MINUTE-LAST-EXTERNAL")
MINUTE_NS = 60_000_000_000
COST = Decimal(str(_peer.FEE + _peer.SLIPPAGE))


class _Settings(StrategyConfig, frozen=True):
    pass


class _Flip(Strategy):
    def __init__(self):
        super().__init__(_Settings())
        self.quick, self.lazy = (ExponentialMovingAverage(period) for period in (_peer.FAST, _peer.SLOW))
        self.side, self.held = 0, 0

    def on_start(self):
        for average in (self.quick, self.lazy):
            self.register_indicator_for_bars(BARS, average)
        self.subscribe_bars(BARS)

    def on_bar(self, bar):
        if not self.lazy.initialized:
            return
        quick, lazy = self.quick.value, self.lazy.value
        want = 1 if quick > lazy else (-1 if quick < lazy else self.side)
        if want != self.side:
            units = _peer.units(bar.close.as_double())
            side = OrderSide.BUY if want > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(NAME, side, Quantity((units + self.held) / 1e6, 6)))
            self.side, self.held = want, units


def _instrument():
    return CurrencyPair(
        instrument_id=NAME,
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=9,
        size_precision=6,
        price_increment=Price(1e-9, 9),
        size_increment=Quantity(1e-6, 6),
        ts_event=0,
        ts_init=0,
        margin_init=Decimal("0.05"),
        margin_maint=Decimal("0.03"),
        maker_fee=COST,
        taker_fee=COST,
    )


def _engine(bars, instrument):
    settings = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    engine = BacktestEngine(settings)
    cash = [Money(_peer.CASH, USDT)]
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, cash, base_currency=USDT)
    engine.add_instrument(instrument)
    engine.add_data(bars, validate=False)
    engine.add_strategy(_Flip())
    return engine


def _fills(engine):
    """Return (bar at whose open it would have been filled, signed micro-units), in the order sent."""
    orders = sorted(engine.cache.orders(), key=lambda order: (order.ts_last, order.ts_init))
    return [
        (
            order.ts_last // MINUTE_NS,  # closes are stamped a minute after the open: the next bar's number
            round(order.filled_qty.as_double() * 1e6) * (1 if order.side == OrderSide.BUY else -1),
        )
        for order in orders
        if order.status_string() == "FILLED"
    ]


def main():
    """Run and report."""
    market, rounds = _peer.bars()
    instrument = _instrument()
    stamps = pd.DatetimeIndex(pd.to_datetime(market["ts_ns"] + MINUTE_NS, utc=True))
    frame = pd.DataFrame({name: market[name] for name in ("open", "high", "low", "close")}, index=stamps)
    # Volume plays no part in the rules; a small one would fill market orders in parts.
    bars = BarDataWrangler(BARS, instrument).process(frame, default_volume=1e6)
    engines = [_engine(bars, instrument) for _ in range(rounds)]
    seconds, _ = _peer.timed(rounds, lambda: engines.pop().run() if len(engines) > 1 else engines[0].run())
    engine = engines[0]
    last = len(market["close"])
    trades = _peer.paired([fill for fill in _fills(engine) if fill[0] < last])
    open_profit = engine.portfolio.unrealized_pnl(NAME)
    equity = engine.portfolio.account(VENUE).balance_total(USDT).as_double()
    equity += open_profit.as_double() if open_profit else 0.0
    note = "fills at the close, here the next open; the slippage is in the fee; slower with every trade"
    _peer.report(nautilus_trader.__version__, seconds, trades, equity, note)


main()
