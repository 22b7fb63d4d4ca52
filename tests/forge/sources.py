"""Strategies for the forge's tests, as their authors would write them."""

from __future__ import annotations

FLIP = """
from interlock import EMA, Strategy, param


class Flip(Strategy):
    fast = param(3, 1, 5000)
    slow = param(8, 2, 10000)

    def on_start(self):
        self.quick, self.lazy = EMA(self.fast), EMA(self.slow)

    def on_bar(self, bar):
        quick, lazy = self.quick.update(bar.close), self.lazy.update(bar.close)
        if bar.index < self.slow - 1:
            return None
        if quick > lazy:
            return 1
        return -1 if quick < lazy else None
"""

STATEFUL = '''
import math
from interlock import ATR, RSI, SMA, Signal, Strategy, param

COOL = 3


class Stateful(Strategy):
    """Counts, remembers, divides, and sizes its levels by range."""

    period = param(6, 2, 200)
    reach = param(1.5, 0.1, 10.0)
    warmup_bars = 9

    def on_start(self):
        self.mean = SMA(self.period)
        self.strength = RSI(period=self.period)
        self.range = ATR(self.period)
        self.since = 0
        self.best = 0.0
        self.is_up = False
        self.last = 1

    def on_bar(self, bar):
        mean = self.mean.update(bar.close)
        rsi = self.strength.update(bar.close)
        width = self.range.update(bar.high, bar.low, bar.close)
        self.since += 1
        self.best = max(self.best * 0.99, bar.high)
        answer = None
        if not self.mean.is_ready or width <= 0.0:
            return answer
        drop = (self.best - bar.close) / width
        was_up, self.is_up = self.is_up, bar.close > mean and rsi >= 45
        if self.since % 7 == 0 or self.since // COOL >= 40:
            self.last = -self.last
        if self.is_up and not was_up and 0.0 <= drop < 6.0:
            self.since = 0
            answer = Signal(1, strength=min(1.0, rsi / 100.0), stop=self.reach * width, target=2 * width)
        elif drop > 4 and abs(bar.close - mean) > math.sqrt(width):
            far = width * 3.0
            answer = Signal(-1, stop=width * self.reach, target=None if drop > 9 else far, hold_bars=12)
        elif self.last < 0 and self.since > COOL:
            answer = 0
        return answer
'''

POSITIONAL = '''
from interlock import Donchian, Signal, Strategy, param


class Positional(Strategy):
    """Reads what it holds."""

    period = param(5, 2, 100)

    def on_start(self):
        self.channel = Donchian(self.period)
        self.held = 0

    def on_bar(self, bar):
        upper, lower = self.channel.upper, self.channel.lower
        self.channel.update(bar.high, bar.low)
        self.held = self.held + 1 if bar.side else 0
        if not self.channel.is_ready:
            return None
        if bar.side == 0:
            if bar.close > upper:
                return Signal(1, trail=bar.close * 0.01, partial=0.5, partial_target=bar.close * 0.01)
            near, wide = bar.close * 0.005, bar.close * 0.02
            return Signal(-1, stop=wide, breakeven=near) if bar.close < lower else None
        return 0 if self.held > 9 else bar.side
'''

ALL = {"Flip": FLIP, "Stateful": STATEFUL, "Positional": POSITIONAL}
