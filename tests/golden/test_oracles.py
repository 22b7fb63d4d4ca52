"""The known answers: trades, wins, final equity and trade list of every oracle case, exactly."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.strategies import PRESETS
from native.intents import LaneSpec
from native.kernel import Kernel

ROOT = Path(__file__).parents[2]
SHARED = (ROOT / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
ORACLES = SHARED / "oracles" / "backtest.json"
CASES = json.loads(ORACLES.read_text())["cases"] if ORACLES.is_file() else []

pytestmark = [pytest.mark.shared, pytest.mark.skipif(not CASES, reason="INTERLOCK_SHARED has no oracles")]


@pytest.mark.parametrize("mode", ["flip", "bracket"])
@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c['file'].partition('.')[0]}-{c['fast']}-{c['slow']}"
)
def test_known_answer_is_met_exactly(case, mode):
    path = next((SHARED / "data").rglob(case["file"]))
    table = pq.read_table(path)
    prices = [
        np.ascontiguousarray(table[name].to_numpy(), dtype=np.float64)
        for name in ("open", "high", "low", "close", "volume")
    ]
    preset = PRESETS[f"oracle-{mode}"]
    params = {**preset.params, "fast": case["fast"], "slow": case["slow"]}
    kernel = Kernel(preset.config, [LaneSpec(symbol="X", strategy=preset.strategy, params=params)])
    wanted = case[mode]
    assert kernel.replay(0, table["ts_ms"].to_numpy().astype(np.int64) * 1_000_000, *prices) == wanted["bars"]
    assert (len(kernel.trades()), kernel.wins(), kernel.position(0).side) == (
        wanted["trades"],
        wanted["wins"],
        wanted["open_side"],
    )
    assert kernel.final_equity() == pytest.approx(wanted["final_equity"], abs=1e-6)
    assert kernel.trades_sha256() == wanted["trades_sha256"]
