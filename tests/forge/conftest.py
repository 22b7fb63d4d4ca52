"""Build a strategy both ways from one source text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.lifecycle.forge.build import build, plan_source
from engine.lifecycle.forge.load import Library, load
from native.selfcheck import random_bars
from native.strategy import Strategy


def python_class(source: str) -> type[Strategy]:
    """Run a strategy's text and return its only strategy class."""
    names: dict[str, Any] = {"__name__": "strategy_under_test"}
    exec(compile(source, "strategy.py", "exec"), names)
    return next(
        v for v in names.values() if isinstance(v, type) and issubclass(v, Strategy) and v is not Strategy
    )


def columns(bars: list[tuple[int, float, float, float, float]]) -> list[np.ndarray]:
    """Return the kernel's columns of (ts_ns, open, high, low, close) bars; volumes differ bar by bar."""
    table = np.array(bars)
    ts = np.array([bar[0] for bar in bars], dtype=np.int64)
    volume = 1.0 + np.arange(len(bars)) % 17
    return [ts, *(np.ascontiguousarray(table[:, i]) for i in range(1, 5)), volume]


@pytest.fixture
def forge() -> Callable[[str], Library]:
    def forged(source: str) -> Library:
        built = build(plan_source(source.encode(), "strategy.py"))
        return load(built.record, built.artifact)

    return forged


@pytest.fixture
def market() -> Callable[..., list[np.ndarray]]:
    return lambda seed=1, count=2_000: columns(random_bars(seed, count))
