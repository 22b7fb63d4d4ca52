"""Bars for tests: a seeded random walk as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_bars(path: Path, count: int = 3_000, seed: int = 7, minutes: int = 1, level: float = 100.0) -> Path:
    """Write a random walk from `level` as CSV and return the path."""
    closes = level * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.002, count)))
    lines = ["ts_ms,open,high,low,close,volume"]
    before = level
    for at, price in enumerate(closes):
        high, low = max(before, price) * 1.0005, min(before, price) * 0.9995
        time_ms = 1_699_999_200_000 + at * minutes * 60_000
        lines.append(f"{time_ms},{before:.6f},{high:.6f},{low:.6f},{price:.6f},5.0")
        before = price
    path.write_text("\n".join(lines) + "\n")
    return path
