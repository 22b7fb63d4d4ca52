"""backtesting.py: `next` per bar, orders at the next open, fractional sizes through micro-units."""

import os

os.environ["TQDM_DISABLE"] = "1"

import _peer
import backtesting
import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import FractionalBacktest


def _ema(close, period):
    return pd.Series(np.asarray(close)).ewm(alpha=2 / (period + 1), adjust=False).mean().to_numpy()


class _Flip(Strategy):
    def init(self):
        self.quick = self.I(_ema, self.data.Close, _peer.FAST)
        self.lazy = self.I(_ema, self.data.Close, _peer.SLOW)
        self.side = 0

    def next(self):
        if len(self.data) < _peer.SLOW:
            return
        quick, lazy = self.quick[-1], self.lazy[-1]
        want = 1 if quick > lazy else (-1 if quick < lazy else self.side)
        if want != self.side:
            # Prices come scaled to a millionth, so a size of 1 is one micro-unit.
            size = int(np.floor(_peer.NOTIONAL / self.data.Close[-1]))
            self.side = want
            (self.buy if want > 0 else self.sell)(size=size)


def main():
    """Run and report."""
    market, rounds = _peer.bars()
    frame = pd.DataFrame(
        {name.title(): market[name] for name in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(market["ts_ns"]),
    )
    test = FractionalBacktest(
        frame,
        _Flip,
        cash=_peer.CASH,
        commission=_peer.FEE + _peer.SLIPPAGE,
        exclusive_orders=True,
        fractional_unit=1e-6,
    )
    seconds, found = _peer.timed(rounds, test.run)
    table = found._trades.sort_values(["ExitBar", "EntryBar"])
    trades = [
        (entry, leave, 1 if size > 0 else -1, round(abs(size) * 1e6))
        for entry, leave, size in zip(table.EntryBar, table.ExitBar, table.Size, strict=True)
    ]
    equity = found["Equity Final [$]"]
    note = "its spread touches entries only: the slippage is in the commission"
    _peer.report(backtesting.__version__, seconds, trades, equity, note)


main()
