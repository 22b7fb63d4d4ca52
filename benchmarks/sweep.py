"""994 pairs of averages over 500,000 bars: ours against plain C loops of the same rules, in one process.

Ours adds up trades, wins, fees, gross results, a digest and the exact final equity of each combination,
and with marks the drawdown and Sharpe sums of every bar; the C loops only trades and final equity. Best of
several rounds, alternating; ratios are of processor time, which a busy machine hurts least.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._rows import Row, row
from benchmarks.forged import FLIP, _library
from engine.lifecycle.forge.load import Library
from engine.research.sweep.threads import in_threads, run_flips, slices_of
from native.cells import replay_cells
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from native.sweep import FlipMarket, lane_width, replay_cell

FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")
BARS, ROUNDS, THREADS = 500_000, 5, 2
PAIRS = [(fast, slow) for slow in range(20, 201, 4) for fast in range(5, 50, 2) if fast < slow]
SAMPLED = range(0, len(PAIRS), 83)
SLOW = ("c_scalar", "general", "general_bracket", "general_forged")


def _market(count: int) -> list[np.ndarray]:
    """A seeded random walk that flips about as often as minutes of BTC: ts_ns, o, h, l, c, volume."""
    chance = np.random.default_rng(20)
    close = 20_000.0 * np.exp(np.cumsum(chance.normal(0, 0.0008, count)))
    open_ = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(open_, close) * 1.0003, np.minimum(open_, close) * 0.9997
    return [np.arange(count, dtype=np.int64) * 60_000_000_000, open_, high, low, close, np.ones(count)]


class _Limit:
    """The C loops over slices of the pairs, one thread each."""

    def __init__(self, folder: Path, market: list[np.ndarray]) -> None:
        target = folder / "sweep.so"
        source = Path(__file__).with_name("sweep.c")
        subprocess.run(["gcc", *FLAGS, str(source), "-o", str(target), "-lm"], check=True)
        self.library = ctypes.CDLL(str(target))
        self.open, self.close = market[1], market[4]

    def run(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        cuts = np.linspace(0, len(PAIRS), THREADS + 1).astype(int)
        with ThreadPoolExecutor(THREADS) as pool:
            parts = list(pool.map(lambda i: self._slice(name, PAIRS[cuts[i] : cuts[i + 1]]), range(THREADS)))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _slice(self, name: str, pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        table = np.array(pairs, dtype=np.int64)
        fast, slow = np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])
        equity, trades = np.zeros(len(pairs)), np.zeros(len(pairs), np.int64)
        bars: list[Any] = [_at(self.open), _at(self.close), ctypes.c_long(len(self.close))]
        if name == "scalar":
            self.library.scalar(
                *bars, _at(fast), _at(slow), ctypes.c_long(len(pairs)), _at(equity), _at(trades)
            )
            return equity, trades
        periods, numbers = np.unique(table.T, return_inverse=True)
        numbers = np.ascontiguousarray(numbers.reshape(2, -1), dtype=np.int64)
        words = [_at(periods), ctypes.c_long(len(periods)), _at(numbers[0]), _at(numbers[1])]
        self.library.blocked(*bars, *words, ctypes.c_long(len(pairs)), _at(equity), _at(trades))
        return equity, trades


def _at(column: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(column.ctypes.data)


def measure(bars: int = BARS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return rates in 10⁹ bar·combinations per second of wall and of processor time, ratios, agreement."""
    market = _market(bars)
    flips, library = FlipMarket(KernelConfig(), 1e-6, 0.0, *market), _library(FLIP)
    results: dict[str, Any] = {}
    best: dict[str, float] = {}
    cpu: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        limit = _Limit(Path(folder), market)
        work: dict[str, Callable[[], object]] = {
            "c_scalar": lambda: limit.run("scalar"),
            "c_vector": lambda: limit.run("blocked"),
            "lanes": lambda: run_flips(flips, PAIRS, THREADS, has_marks=False),
            "lanes_marked": lambda: run_flips(flips, PAIRS, THREADS),
            "baseline": lambda: run_flips(flips, PAIRS, THREADS, has_marks=False, width=128),
            "general": lambda: _general(market),
            "general_bracket": lambda: _general(market, {"bracket": 1.0}),
            "general_forged": lambda: _general(market, library=library),
        }
        for turn in range(rounds):
            for name, act in work.items():
                if name in SLOW and turn > 1:
                    continue
                start, start_cpu = time.perf_counter(), time.process_time()
                results[name] = act()
                best[name] = min(best.get(name, 9e9), time.perf_counter() - start)
                cpu[name] = min(cpu.get(name, 9e9), time.process_time() - start_cpu)
    rates = {name: bars * len(PAIRS) / seconds / 1e9 for name, seconds in best.items()}
    return {
        "bars": bars,
        "combos": len(PAIRS),
        "threads": THREADS,
        "lane_bits": lane_width(),
        "trades": int(results["lanes"]["trades"].sum()),
        "is_equal": _agree(market, results),
        **{f"{name}_gbars_s": round(rate, 3) for name, rate in rates.items()},
        **{f"{name}_gbars_cpu_s": round(bars * len(PAIRS) / spent / 1e9, 3) for name, spent in cpu.items()},
        "lanes_ratio_to_c_vector": round(cpu["c_vector"] / cpu["lanes"], 3),
        "lanes_marked_ratio_to_c_vector": round(cpu["c_vector"] / cpu["lanes_marked"], 3),
        "baseline_ratio_to_c_scalar": round(cpu["c_scalar"] / cpu["baseline"], 3),
        **{f"{name}_ratio_to_c_scalar": round(cpu["c_scalar"] / cpu[name], 3) for name in SLOW[1:]},
    }


