"""Published formulas of every indicator over whole columns, written to be read: the independent reference.

Each returns one float per bar; where a window is not full it runs over the bars there are, as ours do.
"""

from __future__ import annotations

import math

import numpy as np

from native.selfcheck import random_bars


def market(seed: int, count: int) -> dict[str, np.ndarray]:
    """Random bars as columns, with volumes that are sometimes zero."""
    table = np.array(random_bars(seed, count))
    volume = np.random.default_rng(seed).integers(0, 50, count).astype(float)
    names = ("open", "high", "low", "close")
    columns = {name: table[:, i + 1] for i, name in enumerate(names)}
    return {"ts_ns": table[:, 0].astype(np.int64), **columns, "volume": volume}


def windows(x: np.ndarray, period: int) -> list[np.ndarray]:
    return [x[max(0, t - period + 1) : t + 1] for t in range(len(x))]


def over(x: np.ndarray, period: int, formula) -> np.ndarray:
    return np.array([formula(window) for window in windows(x, period)])


def wma(close: np.ndarray, period: int) -> np.ndarray:
    return over(close, period, lambda w: float(np.average(w, weights=np.arange(1, len(w) + 1))))


def stdev(close: np.ndarray, period: int, ddof: int) -> np.ndarray:
    return over(close, period, lambda w: float(np.std(w, ddof=ddof)) if len(w) > ddof else 0.0)


def zscore(close: np.ndarray, period: int) -> np.ndarray:
    def score(w: np.ndarray) -> float:
        return (w[-1] - w.mean()) / w.std() if w.std() > 1e-12 * abs(w.mean()) else 0.0

    return over(close, period, score)


def ema(x: np.ndarray, period: int) -> np.ndarray:
    a, out = 2 / (period + 1), [x[0]]
    for value in x[1:]:
        out.append(out[-1] + a * (value - out[-1]))
    return np.array(out)


def rsi(close: np.ndarray, period: int) -> np.ndarray:
    change = np.diff(close)
    out = [50.0] * len(close)
    for t in range(period, len(close)):
        past = change[:t]
        gain, loss = past[:period].clip(0).mean(), (-past[:period]).clip(0).mean()
        for step in past[period:]:
            gain = gain + (max(step, 0.0) - gain) / period
            loss = loss + (max(-step, 0.0) - loss) / period
        out[t] = 100 * gain / (gain + loss) if gain + loss > 0 else 50.0
    return np.array(out)


def stochrsi(close: np.ndarray, period: int, stoch: int, k: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    ready = rsi(close, period)[period:]

    def place(w: np.ndarray) -> float:
        return (w[-1] - w.min()) / (w.max() - w.min()) if w.max() > w.min() else 0.5

    slow_k = over(over(ready, stoch, place), k, np.mean)
    pad = np.full(period, 0.5)
    return np.concatenate([pad, slow_k]), np.concatenate([pad, over(slow_k, d, np.mean)])


def adx(high: np.ndarray, low: np.ndarray, close: np.ndarray, period: int) -> dict[str, np.ndarray]:
    """Wilder's worksheet: sums over the first `period` bars, then S - S/p + x; ADX smooths DX."""
    up, down = np.diff(high), -np.diff(low)
    plus = np.where((up > down) & (up > 0), up, 0.0)
    minus = np.where((down > up) & (down > 0), down, 0.0)
    before = close[:-1]
    tr = np.maximum(high[1:], before) - np.minimum(low[1:], before)
    out = {name: np.zeros(len(close)) for name in ("value", "slope", "plus_di", "minus_di")}
    dx: list[float] = []
    for t in range(period, len(close)):
        sums = []
        for x in (tr, plus, minus):
            total = x[:period].sum()
            for value in x[period:t]:
                total += value - total / period
            sums.append(total)
        p, m = 100 * sums[1] / sums[0], 100 * sums[2] / sums[0]
        out["plus_di"][t], out["minus_di"][t] = p, m
        dx.append(100 * abs(p - m) / (p + m) if p + m > 0 else 0.0)
        if len(dx) == period:
            out["value"][t] = np.mean(dx)
        elif len(dx) > period:
            out["value"][t] = out["value"][t - 1] + (dx[-1] - out["value"][t - 1]) / period
            out["slope"][t] = out["value"][t] - out["value"][t - 1]
    return out


def vwap(bars: dict[str, np.ndarray], period: int) -> np.ndarray:
    price = (bars["high"] + bars["low"] + bars["close"]) / 3
    out = []
    for t in range(len(price)):
        w = slice(max(0, t - period + 1), t + 1)
        traded = bars["volume"][w].sum()
        out.append((price[w] * bars["volume"][w]).sum() / traded if traded > 0 else price[t])
    return np.array(out)


def session_vwap(bars: dict[str, np.ndarray], session_s: int) -> np.ndarray:
    price = (bars["high"] + bars["low"] + bars["close"]) / 3
    session = bars["ts_ns"] // (session_s * 10**9)
    out = []
    for t in range(len(price)):
        same = np.flatnonzero(session[: t + 1] == session[t])
        traded = bars["volume"][same].sum()
        out.append((price[same] * bars["volume"][same]).sum() / traded if traded > 0 else price[t])
    return np.array(out)


def realised_vol(close: np.ndarray, period: int, interval_s: float) -> np.ndarray:
    squares = (close[1:] / close[:-1] - 1) ** 2
    bars_per_year = 365.25 * 86_400 / interval_s
    return np.array([0.0, *(math.sqrt(w.mean() * bars_per_year) for w in windows(squares, period))])
