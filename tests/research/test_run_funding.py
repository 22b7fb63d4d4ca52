"""Funding in a run: every payment as computed by hand, with its sign; nothing missing goes unsaid."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api import research
from engine.market.funding import FundingIncomplete
from engine.market.funding_store import import_funding
from engine.market.importer import import_file
from engine.research.choice import RunFailed
from engine.research.request import RunResult
from seams.clock import FixedClock
from seams.disk import RealDisk

T0_MS = 1_700_006_400_000  # 2023-11-15 00:00 UTC
HOUR_MS = 3_600_000
CLOSES = np.array([100.0 + 3.0 * np.sin(at / 5.0) + at / 50.0 for at in range(100)]).round(4)
RATES = [
    0.0001,
    -0.0002,
    0.0004,
    0.0,
    0.0003,
    -0.0001,
    0.0002,
    0.0005,
    0.0001,
    0.0002,
    -0.0003,
    0.0001,
    0.0002,
]
SIDE = '''
from interlock import Bar, Strategy


class Side(Strategy):
    """Enter at once in one direction; leave after forty bars."""

    def on_start(self) -> None:
        self.seen = 0

    def on_bar(self, bar: Bar) -> int | None:
        self.seen += 1
        return 0 if self.seen > 40 else {side}
'''


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lines, before = ["ts_ms,open,high,low,close,volume"], 100.0
    for at, price in enumerate(CLOSES):
        lines.append(
            f"{T0_MS + at * HOUR_MS},{before},{max(before, price) + 1},{min(before, price) - 1},{price},5"
        )
        before = price
    (tmp_path / "bars.csv").write_text("\n".join(lines) + "\n")
    rows = [f"{T0_MS + 8 * HOUR_MS * at + 7},{rate}" for at, rate in enumerate(RATES)]
    (tmp_path / "rates.csv").write_text("\n".join(["ts_ms,funding_rate", *rows]) + "\n")
    disk, clock = RealDisk(), FixedClock()
    import_file(tmp_path / "bars.csv", "v", "X", "1h", tmp_path, disk, clock)
    import_funding(tmp_path / "rates.csv", "v", "X", tmp_path, disk, clock)
    return tmp_path


def start(home: Path, strategy: str = "buy_and_hold", **fields: object) -> RunResult:
    request = research.run_request({"strategy": strategy, "data": "v/X/1h", **fields})
    return research.start_run(request, home, clock=FixedClock())


def side_file(home: Path, side: int) -> str:
    path = home / "side.py"
    path.write_text(SIDE.format(side=side))
    return str(path)


def by_hand(side: int, units: float, first_bar: int, last_bar: int) -> float:
    """What a position from the open of `first_bar` to the open of `last_bar` pays: the exit's moment too,
    the entry's not."""
    paid = 0.0
    for number, rate in enumerate(RATES):
        bar = 8 * number
        if first_bar < bar <= last_bar:
            paid += side * units * CLOSES[bar - 1] * rate
    return paid


@pytest.mark.parametrize("side", [1, -1])
def test_every_payment_is_booked_with_its_sign(home: Path, side: int) -> None:
    strategy = side_file(home, side)
    without, result = start(home, strategy), start(home, strategy, funding="data")
    units = 1e-6 * _trade(result)["units"]
    paid = by_hand(side, units, 1, 41)
    assert abs(paid) > 1.0, "a test without payments would prove nothing"
    assert result.metrics["funding_usd"] == pytest.approx(paid, abs=1e-9)
    assert without.final_equity - result.final_equity == pytest.approx(paid, abs=1e-9)
    assert without.metrics["funding_usd"] is None
    rows = list(csv.DictReader((Path(result.path) / "trades.csv").read_text().splitlines()))
    assert sum(float(row["funding_usd"]) for row in rows) == pytest.approx(paid, abs=1e-6 * len(rows))
    metrics = json.loads((Path(result.path) / "metrics.json").read_bytes())
    assert metrics["tables"]["per_side"][0]["funding_usd"] == pytest.approx(paid, abs=1e-9)
    assert json.loads((Path(without.path) / "metrics.json").read_bytes())["null_reasons"]["funding_usd"] == (
        "no_funding_data"
    )
    gross = [run.metrics["gross_pnl_usd"] for run in (without, result)]
    assert gross[0] == pytest.approx(gross[1], abs=1e-9), "before costs both are the same"


