"""A file of seeded bars and sweeps over it, with sane defaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.research.sweep.publish import SweepResult
from engine.research.sweep.request import SweepRequest, make_request
from engine.research.sweep.study import run_sweep
from seams.clock import FixedClock
from seams.disk import RealDisk

STRATEGY = '''
from interlock import Strategy, param, Bar


class Threshold(Strategy):
    """Long after a rise, short after a fall of so many basis points."""

    rise = param(5.0, low=0.0, high=100.0)
    idle = param(1, low=0, high=9)

    def on_start(self):
        self.last = 0.0

    def on_bar(self, bar: Bar):
        before = self.last
        self.last = bar.close
        if before == 0.0:
            return None
        change = (bar.close / before - 1.0) * 1e4
        return 1 if change > self.rise else -1 if change < -self.rise else None
'''

Sweep = Callable[..., SweepResult]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "BTCUSD_1m.csv", 2_500)


def write_bars(path: Path, count: int) -> Path:
    rng = np.random.default_rng(11)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.00002, 0.002, count)))
    lines, before = ["ts_ms,open,high,low,close,volume"], 100.0
    for at, price in enumerate(close):
        high, low = max(before, price) * 1.0005, min(before, price) * 0.9995
        lines.append(f"{1_700_000_040_000 + at * 60_000},{before:.6f},{high:.6f},{low:.6f},{price:.6f},5.0")
        before = price
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def strategy(tmp_path: Path) -> Path:
    path = tmp_path / "threshold.py"
    path.write_text(STRATEGY)
    return path


def request_of(bars: Path, **changes: object) -> SweepRequest:
    fields: dict[str, object] = {
        "strategy": "ema_cross",
        "data": str(bars),
        "fee_bps": 0.1,
        "slippage_bps": 0.0,
        "param_grid": {"fast": [3, 5, 9], "slow": [21, 34, 55]},
    }
    return make_request({**fields, **changes})


@pytest.fixture
def sweep(tmp_path: Path, bars: Path) -> Sweep:
    def run(home: str = "home", **changes: object) -> SweepResult:
        given = {name: changes.pop(name) for name in ("workers", "resume", "on_progress", "is_cancelled",
                 "executor_of") if name in changes}  # fmt: skip
        request = request_of(bars, **changes)
        return run_sweep(request, tmp_path / home, RealDisk(), FixedClock(), **given)  # type: ignore[arg-type]

    return run


def tables(result: SweepResult) -> dict[str, bytes]:
    """Return everything of a sweep's folder that must not depend on how it was made."""
    names = ("leaderboard.csv", "leaderboard.json", "trials.jsonl", "sweep.json", "best_config.json",
             "config_resolved.json", "metrics.json", "trades.csv")  # fmt: skip
    return {name: (Path(result.path) / name).read_bytes() for name in names}
