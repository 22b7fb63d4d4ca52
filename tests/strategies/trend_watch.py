"""What the trend strategy thought at each bar, beside indicators computed on their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.strategies.bundled.trend_atr import TrendAtr
from native import indicators as ind
from native.intents import KernelConfig
from native.kernel import Kernel
from native.strategy import Signal
from tests.strategies.markets import Columns, replayed


@dataclass(frozen=True, slots=True)
class Row:
    """One bar: what was held and answered, and the strategy's own state after it."""

    index: int
    side: int
    answer: Signal | int | None
    mode: int
    tier: int
    gates: int
    left_by: int
    entry: float
    unit: float
    base: float
    stop: float
    trail: float
    is_even: bool
    is_trailing: bool
    is_glitch: bool
    mode_held: int


class Watched(TrendAtr):
    """The strategy, writing down each bar."""

    def on_start(self) -> None:
        super().on_start()
        self.rows: list[Row] = []

    def on_bar(self, bar):
        answer = super().on_bar(bar)
        self.rows.append(
            Row(
                bar.index, bar.side, answer, self.mode, self.tier, self.gates, self.left_by, self.entry,
                self.entry_atr, self.base, self.stop, self.trail, self.is_even, self.is_trailing,
                self.is_glitch, self.mode_held,
            )
        )  # fmt: skip
        return answer


def watch(
    bars: Columns, config: KernelConfig | None = None, **params: float | str
) -> tuple[list[Row], Kernel]:
    """Run the strategy over the bars; return its rows and the kernel."""
    strategy = Watched(**params)
    kernel = replayed(strategy, bars, config)
    return strategy.rows, kernel


def facts(bars: Columns) -> dict[str, np.ndarray]:
    """Every indicator the gates and modes are defined by, as columns."""
    names = ("fast", "slow", "macro", "adx", "slope", "atr", "atr_mean", "rsi", "width_ratio", "line", "turn",
             "k", "volume_short", "volume_long")  # fmt: skip
    out: dict[str, list[float]] = {name: [] for name in names}
    fast, slow, macro, adx, atr = ind.EMA(20), ind.EMA(50), ind.EMA(200), ind.ADX(14), ind.ATR(14)
    rsi, bands, macd, stoch = ind.RSI(14), ind.Bollinger(20), ind.MACD(), ind.StochRSI()
    atr_mean, width_mean, short, long = ind.SMA(50), ind.SMA(20), ind.SMA(5), ind.SMA(20)
    columns = (bars[name].tolist() for name in ("high", "low", "close", "volume"))
    for high, low, close, volume in zip(*columns, strict=True):
        for indicator in (fast, slow, macro, rsi, bands, macd, stoch):
            indicator.update(close)
        adx.update(high, low, close)
        atr_mean.update(atr.update(high, low, close))
        width_mean.update(bands.width)
        row = (
            fast.value, slow.value, macro.value, adx.value, adx.slope, atr.value, atr_mean.value, rsi.value,
            bands.width / width_mean.value if width_mean.value > 0 else 1.0, macd.value, macd.histogram,
            stoch.value, short.update(volume), long.update(volume),
        )  # fmt: skip
        for name, value in zip(names, row, strict=True):
            out[name].append(value)
    return {name: np.array(column) for name, column in out.items()}


def before(column: np.ndarray) -> np.ndarray:
    """The column one bar earlier; the first bar stands for its own past."""
    return np.concatenate([column[:1], column[:-1]])
