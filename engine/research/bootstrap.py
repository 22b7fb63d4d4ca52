"""How sure are the figures: intervals from a circular block bootstrap of the basis returns.

Blocks keep what neighbouring returns share. Source: Politis & Romano (1992), "A circular block-resampling
procedure for stationary data"; block length n^(1/3), Künsch (1989).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.research.metrics import MIN_POINTS
from engine.research.risk import Basis
from engine.research.schemas import Bootstrap, Interval
from seams.rng import Rng

Floats = NDArray[np.float64]

BUDGET_POINTS = 1_000_000
MIN_RESAMPLES, MAX_RESAMPLES = 200, 2_000
"""Resamples are as many as the budget of drawn returns allows, within these bounds."""
ROWS_AT_ONCE = 100
METHOD = "circular block bootstrap"
QUANTILES = (0.05, 0.5, 0.95)


def bootstrap(basis: Basis | None, seed: int, rng: Rng) -> Bootstrap:
    """Return 90 % intervals of return, Sharpe ratio and drawdown; none, with a reason, below 20 points."""
    returns = basis.returns if basis else np.zeros(0)
    points = len(returns)
    name = basis.name if basis else "none"
    reason = f"fewer_than_{MIN_POINTS}_returns" if points < MIN_POINTS else ""
    if not reason and not float(np.std(returns)) > 0.0:
        reason = "no_variation"
    if reason or basis is None:
        return Bootstrap(
            method=METHOD, seed=seed, resamples=0, block=0, basis=name, points=points, reason=reason,
            chance_of_loss=None, intervals=(),
        )  # fmt: skip
    block = max(1, round(points ** (1 / 3)))
    resamples = min(MAX_RESAMPLES, max(MIN_RESAMPLES, BUDGET_POINTS // points))
    generator = np.random.default_rng(rng.stream("bootstrap").getrandbits(64))
    found = resample(returns, block, resamples, generator)
    found[:, 1] *= np.sqrt(basis.per_year)
    own = _figures(returns[None, :])[0] * (1.0, np.sqrt(basis.per_year), 1.0)
    quantiles = np.quantile(found, QUANTILES, axis=0)
    intervals = tuple(
        Interval(metric=metric, value=float(own[at]), low=low, median=middle, high=high)
        for at, metric in enumerate(("total_return", "sharpe", "max_drawdown"))
        for low, middle, high in [quantiles[:, at].tolist()]
    )
    return Bootstrap(
        method=METHOD, seed=seed, resamples=resamples, block=block, basis=name, points=points, reason="",
        chance_of_loss=float(np.mean(found[:, 0] < 0)), intervals=intervals,
    )  # fmt: skip


def resample(returns: Floats, block: int, resamples: int, generator: np.random.Generator) -> Floats:
    """Return (resamples, 3): total return, Sharpe ratio per step and largest drawdown of each resample."""
    points = len(returns)
    blocks = -(-points // block)
    circle = np.concatenate([returns, returns[: block - 1]]) if block > 1 else returns
    parts = np.lib.stride_tricks.sliding_window_view(circle, block)
    found = np.empty((resamples, 3))
    for first in range(0, resamples, ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, resamples - first)
        starts = generator.integers(0, points, (rows, blocks))
        found[first : first + rows] = _figures(parts[starts].reshape(rows, -1)[:, :points])
    return found


def _figures(returns: Floats) -> Floats:
    """Return total return, Sharpe ratio per step and largest drawdown of each row."""
    growth = np.cumprod(1.0 + returns, axis=1)
    peaks = np.maximum(np.maximum.accumulate(growth, axis=1), 1.0)
    falls = np.max(1.0 - growth / peaks, axis=1)
    deviation = np.std(returns, axis=1, ddof=1)
    mean = np.mean(returns, axis=1)
    ratio = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0)
    return np.column_stack([growth[:, -1] - 1.0, ratio, falls])
