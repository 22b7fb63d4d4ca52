"""Markets and scripted strategies for the kernel's tests."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from native.selfcheck import random_bars
from native.strategy import Signal, Strategy

MINUTE_NS = 60_000_000_000
LEVELS = ("stop", "target", "trail", "hold_bars", "partial", "partial_target", "breakeven", "limit")


class Scripted(Strategy):
    """Answers what the test wrote down."""

    def __init__(self, script):
        super().__init__()
        self.script = script

    def on_bar(self, bar):
        return self.script[bar.index]

    def export_state(self):
        return {}


def with_volume(seed, bars):
    chance = random.Random(seed)
    return [(*bar, chance.choice([0.0, 0.5, 40.0, 400.0, 4_000.0])) for bar in bars]


def candles(seed, count):
    """Bars with volumes from nothing to plenty, and here and there a hole in time."""
    chance, shift, out = random.Random(seed + 1), 0, []
    for ts, *rest in with_volume(seed, random_bars(seed, count)):
        shift += chance.choice([0] * 12 + [1, 5]) * MINUTE_NS
        out.append((ts + shift, *rest))
    return out


def parents(subs, size):
    """Bars of `size` sub-bars each."""
    groups = [subs[i : i + size] for i in range(0, len(subs), size)]
    return [
        (g[0][0], g[0][1], max(s[2] for s in g), min(s[3] for s in g), g[-1][4], sum(s[5] for s in g))
        for g in groups
    ]


def columns(bars):
    """Bars as the kernel's columns; volume 1 where they have none."""
    table = np.array(bars)
    ts = np.array([bar[0] for bar in bars], dtype=np.int64)
    volume = np.ascontiguousarray(table[:, 5]) if table.shape[1] == 6 else np.ones(len(bars))
    return [ts, *(np.ascontiguousarray(table[:, i]) for i in range(1, 5)), volume]


def distance(low=0.001, high=0.03):
    return st.none() | st.floats(low, high).map(lambda share: 100.0 * share)


def some_signal(**named):
    rest = {name: st.none() for name in LEVELS if name not in named}
    return st.builds(Signal, strength=st.sampled_from([0.25, 0.5, 1.0]), **named, **rest)


signals = some_signal(
    side=st.sampled_from([-1, 0, 1]),
    stop=distance(),
    target=st.floats(0.2, 4.0),
    trail=distance(),
    hold_bars=st.none() | st.integers(1, 12),
    partial=st.none() | st.sampled_from([0.25, 0.5, 0.9]),
    partial_target=distance(high=0.01),
    breakeven=distance(high=0.01),
) | some_signal(side=st.sampled_from([-1, 1]), hold_bars=st.integers(1, 5))
wishes = st.one_of(st.none(), st.none(), st.sampled_from([-1, 0, 1]), signals, signals)


def limited(signal, share):
    """The same wish with a limit distance, where it is a signal."""
    return (
        signal._replace(limit=100.0 * share) if isinstance(signal, Signal) and share is not None else signal
    )


def switched(config, **groups):
    """A configuration with fields of its rule groups changed: `exchange={...}`, `guards=`, `sizing=`."""
    return replace(
        config, **{name: replace(getattr(config, name), **fields) for name, fields in groups.items()}
    )