def _trade(result: RunResult) -> Any:
    from engine.journal import read_table

    trades = read_table(Path(result.path) / "journal.h5", "trades")
    assert len(trades) == 1
    return trades[0]


def test_an_open_position_pays_too_and_the_baseline_with_it(home: Path) -> None:
    result = start(home, funding="data", slippage_bps=0.0, fee_bps=0.0, notional_usd=1_000.0)
    units = np.floor(1_000.0 / CLOSES[0] * 1e6) / 1e6  # sized at the close, filled at the same price
    assert result.metrics["funding_usd"] == pytest.approx(by_hand(1, units, 1, 99), abs=1e-6)
    metrics = json.loads((Path(result.path) / "metrics.json").read_bytes())
    held = next(each for each in metrics["baselines"] if each["name"] == "buy_and_hold")
    assert held["values"]["total_pnl"] == pytest.approx(result.metrics["total_pnl"], abs=1e-3)


def test_funding_belongs_to_what_a_run_is_measured_on(home: Path) -> None:
    without, with_it = start(home), start(home, funding="data")
    named = start(home, funding="v/X")
    assert without.config_hash != with_it.config_hash
    found = research.compare_runs(home, (without.run_id, with_it.run_id))
    assert (found.contract, found.mixed_keys) == ("mixed_contract", ("funding_sha256",))
    assert research.compare_runs(home, (named.run_id, with_it.run_id)).contract == "same"
    assert with_it.trust == without.trust


def test_a_window_that_lacks_payments_is_refused_and_leaves_nothing(home: Path) -> None:
    rows = (home / "rates.csv").read_text().splitlines()
    (home / "rates.csv").write_text("\n".join(rows[:5] + rows[6:]) + "\n")
    import_funding(home / "rates.csv", "v", "X", home, RealDisk(), FixedClock())
    with pytest.raises(FundingIncomplete, match="1 payments are missing") as refused:
        start(home, funding="data")
    assert refused.value.code == "funding_missing"
    assert research.list_runs(home).runs == ()
    assert start(home, funding="data", max_missing_funding=1).metrics["funding_usd"] is not None


def test_a_file_has_no_venue_to_take_funding_from(home: Path) -> None:
    with pytest.raises(RunFailed, match="name its funding series") as refused:
        start(home, data=str(home / "bars.csv"), funding="data")
    assert refused.value.code == "invalid_request"
    named = start(home, data=str(home / "bars.csv"), interval="1h", funding="v/X")
    assert named.metrics["funding_usd"] == start(home, funding="data").metrics["funding_usd"]
    with pytest.raises(LookupError, match="no funding for v Y"):
        start(home, funding="v/Y")


def test_validation_stresses_a_run_with_its_funding(home: Path) -> None:
    result = start(home, "ema_cross", funding="data", params={"fast": 3.0, "slow": 8.0}, slippage_bps=20.0)
    assert result.metrics["funding_usd"] not in (None, 0.0)
    made = research.validate_run(home, result.run_id)
    assert made.costs.pnl_at_20_bps == pytest.approx(result.metrics["total_pnl"], abs=1e-6)
    without = start(home, "ema_cross", params={"fast": 3.0, "slow": 8.0}, slippage_bps=20.0)
    other = research.validate_run(home, without.run_id)
    paid = other.costs.pnl_at_20_bps - made.costs.pnl_at_20_bps
    assert paid == pytest.approx(result.metrics["funding_usd"], abs=1e-6)
