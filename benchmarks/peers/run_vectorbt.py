"""vectorbt: whole columns of signals, one simulated portfolio; its compilation is left out of the time."""

import _peer
import numpy as np
import pandas as pd
import vectorbt as vbt


def _ema(close, period):
    return close.ewm(alpha=2 / (period + 1), adjust=False).mean().to_numpy()


def _later(column, first):
    return np.concatenate([[first], column[:-1]])


def _flip(frame):
    close = frame["close"]
    quick, lazy = _ema(close, _peer.FAST), _ema(close, _peer.SLOW)
    side = np.sign(quick - lazy)
    side[: _peer.SLOW - 1] = 0
    # Equal averages keep what is held.
    last = np.maximum.accumulate(np.where(side != 0, np.arange(len(side)), 0))
    side = side[last]
    turns = np.concatenate([[False], side[1:] != side[:-1]])
    size = np.floor(_peer.NOTIONAL / close.to_numpy() * 1e6) / 1e6
    return vbt.Portfolio.from_signals(
        close,
        entries=_later(turns & (side > 0), False),
        short_entries=_later(turns & (side < 0), False),
        price=frame["open"],
        size=_later(size, np.nan),
        size_type="amount",
        fees=_peer.FEE,
        slippage=_peer.SLIPPAGE,
        init_cash=_peer.CASH,
        upon_opposite_entry="reverse",
        freq="1min",
    )


def main():
    """Run and report."""
    market, rounds = _peer.bars()
    frame = pd.DataFrame(
        {name: market[name] for name in ("open", "close")}, index=pd.to_datetime(market["ts_ns"])
    )
    _flip(frame.iloc[:3000]).final_value()

    def run():
        portfolio = _flip(frame)
        return portfolio.orders.values, float(portfolio.final_value())

    seconds, (orders, equity) = _peer.timed(rounds, run)
    fills = [
        (int(order["idx"]), round(float(order["size"]) * 1e6) * (1 if order["side"] == 0 else -1))
        for order in orders
    ]
    note = "whole columns, no events; compiling for 8 to 28 s is left out"
    _peer.report(vbt.__version__, seconds, _peer.paired(fills), equity, note)


main()
