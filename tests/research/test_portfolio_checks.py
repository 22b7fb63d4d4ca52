"""What stands beside a portfolio's bars, and what its checks and baselines find."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from engine.api import data, research
from engine.market.funding_store import import_funding
from engine.research.choice import RunFailed
from engine.research.portfolio_checks import _settles
from native.codes import Action
from native.kernel import DECISION_DTYPE
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.research.market import write_bars

HOUR_MS = 3_600_000
T0_MS = 1_699_999_200_000
COUNTING = """
from interlock import Strategy


class Counting(Strategy):
    def on_bar(self, bar):
        return 1 if bar.index % 40 < 15 else 0
"""


def start(home: Path, *names: str, **fields: object) -> research.RunResult:
    asked: dict[str, object] = {"data": names[0], "more_data": list(names[1:]), **fields}
    if not asked.get("strategy"):
        asked["preset"] = "oracle-bracket"
    return research.start_run(research.run_request(asked), home, clock=FixedClock())


def config_of(result: research.RunResult) -> dict[str, object]:
    found = json.loads((Path(result.path) / "config.json").read_bytes())
    assert isinstance(found, dict)
    return found


@pytest.fixture
def paying(tmp_path: Path) -> Path:
    """Two stored markets of hours with their own payments."""
    for at, symbol in enumerate("XY"):
        path = write_bars(tmp_path / f"{symbol}_1h.csv", 1_500, seed=at + 1, minutes=60)
        data.import_shaped(path, "v", symbol, "1h", tmp_path, data.AS_IT_IS, ())
        rows = [f"{T0_MS + 8 * HOUR_MS * k},{0.0002 * (1 + at) * (-1) ** (k // 5)}" for k in range(188)]
        rates = tmp_path / f"{symbol}.csv"
        rates.write_text("\n".join(["ts_ms,funding_rate", *rows]) + "\n")
        import_funding(rates, "v", symbol, tmp_path, RealDisk(), FixedClock())
    return tmp_path


def test_each_symbol_pays_its_own_funding(paying: Path) -> None:
    fields = {"funding": "data", "max_missing_funding": 2}
    alone = [start(paying, f"v/{symbol}/1h", **fields) for symbol in "XY"]
    both = start(paying, "v/X/1h", "v/Y/1h", **fields)
    paid = [float(str(each.metrics["funding_usd"])) for each in alone]
    assert both.metrics["funding_usd"] == pytest.approx(sum(paid), abs=1e-9) and 0.0 not in paid
    assert both.final_equity - 1e6 == pytest.approx(sum(each.final_equity - 1e6 for each in alone), abs=1e-6)
    lanes = config_of(both)["lanes"]
    assert [lane["funding"] for lane in lanes] == ["v/X", "v/Y"]  # type: ignore[attr-defined]
    assert both.trust == "passed", both.checks
    starred = start(paying, "v/X/1h", "v/Y/1h", **{**fields, "funding": "v/*"})
    assert starred.decision_sha256 == both.decision_sha256
    assert starred.final_equity == both.final_equity
    with pytest.raises(RunFailed, match=r"several symbols: write \*"):
        start(paying, "v/X/1h", "v/Y/1h", funding="v/X")


def coarse(path: Path, target: Path, minutes: int) -> str:
    """Write bars of so many one-minute bars each."""
    rows = list(csv.DictReader(path.open()))
    lines = ["ts_ms,open,high,low,close,volume"]
    for at in range(0, len(rows), minutes):
        part = rows[at : at + minutes]
        high = max(float(row["high"]) for row in part)
        low = min(float(row["low"]) for row in part)
        lines.append(f"{part[0]['ts_ms']},{part[0]['open']},{high},{low},{part[-1]['close']},25.0")
    target.write_text("\n".join(lines) + "\n")
    return str(target)


def test_each_symbol_walks_its_own_finer_bars(tmp_path: Path) -> None:
    names = []
    for at, symbol in enumerate(("AAA", "BBB")):
        fine = write_bars(tmp_path / f"{symbol}_1m.csv", 6_000, seed=at + 3)
        names.append(coarse(fine, tmp_path / f"{symbol}_5m.csv", 5))
    alone = [
        start(tmp_path, name, sub_data=str(tmp_path / f"{symbol}_1m.csv"))
        for name, symbol in zip(names, ("AAA", "BBB"), strict=True)
    ]
    both = start(tmp_path, *names, sub_data=str(tmp_path / "*_1m.csv"))
    assert both.final_equity - 1e6 == pytest.approx(sum(each.final_equity - 1e6 for each in alone), abs=1e-6)
    assert both.trades == sum(each.trades for each in alone) > 20
    plain = start(tmp_path, *names)
    assert plain.decision_sha256 != both.decision_sha256, "the path inside the bars decides something"
    assert config_of(both)["switches"]["sub_data"] == "*_1m.csv"  # type: ignore[index]
    assert both.trust == "passed", both.checks


def test_the_trust_of_a_portfolio_that_fights_for_room_can_pass(tmp_path: Path) -> None:
    names = [str(write_bars(tmp_path / f"{s}_1m.csv", 3_000, seed=at)) for at, s in enumerate("ABCDE")]
    fought = start(tmp_path, *names, max_positions=2)
    warm_up = next(check for check in fought.checks if check.name == "warm_up")
    assert (fought.trust, warm_up.status) == ("passed", "passed")
    assert "5 of 5 lanes" in warm_up.detail and "together" in warm_up.detail


def test_a_lane_that_counts_from_its_first_bar_is_named(tmp_path: Path) -> None:
    file = tmp_path / "counting.py"
    file.write_text(COUNTING)
    names = [str(write_bars(tmp_path / f"{s}_1m.csv", 3_000, seed=at)) for at, s in enumerate("AB")]
    found = start(tmp_path, *names, strategy="ema_cross", more_strategies=[str(file)])
    warm_up = next(check for check in found.checks if check.name == "warm_up")
    assert (found.trust, warm_up.reason) == ("failed", "never_settles")
    assert warm_up.detail.startswith("A under Counting")


def rows(*found: tuple[int, int, Action, int]) -> np.ndarray:
    made = np.zeros(len(found), DECISION_DTYPE)
    for at, (lane, ts_ns, action, side) in enumerate(found):
        made[at]["lane"], made[at]["ts_ns"], made[at]["action"], made[at]["side"] = lane, ts_ns, action, side
    return made


def test_lanes_are_compared_only_from_where_all_of_them_hold_the_same() -> None:
    """Lane 0 is in step from 30 on, lane 1 from 50 on: only what follows counts."""
    times = np.arange(100)
    whole = rows((0, 5, Action.OPEN, 1), (0, 30, Action.CLOSE, -1), (1, 10, Action.OPEN, 1),
                 (1, 50, Action.CLOSE, -1), (0, 60, Action.OPEN, 1))  # fmt: skip
    late = rows((0, 15, Action.OPEN, 1), (0, 30, Action.CLOSE, -1), (1, 20, Action.OPEN, 1),
                (1, 50, Action.CLOSE, -1), (0, 60, Action.OPEN, 1))  # fmt: skip
    assert _settles(whole, late, times, [20, 40], 2) == (20, 1)
    other = late.copy()
    other[-1]["side"] = -1
    assert _settles(whole, other, times, [20, 40], 2) == (None, 1)
    never = rows((0, 15, Action.OPEN, 1), (1, 20, Action.OPEN, 1))
    assert _settles(whole[:1], never, times, [20], 2) == (20, 0)
