"""The strategy author's face of Interlock: everything a strategy file needs in one import.

from interlock import EMA, Bar, Strategy, param

class Cross(Strategy):
    fast = param(9, low=2, high=400)
    slow = param(50, low=3, high=1000)

    def on_start(self):
        self.quick, self.lazy = EMA(int(self.fast)), EMA(int(self.slow))

    def on_bar(self, bar: Bar):
        quick, lazy = self.quick.update(bar.close), self.lazy.update(bar.close)
        return 1 if quick > lazy else -1
"""

from __future__ import annotations

import sys

from native.indicators import (
    ADX,
    ATR,
    EMA,
    MACD,
    RSI,
    SMA,
    VWAP,
    WMA,
    Bollinger,
    Donchian,
    Percentile,
    RealisedVol,
    SessionVWAP,
    StDev,
    StochRSI,
    ZScore,
)
from native.strategy import Bar, Signal, Strategy, param

__all__ = [
    "ADX",
    "ATR",
    "EMA",
    "MACD",
    "RSI",
    "SMA",
    "VWAP",
    "WMA",
    "Bar",
    "Bollinger",
    "Donchian",
    "Percentile",
    "RealisedVol",
    "SessionVWAP",
    "Signal",
    "StDev",
    "StochRSI",
    "Strategy",
    "ZScore",
    "main",
    "param",
]


def main() -> None:
    """Run the command line (`interlock ...`); the console is imported only here."""
    from console.cli.at_once import kill_at_once

    kill_at_once(sys.argv[1:])
    from console.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
