"""How fast the data desk is: import of minutes from CSV and Parquet, findings, load, minutes to hours."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from engine.market.catalogue import load, raw_columns
from engine.market.importer import import_file
from engine.market.quality import findings_of
from engine.market.resample import Partial, resample
from engine.market.validation import interval_ns_of
from seams.clock import SystemClock
from seams.disk import RealDisk

BARS = 1_500_000
REPEATS = 3
START_MS = 1_500_000_000_000 // 60_000 * 60_000


def measure(folder: Path, count: int = BARS) -> dict[str, float | int]:
    """Return seconds (medians of `REPEATS`) and millions of bars a second over `count` generated minutes."""
    table = _table(count)
    files = {"csv": folder / "bars.csv", "parquet": folder / "bars.parquet"}
    pa_csv.write_csv(table, files["csv"])
    pq.write_table(table, files["parquet"])
    figures: dict[str, float | int] = {"bars": count}
    for name, path in files.items():
        seconds = _median(
            lambda path=path: import_file(path, "v", "X", "1m", folder, RealDisk(), SystemClock())  # type: ignore[misc]
        )
        figures[f"import_{name}_s"] = round(seconds, 3)
    bars = load(folder, "v", "X", "1m")
    columns, hour_ns = raw_columns(bars), interval_ns_of("1h")
    figures["load_s"] = round(_median(lambda: load(folder, "v", "X", "1m")), 3)
    figures["findings_s"] = round(_median(lambda: findings_of(columns, bars.interval_ns)), 3)
    resampled = _median(lambda: resample(bars, hour_ns, Partial.KEEP))
    one_pass = _median(
        lambda: [getattr(bars, name).sum() for name in ("open", "high", "low", "close", "volume")]
    )
    figures["resample_1h_s"] = round(resampled, 4)
    figures["resample_mbars_per_s"] = round(count / resampled / 1e6, 1)
    figures["resample_in_passes_over_the_columns"] = round(resampled / one_pass, 1)
    return figures


def main(arguments: list[str]) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks data", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--bars", type=int, default=BARS, help="how many minutes")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = {"benchmark": "data", **measure(Path(folder), options.bars)}
    print(json.dumps(figures) if options.json else "\n".join(f"{k:36} {v}" for k, v in figures.items()))
    return 0


def _table(count: int) -> pa.Table:
    rng = np.random.default_rng(7)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.0005, count))), 4)
    opened = np.concatenate((close[:1], close[:-1]))
    columns = {
        "ts_ms": START_MS + 60_000 * np.arange(count),
        "open": opened,
        "high": np.maximum(opened, close),
        "low": np.minimum(opened, close),
        "close": close,
        "volume": np.round(rng.uniform(0.1, 9, count), 3),
    }
    return pa.table(columns)


def _median(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
