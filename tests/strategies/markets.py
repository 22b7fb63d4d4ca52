"""Markets for strategies: columns of bars, random or real, and kernels run over them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.strategy import Strategy

SHARED = (Path(__file__).parents[2] / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
REAL = SHARED / "data" / "licensed" / "bars_1m" / "binance_um" / "BTCUSDT_1m.parquet"
NAMES = ("open", "high", "low", "close", "volume")
Columns = dict[str, np.ndarray]


def walk(seed: int, count: int, *, drift: float = 0.0, noise: float = 0.002, start: float = 100.0) -> Columns:
    """A seeded walk of one-minute bars whose drift turns every 400 bars, with bursts of volume."""
    chance = np.random.default_rng(seed)
    turns = np.where((np.arange(count) // 400) % 2 == 0, 1.0, -1.0)
    close = start * np.exp(np.cumsum(chance.normal(0.0, noise, count) + drift * turns))
    return around(close, chance)


def around(close: np.ndarray, chance: np.random.Generator) -> Columns:
    """Bars around given closes: each opens where the last closed."""
    open_ = np.concatenate([close[:1], close[:-1]])
    reach = np.abs(chance.normal(0.0, 0.0005, (2, len(close))))
    return {
        "ts_ns": np.arange(1, len(close) + 1, dtype=np.int64) * 60_000_000_000,
        "open": open_,
        "high": np.maximum(open_, close) * (1.0 + reach[0]),
        "low": np.minimum(open_, close) * (1.0 - reach[1]),
        "close": close,
        "volume": chance.lognormal(3.0, 0.8, len(close)),
    }


def mirrored(bars: Columns) -> Columns:
    """The same market upside down: p becomes 10,000 / p, so every long becomes a short."""
    flipped = {name: 1e4 / bars[name] for name in ("open", "high", "low", "close")}
    return {**bars, **flipped, "high": flipped["low"], "low": flipped["high"]}


def real(count: int) -> Columns:
    """The first bars of a real file (shared material)."""
    import pyarrow.parquet as pq

    table = pq.read_table(REAL).slice(0, count)
    columns = {name: np.ascontiguousarray(table[name].to_numpy(), dtype=np.float64) for name in NAMES}
    return {"ts_ns": table["ts_ms"].to_numpy().astype(np.int64) * 1_000_000, **columns}


def replayed(
    strategy: str | Strategy, bars: Columns, config: KernelConfig | None = None, **params: float
) -> Kernel:
    """Run a built-in name or an instance over the bars."""
    lane = LaneSpec(symbol="X", strategy=strategy, params=params)
    kernel = Kernel(config or KernelConfig(), [lane])
    assert kernel.replay(0, bars["ts_ns"], *(bars[name] for name in NAMES)) == len(bars["ts_ns"])
    return kernel
