"""The corpus: seeded random markets, bars made to be difficult, and real ones where there are any.

Its hash covers every case's name and bytes, so that "equivalent on corpus HASH" can be repeated.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.market import catalogue
from engine.market.catalogue import BarColumns
from engine.research.request import RunRequest
from native.selfcheck import random_bars
from seams.disk import Disk
from seams.rng import Rng

SEED = 20_260_101
RANDOM_MARKETS, RANDOM_BARS, HARD_BARS = 6, 600, 400
REAL_SETS, REAL_BARS = 6, 20_000
SHARED_FILES = (
    "bars_1m/binance_um/BTCUSDT_1m.parquet",
    "bars_1m/binance_um/DOGEUSDT_1m.parquet",
    "bars_1m/binance_um/SOLUSDT_1m.parquet",
)
NS_PER_MINUTE = 60_000_000_000

Bars = list[tuple[int, float, float, float, float, float]]
"""(ts_ns, open, high, low, close, volume) per bar."""


@dataclass(frozen=True)
class Case:
    """One market: six columns as the kernel takes them, ts_ns apart; it may hold bars that are refused."""

    name: str
    ts_ns: NDArray[np.int64]
    prices: tuple[NDArray[np.float64], ...]

    def __len__(self) -> int:
        return len(self.ts_ns)

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256(self.name.encode())
        for column in (self.ts_ns, *self.prices):
            digest.update(column.tobytes())
        return digest.hexdigest()

    def part(self, first: int, last: int | None = None) -> tuple[NDArray[np.int64], ...]:
        """Return the six columns of [first, last)."""
        columns = (self.ts_ns, *self.prices)
        return tuple(np.ascontiguousarray(column[first:last]) for column in columns)

    def rows(self) -> Bars:
        """Return the bars as plain numbers."""
        return list(zip(*(column.tolist() for column in (self.ts_ns, *self.prices)), strict=True))


def corpus_sha256(cases: Sequence[Case]) -> str:
    """Return the sha256 over all cases in order."""
    return hashlib.sha256("\n".join(case.sha256 for case in cases).encode()).hexdigest()


def build_corpus(home: Path, disk: Disk, data: Sequence[str] = ()) -> list[Case]:
    """Return the corpus of this home: made markets, and `data`, else the stored sets, else shared ones."""
    return [*made_cases(), *(real_case(name, bars) for name, bars in _real(home, disk, data))]


def made_cases() -> list[Case]:
    """Return the cases that are the same everywhere."""
    found = [_random_case(seed) for seed in range(RANDOM_MARKETS)]
    return found + [case_of(name, make()) for name, make in HARD.items()]


def case_of(name: str, bars: Bars) -> Case:
    """Return bars as a case."""
    columns = list(zip(*bars, strict=True))
    prices = tuple(np.array(column, dtype=np.float64) for column in columns[1:])
    return Case(name, np.array(columns[0], dtype=np.int64), prices)


def real_case(name: str, bars: BarColumns) -> Case:
    """Return the first part of a stored set as a case."""
    last = min(len(bars), REAL_BARS)
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return Case(name, bars.ts_ns[:last].copy(), tuple(column[:last].copy() for column in columns))


def _real(home: Path, disk: Disk, data: Sequence[str]) -> list[tuple[str, BarColumns]]:
    from engine.research.bars import load_bars

    if data:
        return [(name, load_bars(RunRequest(data=name), home, disk)[0]) for name in data]
    stored = catalogue.list_sets(home, disk)[:REAL_SETS]
    if stored:
        found = ((f"{s.venue}/{s.symbol}/{s.interval}", s) for s in stored)
        return [(name, catalogue.load(home, s.venue, s.symbol, s.interval)) for name, s in found]
    return [(path.name, catalogue.load_file(path)) for path in _shared_files()]


def _shared_files() -> list[Path]:
    """Return the known bar files under `INTERLOCK_SHARED`, where that is set and has them."""
    named = os.environ.get("INTERLOCK_SHARED", "")
    found = [Path(named, "data", "licensed", name) for name in SHARED_FILES] if named else []
    return [path for path in found if path.is_file()]


def _random_case(seed: int) -> Case:
    volumes = Rng(SEED).stream("volume", seed)
    bars = [(*bar, round(volumes.expovariate(0.01), 3)) for bar in random_bars(seed, RANDOM_BARS)]
    return case_of(f"random-{seed}", bars)


def _walk(
    name: str, step: Callable[[float, float], float], start: float = 100.0, reach: float = 0.004
) -> Bars:
    """Make bars whose close follows `step(price, uniform draw)`."""
    chance, bars, price = Rng(SEED).stream(name), [], start
    for index in range(HARD_BARS):
        close = step(price, chance.random())
        high = max(price, close) * (1.0 + reach * chance.random())
        low = min(price, close) * (1.0 - reach * chance.random())
        bars.append((index * NS_PER_MINUTE, price, high, low, close, 1.0 + index % 7))
        price = close
    return bars


def _flat() -> Bars:
    return [(index * NS_PER_MINUTE, 50.0, 50.0, 50.0, 50.0, 0.0) for index in range(HARD_BARS)]


def _steps(first: float = 104.0, second: float = 100.0) -> Bars:
    """Flat stretches with jumps: averages that are exactly equal part at the first one."""
    levels = [second if index // 40 % 2 else first for index in range(HARD_BARS)]
    return [(index * NS_PER_MINUTE, p, p, p, p, 2.0) for index, p in enumerate(levels)]


def _steps_up() -> Bars:
    return _steps(100.0, 104.0)


def _coarse() -> Bars:
    """Prices on a grid of one: values tie, touch levels exactly, repeat."""
    chance, bars, price = Rng(SEED).stream("coarse"), [], 100.0
    for index in range(HARD_BARS):
        close = min(max(price + chance.choice((-1.0, 0.0, 0.0, 1.0)), 90.0), 110.0)
        high, low = (
            max(price, close) + chance.choice((0.0, 1.0)),
            min(price, close) - chance.choice((0.0, 1.0)),
        )
        bars.append((index * NS_PER_MINUTE, price, high, low, close, float(chance.randrange(3))))
        price = close
    return bars


def _one_tick() -> Bars:
    """Every bar is one tick high and closes at one of its ends."""
    chance = Rng(SEED).stream("one tick")
    found: Bars = []
    for index in range(HARD_BARS):
        is_up = chance.random() < 0.5
        found.append((index * NS_PER_MINUTE, 10.0, 10.01, 10.0, 10.01 if is_up else 10.0, 1.0))
    return found


def _gaps() -> Bars:
    """Hours are missing, and opens lie far from the last close."""
    chance, bars, price, ts = Rng(SEED).stream("gaps"), [], 100.0, 0
    for _ in range(HARD_BARS):
        ts += NS_PER_MINUTE * (chance.randrange(2, 600) if chance.random() < 0.1 else 1)
        open_ = price * math.exp(chance.gauss(0.0, 0.15 if chance.random() < 0.1 else 0.001))
        close = open_ * math.exp(chance.gauss(0.0, 0.01))
        bars.append((ts, open_, max(open_, close) * 1.002, min(open_, close) * 0.998, close, 5.0))
        price = min(max(close, 1.0), 10_000.0)
    return bars


def _refused() -> Bars:
    """A walk with bars that the kernel must not show to any strategy."""
    bars = _walk("refused", lambda p, u: p * (1.0 + (u - 0.5) * 0.02))
    spoil: list[
        Callable[
            [tuple[int, float, float, float, float, float]], tuple[int, float, float, float, float, float]
        ]
    ]
    spoil = [
        lambda b: (b[0], b[1], math.nan, b[3], b[4], b[5]),
        lambda b: (b[0], b[1], b[2], b[3], math.inf, b[5]),
        lambda b: (b[0], b[1], b[3], b[2] * 1.01, b[4], b[5]),
        lambda b: (b[0], b[1], b[2], -b[3], b[4], b[5]),
        lambda b: (b[0] - 10 * NS_PER_MINUTE, b[1], b[2], b[3], b[4], b[5]),
        lambda b: (b[0], b[1], b[2], b[3], b[4], -1.0),
        lambda b: (b[0], 0.0, b[2], b[3], b[4], b[5]),
    ]
    for number, change in enumerate(spoil):
        at = 50 + 45 * number
        bars[at] = change(bars[at])
    return bars


HARD: dict[str, Callable[[], Bars]] = {
    "flat": _flat,
    "steps": _steps,
    "steps-up": _steps_up,
    "coarse": _coarse,
    "one-tick": _one_tick,
    "gaps": _gaps,
    "refused": _refused,
    "rising": lambda: _walk("rising", lambda p, u: p * (1.0 + 0.004 * u)),
    "falling": lambda: _walk("falling", lambda p, u: p * (1.0 - 0.004 * u)),
    "sawtooth": lambda: _walk("sawtooth", lambda p, u: 90.0 if p > 110.0 else p + 1.0 + u),
    "tiny": lambda: _walk("tiny", lambda p, u: p * (1.0 + (u - 0.5) * 0.05), start=1e-7),
    "huge": lambda: _walk("huge", lambda p, u: p * (1.0 + (u - 0.5) * 0.05), start=1e13),
    "crash": lambda: _walk(
        "crash", lambda p, u: p * (0.5 if u < 0.02 else 2.0 if u > 0.98 else 1.0 + u / 50 - 0.01)
    ),
}
"""Cases made to be difficult, by name."""
