"""Kernel against reference on seeded random markets: the proof that this build decides as written."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from native import reference
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel

CASES: tuple[tuple[str, dict[str, float]], ...] = (
    ("ema_cross", {"fast": 3, "slow": 8}),
    ("ema_cross", {"fast": 3, "slow": 8, "bracket": 1}),
    ("rsi_ma_cross", {"rsi_period": 5, "ma_fast": 4, "ma_slow": 12}),
    ("buy_and_hold", {}),
)
_MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What was compared; `mismatches` name (seed, strategy, what differs) and are empty when all is well."""

    markets: int
    bars: int
    decisions: int
    mismatches: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return not self.mismatches


def random_bars(seed: int, count: int) -> list[tuple[int, float, float, float, float]]:
    """Make a seeded random walk with gaps, flat stretches and spikes: (ts_ns, o, h, l, c)."""
    chance = random.Random(seed)
    bars, price = [], 100.0 * (1 + chance.random())
    for t in range(count):
        open_ = price * (1 + (chance.gauss(0, 0.02) if chance.random() < 0.05 else 0.0))
        close = open_ if chance.random() < 0.05 else open_ * (1 + chance.gauss(0, 0.01))
        high = max(open_, close) * (1 + abs(chance.gauss(0, 0.004)))
        low = min(open_, close) * (1 - min(0.5, abs(chance.gauss(0, 0.004))))
        bars.append((t * _MINUTE_NS, open_, high, low, close))
        price = max(close, 1.0)
    return bars


def compare(
    strategy: str, params: dict[str, float], bars: reference.Bars, config: KernelConfig | None = None
) -> tuple[int, str | None]:
    """Run both; return the number of decisions and the first thing that differs, if any."""
    config = config or KernelConfig()
    kernel = Kernel(config, [LaneSpec(symbol="X", strategy=strategy, params=params)])
    table = np.array(bars)
    ts = np.array([bar[0] for bar in bars], dtype=np.int64)
    columns = [np.ascontiguousarray(table[:, i]) for i in range(1, 5)]
    opens, highs, lows, closes = columns
    kernel.replay(0, ts, opens, highs, lows, closes, np.ones(len(bars)))
    twin = reference.run(config, strategy, params, bars)
    fields = ["entry_bar", "exit_bar", "side", "units", "entry_fill", "exit_fill", "pnl"]
    checks = {
        "decisions": kernel.decision_hash() == twin.decision_hash(),
        "trades": [tuple(row) for row in kernel.trades()[fields].tolist()] == twin.trades,
        "equity": kernel.equity_curve().tolist() == twin.equity,
        "final_equity": kernel.final_equity() == twin.final_equity(bars[-1][4]),
    }
    return len(twin.records), next((name for name, is_same in checks.items() if not is_same), None)


def run(seeds: int = 5, bars: int = 500) -> SelfCheck:
    """Compare every built-in on `seeds` random markets of `bars` bars."""
    decisions, mismatches = 0, []
    for seed in range(seeds):
        market = random_bars(seed, bars)
        for strategy, params in CASES:
            count, difference = compare(strategy, params, market)
            decisions += count
            if difference is not None:
                mismatches.append(f"seed {seed}: {strategy} {params}: {difference}")
    return SelfCheck(seeds, seeds * bars * len(CASES), decisions, tuple(mismatches))
