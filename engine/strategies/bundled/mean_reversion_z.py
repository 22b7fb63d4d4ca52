"""Back to the mean: buy what is unusually low, sell what is unusually high, in markets without a trend."""

from native.indicators import ADX, ATR, ZScore
from native.strategy import Bar, Signal, Strategy, param


class MeanReversionZ(Strategy):
    """Enter against a z-score beyond `entry_z` while ADX is low; leave at `exit_z`, by stop or by time."""

    length = param(50, 5, 10_000, "window of mean and deviation, bars")
    entry_z = param(2.0, 0.1, 10.0, "enter beyond so many deviations")
    exit_z = param(0.5, 0.0, 10.0, "leave within so many deviations")
    max_adx = param(25.0, 0.0, 100.0, "no entry above: a trend does not come back")
    stop_atr = param(3.0, 0.1, 50.0, "stop distance in ATR(14)")
    hold_bars = param(100, 0, 100_000, "leave after so many bars; 0: no limit")
    allow_short = param(1, 0, 1, "0: long and flat only")

    def on_start(self) -> None:
        self.score = ZScore(self.length)
        self.trend = ADX(14)
        self.range = ATR(14)

    def on_bar(self, bar: Bar) -> Signal | int | None:
        z = self.score.update(bar.close)
        adx = self.trend.update(bar.high, bar.low, bar.close)
        atr = self.range.update(bar.high, bar.low, bar.close)
        if not (self.score.is_ready and self.trend.is_ready):
            return None
        if bar.side > 0 and z >= -self.exit_z:
            return 0
        if bar.side < 0 and z <= self.exit_z:
            return 0
        if bar.side != 0 or adx > self.max_adx:
            return None
        side = 0
        if z <= -self.entry_z:
            side = 1
        elif z >= self.entry_z and self.allow_short == 1:
            side = -1
        if side == 0:
            return None
        # The farther out, the stronger the wish: half at the threshold, whole at twice of it.
        strength = min(1.0, 0.5 * abs(z) / self.entry_z)
        return Signal(side, strength, stop=self.stop_atr * atr, hold_bars=self.hold_bars)
