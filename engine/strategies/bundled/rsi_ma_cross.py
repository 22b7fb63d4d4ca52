"""Two plain averages filtered by RSI; the kernel's built-in of the same name, as a strategy file."""

from native.indicators import RSI, SMA
from native.strategy import Bar, Strategy, param


class RsiMaCross(Strategy):
    """Long while the fast average is above the slow and RSI is low enough; flat once both have turned."""

    rsi_period = param(14, 2, 1_000, "Wilder's RSI, bars")
    ma_fast = param(20, 1, 5_000, "fast plain average, bars")
    ma_slow = param(100, 2, 10_000, "slow plain average, bars")
    rsi_buy_max = param(70.0, 0.0, 100.0, "no entry at or above")
    rsi_sell_min = param(30.0, 0.0, 100.0, "no exit at or below")

    def on_start(self) -> None:
        self.quick = SMA(self.ma_fast)
        self.lazy = SMA(self.ma_slow)
        self.rsi = RSI(self.rsi_period)

    def on_bar(self, bar: Bar) -> int | None:
        fast = self.quick.update(bar.close)
        slow = self.lazy.update(bar.close)
        rsi = self.rsi.update(bar.close)
        if bar.index < max(self.ma_slow - 1, self.rsi_period):
            return None
        if fast > slow and rsi < self.rsi_buy_max:
            return 1
        if fast < slow and rsi > self.rsi_sell_min:
            return 0
        return None
