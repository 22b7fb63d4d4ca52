"""Tree-structured Parzen estimator, axis by axis.

Source: Bergstra, Bardenet, Bengio & Kégl (2011), "Algorithms for Hyper-Parameter Optimization", NIPS 24.
Every axis is mapped to [0, 1]; the better part of the results and the rest each make a mixture of truncated
normals with a uniform prior; a proposal is drawn from the better mixture, the highest ratio of the two wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from engine.research.sweep.request import Axis
from seams.rng import Stream
from venues.types import Record

STARTUP = 20
"""Results before the model is trusted at all."""
BEST_SHARE, BEST_AT_MOST = 0.15, 25
REST_AT_MOST = 64
"""The rest is thinned evenly: a proposal then costs the same in the ten-thousandth generation."""
CANDIDATES = 24
EXPLORE_SHARE = 0.1
"""Trials drawn evenly, so that no region is given up for ever."""
_NORMAL = NormalDist()


class Mixture(Record):
    """Truncated normals on [0, 1] with equal weight, the last one wide enough to be a prior."""

    centres: tuple[float, ...]
    widths: tuple[float, ...]
    heights: tuple[float, ...]  # 1 / (width x the normal's share inside [0, 1] x sqrt(2 pi))


class Model(Record):
    """A better and a worse mixture for each axis."""

    better: tuple[Mixture, ...]
    worse: tuple[Mixture, ...]


def fit(axes: Sequence[Axis], results: Sequence[tuple[float, tuple[float, ...]]]) -> Model | None:
    """Fit to (objective, combination) pairs, higher is better; None while there are too few."""
    if len(results) < STARTUP:
        return None
    # Ties in the objective keep the order of trials: sorted() is stable.
    ordered = sorted(results, key=lambda pair: -pair[0])
    count = min(math.ceil(BEST_SHARE * len(ordered)), BEST_AT_MOST)
    better = [key for _, key in ordered[:count]]
    rest = ordered[count:]
    worse = [key for _, key in rest[:: math.ceil(len(rest) / REST_AT_MOST)]]
    return Model(
        better=tuple(_mixture([place(axis, key[i]) for key in better]) for i, axis in enumerate(axes)),
        worse=tuple(_mixture([place(axis, key[i]) for key in worse]) for i, axis in enumerate(axes)),
    )


def propose(axes: Sequence[Axis], model: Model, chance: Stream) -> list[tuple[float, ...]]:
    """Return combinations, the most promising first; none where this trial explores."""
    if chance.random() < EXPLORE_SHARE:
        return []
    scored = []
    for turn in range(CANDIDATES):
        places = [_draw(mixture, chance) for mixture in model.better]
        key = tuple(value_at(axis, at) for axis, at in zip(axes, places, strict=True))
        places = [place(axis, value) for axis, value in zip(axes, key, strict=True)]
        gain = sum(
            _log_density(better, at) - _log_density(worse, at)
            for better, worse, at in zip(model.better, model.worse, places, strict=True)
        )
        scored.append((-gain, turn, key))
    return [key for _, _, key in sorted(scored)]


def place(axis: Axis, value: float) -> float:
    """Return where a value lies on its axis, 0 to 1."""
    if axis.values:
        return (axis.values.index(value) + 0.5) / len(axis.values)
    low, high, at = axis.low, axis.high, value
    if axis.is_log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def value_at(axis: Axis, at: float) -> float:
    """Return the axis' value at a place of 0 to 1."""
    at = min(max(at, 0.0), 1.0)
    if axis.values:
        return axis.values[min(int(at * len(axis.values)), len(axis.values) - 1)]
    if axis.is_log:
        value = math.exp(math.log(axis.low) + at * (math.log(axis.high) - math.log(axis.low)))
    else:
        value = axis.low + at * (axis.high - axis.low)
    value = float(round(value)) if axis.is_whole else float(f"{value:.12g}")
    return min(max(value, axis.low), axis.high)


def _mixture(places: list[float]) -> Mixture:
    """Widths are the distance to the further neighbour, bounded; the prior covers the axis."""
    centres = sorted([*places, 0.5])
    narrowest = 1.0 / min(100.0, 1.0 + len(centres))
    edges = [0.0, *centres, 1.0]
    widths = [
        min(max(edges[i] - edges[i - 1], edges[i + 1] - edges[i], narrowest), 1.0)
        for i in range(1, len(edges) - 1)
    ]
    prior = centres.index(0.5)
    widths[prior] = 1.0
    heights = tuple(_height(centre, width) for centre, width in zip(centres, widths, strict=True))
    return Mixture(centres=tuple(centres), widths=tuple(widths), heights=heights)


def _height(centre: float, width: float) -> float:
    inside = _NORMAL.cdf((1.0 - centre) / width) - _NORMAL.cdf(-centre / width)
    return 1.0 / (width * inside * math.sqrt(2.0 * math.pi))


def _draw(mixture: Mixture, chance: Stream) -> float:
    """Draw by the inverse of a truncated normal: one number for the part, one for the place."""
    part = min(int(chance.random() * len(mixture.centres)), len(mixture.centres) - 1)
    centre, width = mixture.centres[part], mixture.widths[part]
    low, high = _NORMAL.cdf(-centre / width), _NORMAL.cdf((1.0 - centre) / width)
    share = min(max(low + chance.random() * (high - low), 1e-12), 1.0 - 1e-12)
    return min(max(centre + width * _NORMAL.inv_cdf(share), 0.0), 1.0)


def _log_density(mixture: Mixture, at: float) -> float:
    total = 0.0
    for centre, width, height in zip(mixture.centres, mixture.widths, mixture.heights, strict=True):
        away = (at - centre) / width
        total += height * math.exp(-0.5 * away * away)
    return math.log(total / len(mixture.centres))
