"""Risk of an equity curve: the basis of its distribution, moments, tails, drawdowns, months, Sharpe odds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Nanos = NDArray[np.int64]
Found = tuple[float | None, str]

DAY_NS = 86_400 * 1_000_000_000
YEAR_NS = int(365.25 * 86_400) * 1_000_000_000
MIN_DAYS = 60
MAX_GROUPS = 2_048
MIN_TAIL_POINTS = 100
MIN_MONTHS = 3
EULER_GAMMA = 0.5772156649015329
NORMAL = NormalDist()


@dataclass(frozen=True)
class Basis:
    """Returns whose distribution is judged: of calendar days, or of bars in groups of `step` bars."""

    returns: Floats
    name: str
    per_year: float


def basis_of(equity: Floats, initial_equity: float, ts_ns: Nanos, interval_ns: int) -> Basis:
    """Return daily returns where the window has 60 days or more, else returns of at most 2,048 groups."""
    first_day, last_day = int(ts_ns[0]) // DAY_NS, int(ts_ns[-1]) // DAY_NS
    if last_day - first_day + 1 >= MIN_DAYS and interval_ns < DAY_NS:
        ends = np.arange(first_day + 1, last_day + 2, dtype=np.int64) * DAY_NS
        marks = equity[np.searchsorted(ts_ns, ends, side="left") - 1]
        return Basis(_steps(marks, initial_equity), "day", YEAR_NS / DAY_NS)
    step = -(-len(equity) // MAX_GROUPS)
    marks = equity[step - 1 :: step]
    name = "bar" if step == 1 else f"{step} bars"
    return Basis(_steps(marks, initial_equity), name, YEAR_NS / (interval_ns * step))


def _steps(marks: Floats, start: float) -> Floats:
    before = np.concatenate([[start], marks[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = marks / before - 1.0
    return found[np.isfinite(found)]


def moments(returns: Floats) -> tuple[float, float] | None:
    """Return skewness g1 and excess kurtosis g2; None without variation. Source: Joanes & Gill (1998)."""
    centred = returns - np.mean(returns)
    m2 = float(np.mean(centred**2))
    if not m2 > 1e-24:
        return None
    return float(np.mean(centred**3)) / m2**1.5, float(np.mean(centred**4)) / m2**2 - 3.0


def tails(returns: Floats) -> tuple[float, float, float | None]:
    """Return value at risk and expected shortfall at 95 % (losses positive), and the tail ratio."""
    low, high = (float(each) for each in np.quantile(returns, (0.05, 0.95)))
    shortfall = -float(np.mean(returns[returns <= low]))
    return -low, shortfall, high / abs(low) if low else None


def probabilistic_sharpe(returns: Floats, against: float = 0.0) -> float | None:
    """Return the chance (0..1) that the true Sharpe ratio per step is above `against`.

    None without variation. Source: Bailey & López de Prado (2012), "The Sharpe Ratio Efficient
    Frontier", eq. 11.
    """
    shape = moments(returns)
    if shape is None:
        return None
    ratio = float(np.mean(returns)) / float(np.std(returns, ddof=1))
    variance = _ratio_variance(ratio, *shape)
    return NORMAL.cdf((ratio - against) * math.sqrt(len(returns) - 1) / math.sqrt(variance))


def expected_best_of(trials: int, deviation: float) -> float:
    """Return the Sharpe ratio that the best of `trials` useless ones is expected to show.

    Source: Bailey & López de Prado (2014), "The Deflated Sharpe Ratio", eq. 1.
    """
    assert trials >= 1
    if trials == 1:
        return 0.0
    first, second = NORMAL.inv_cdf(1 - 1 / trials), NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return deviation * ((1 - EULER_GAMMA) * first + EULER_GAMMA * second)


def deflated_sharpe(returns: Floats, trials: int) -> float | None:
    """Return the probabilistic ratio against the best of `trials` useless ones.

    The trials' variance is taken to be that of the estimate itself, since only their number is known.
    """
    shape = moments(returns)
    if shape is None:
        return None
    ratio = float(np.mean(returns)) / float(np.std(returns, ddof=1))
    deviation = math.sqrt(_ratio_variance(ratio, *shape) / (len(returns) - 1))
    return probabilistic_sharpe(returns, expected_best_of(trials, deviation))


def _ratio_variance(ratio: float, skewness: float, excess: float) -> float:
    return max(1e-12, 1.0 - skewness * ratio + (excess + 2.0) / 4.0 * ratio * ratio)


def longest_drawdown_ns(drawdown: Floats, ts_ns: Nanos, interval_ns: int) -> int:
    """Return the longest time under a peak: from the last bar at it to the first at or above it again."""
    peaks = np.concatenate([[-1], np.flatnonzero(drawdown <= 0.0)])
    times = np.where(peaks < 0, int(ts_ns[0]) - interval_ns, ts_ns[peaks])
    spans = np.diff(times)[np.diff(peaks) > 1]
    unrecovered = int(ts_ns[-1]) - int(times[-1])
    return max(int(np.max(spans, initial=0)), unrecovered)


def monthly(equity: Floats, initial_equity: float, ts_ns: Nanos) -> list[tuple[str, float]]:
    """Return (YYYY-MM, return) of each calendar month (UTC) of the window; an empty month returned 0."""
    first, last = (np.datetime64(int(at), "ns").astype("datetime64[M]") for at in (ts_ns[0], ts_ns[-1]))
    months = np.arange(first, last + 1)
    ends = (months + 1).astype("datetime64[ns]").astype(np.int64)
    marks = equity[np.searchsorted(ts_ns, ends, side="left") - 1]
    before = np.concatenate([[initial_equity], marks[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = marks / before - 1.0
    return [(str(month), float(each)) for month, each in zip(months, returns, strict=True)]