def _general(
    market: list[np.ndarray], params: dict[str, float] | None = None, library: Library | None = None
) -> np.ndarray:
    """All pairs on the general path, which takes any compiled strategy, with every mark."""

    def kernel(pair: tuple[int, int]) -> Kernel:
        named: dict[str, float] = {"fast": pair[0], "slow": pair[1], **(params or {})}
        strategy = "ema_cross" if library is None else library.instance(named)
        spec = LaneSpec(symbol="X", strategy=strategy, params=named if library is None else {})
        return Kernel(KernelConfig(), [spec])

    def cells(pairs: list[tuple[int, int]]) -> np.ndarray:
        found, failures = replay_cells([kernel(pair) for pair in pairs], *market)
        assert not any(failures)
        return found

    return np.concatenate(in_threads(cells, slices_of(PAIRS, THREADS), THREADS))


def _alone(market: list[np.ndarray], pair: tuple[int, int], bracket: float) -> Any:
    params = {"fast": pair[0], "slow": pair[1], "bracket": bracket}
    return replay_cell(
        Kernel(KernelConfig(), [LaneSpec(symbol="X", strategy="ema_cross", params=params)]), *market
    )


def _agree(market: list[np.ndarray], results: dict[str, Any]) -> bool:
    """All paths bit for bit, sampled cells as lanes alone; the C loops in trades and to 1e-6 in equity."""
    cells = results["lanes_marked"]
    ours = all((cells[name] == results["lanes"][name]).all() for name in ("final_equity", "digest", "fees"))
    ours &= bool((results["lanes"] == results["baseline"]).all())
    ours &= bool((results["general"] == cells).all() and (results["general_forged"] == cells).all())
    ours &= all(_alone(market, PAIRS[i], 0.0) == cells[i] for i in SAMPLED)
    ours &= all(_alone(market, PAIRS[i], 1.0) == results["general_bracket"][i] for i in SAMPLED)
    return ours and all(
        (trades == cells["trades"]).all() and np.abs(equity - cells["final_equity"]).max() < 1e-6
        for equity, trades in (results["c_scalar"], results["c_vector"])
    )


ROWS = (
    ("vector lanes", "lanes", "c_vector"),
    ("vector lanes, marked at every bar", "lanes_marked", "c_vector"),
    ("128-bit lanes", "baseline", "c_scalar"),
    ("general path", "general", "c_scalar"),
    ("general path, bracket, beside C's flip", "general_bracket", "c_scalar"),
    ("general path, forged flip", "general_forged", "c_scalar"),
)


def rows() -> tuple[list[Row], bool]:
    """Return the comparison by rows, and whether all results agree."""
    found = measure()
    unit = "10⁹ bar·combos/s"
    return [
        row(
            name,
            unit,
            found[f"{ours}_gbars_s"],
            found[f"{limit}_gbars_s"],
            found[f"{ours}_ratio_to_{limit}"],
        )
        for name, ours, limit in ROWS
    ], bool(found["is_equal"])


def main(arguments: list[str]) -> int:
    """Print the measurements (`--json` as one object); 1 when results differ."""
    result = measure()
    if "--json" in arguments:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name:32} {value}" for name, value in result.items()))
    return 0 if result["is_equal"] else 1
