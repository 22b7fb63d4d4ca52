"""A back-test from the shell: 1.5 million stored bars to a published run folder."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from statistics import median

from benchmarks._engine import timed

DATA = "data/no_licence_stated/bars_1m/bitfinex/BTCUSD_1m_2017-2019.parquet"
ROUNDS = 5


def main(arguments: list[str]) -> int:
    """Print wall seconds and peak MB; 2 where INTERLOCK_SHARED has no such file."""
    file = Path(os.environ.get("INTERLOCK_SHARED", "")) / DATA
    if not file.is_file():
        print(f"left out: INTERLOCK_SHARED has no {DATA}")
        return 2
    with tempfile.TemporaryDirectory() as home:
        rounds = [
            timed(Path(home), "run", "start", "--preset", "oracle-flip", "--data", str(file), "--json")
            for _ in range(ROUNDS)
        ]
    walls = [wall for wall, _ in rounds]
    figures = {
        "rounds": ROUNDS,
        "wall_min_s": round(min(walls), 2),
        "wall_median_s": round(median(walls), 2),
        "wall_max_s": round(max(walls), 2),
        "peak_mb": round(max(peak for _, peak in rounds)),
    }
    if "--json" in arguments:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:16} {value}" for name, value in figures.items()))
    return 0
