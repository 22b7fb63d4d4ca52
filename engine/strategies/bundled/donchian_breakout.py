"""Breakouts of the price channel (Donchian; the rules the Turtles traded, one unit, no pyramid)."""

from native.indicators import ATR, Donchian
from native.strategy import Bar, Signal, Strategy, param


class DonchianBreakout(Strategy):
    """Enter where the close leaves the channel of the bars before; leave by a shorter channel or the stop."""

    entry = param(20, 2, 5_000, "channel to break, bars before this one")
    exit = param(10, 1, 5_000, "channel whose break ends the trade, bars before this one")
    stop_atr = param(2.0, 0.1, 50.0, "stop distance in ATR")
    atr_period = param(20, 2, 1_000, "ATR, bars")
    allow_short = param(1, 0, 1, "0: long and flat only")
    hold_bars = param(0, 0, 100_000, "leave after so many bars; 0: no limit")

    def on_start(self) -> None:
        self.outer = Donchian(self.entry)
        self.inner = Donchian(self.exit)
        self.range = ATR(self.atr_period)

    def on_bar(self, bar: Bar) -> Signal | int | None:
        # What the channel was before this bar: a close inside its own high can never break it.
        above, below = self.outer.upper, self.outer.lower
        exit_below, exit_above = self.inner.lower, self.inner.upper
        is_ready = bar.index >= max(self.entry, self.exit, self.atr_period)
        self.outer.update(bar.high, bar.low)
        self.inner.update(bar.high, bar.low)
        distance = self.stop_atr * self.range.update(bar.high, bar.low, bar.close)
        if not is_ready:
            return None
        if bar.close > above and bar.side <= 0:
            return Signal(1, stop=distance, hold_bars=self.hold_bars)
        if bar.close < below and bar.side >= 0 and self.allow_short == 1:
            return Signal(-1, stop=distance, hold_bars=self.hold_bars)
        if bar.side > 0 and bar.close < exit_below:
            return 0
        if bar.side < 0 and bar.close > exit_above:
            return 0
        return None
