"""Two exponential averages; the kernel's built-in of the same name, as a strategy file."""

from native.indicators import ATR, EMA
from native.strategy import Bar, Signal, Strategy, param


class EmaCross(Strategy):
    """Two exponential averages: always in the market, or (bracket=1) crosses with stop and target."""

    fast = param(12, 1, 5_000, "fast average, bars")
    slow = param(26, 2, 10_000, "slow average, bars")
    bracket = param(0, 0, 1, "1: enter on crosses with stop, target and trail")
    stop_atr = param(2.0, 0.0, 50.0, "stop distance in ATR(14)")
    target_atr = param(3.0, 0.0, 50.0, "target distance in ATR(14)")
    trail_atr = param(2.0, 0.0, 50.0, "trail distance in ATR(14); 0 does not trail")

    def on_start(self) -> None:
        self.quick = EMA(self.fast)
        self.lazy = EMA(self.slow)
        self.range = ATR(14)

    def on_bar(self, bar: Bar) -> Signal | int | None:
        was_above = self.quick.value > self.lazy.value
        was_below = self.quick.value < self.lazy.value
        self.quick.update(bar.close)
        self.lazy.update(bar.close)
        atr = self.range.update(bar.high, bar.low, bar.close)
        is_above = self.quick.value > self.lazy.value
        is_below = self.quick.value < self.lazy.value
        if bar.index < self.slow - 1 + self.bracket:
            return None
        if self.bracket == 0:
            if is_above:
                return 1
            return -1 if is_below else None
        side = 0
        if is_above and not was_above:
            side = 1
        elif is_below and not was_below:
            side = -1
        if side == 0:
            return None
        return Signal(
            side, stop=self.stop_atr * atr, target=self.target_atr * atr, trail=self.trail_atr * atr
        )
