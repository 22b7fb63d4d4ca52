"""Portfolios over forward sessions: money adds up, weights sum to 1, the report states its mode."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from engine.api import forward
from engine.research.choice import RunFailed
from engine.research.forward_files import ForwardBook
from engine.research.forward_report import PortfolioReport
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.research.market import write_bars

CLOCK = FixedClock()
FOUR_HOURS = 4 * 3_600 * 10**9


def later(path: Path, hours: int) -> None:
    """Move a file's bars to later times."""
    head, *rows = path.read_text().splitlines()
    moved = [
        str(int(at) + hours * 3_600_000) + "," + rest for at, rest in (row.split(",", 1) for row in rows)
    ]
    path.write_text("\n".join([head, *moved]) + "\n")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three sessions: other seeds, capital and lengths; the third trades four-hour bars."""
    for seed, cash, count, minutes in ((1, 1e4, 800, 60), (2, 3e4, 700, 60), (3, 2e4, 220, 240)):
        path = write_bars(tmp_path / f"S{seed}.csv", count, seed=seed, minutes=minutes)
        later(path, 2 if minutes == 240 else 0)
        fields = {"strategy": "ema_cross", "data": str(path), "params": {"fast": 5, "slow": 20}, "cash": cash}
        forward.start_forward(fields, tmp_path, clock=CLOCK)
    return tmp_path


def ids(home: Path) -> dict[str, str]:
    """Session ids by ticker."""
    return {row.ticker: row.session_id for row in forward.list_forward(home)[0]}


def made(home: Path, **fields: object) -> PortfolioReport:
    return forward.aggregate(fields, home, clock=CLOCK)


def test_raw_capital_is_the_sum_of_the_accounts(home: Path) -> None:
    names = ids(home)
    report = made(home, sessions=(names["S1"], names["S2"]))
    book = ForwardBook(home, RealDisk())
    read = [book.curve(book.read(names[each])[1]) for each in ("S1", "S2")]
    curves = [dict(zip(at.tolist(), equity.tolist(), strict=True)) for at, equity in read]
    last = min(max(curve) for curve in curves)
    (result,) = report.results
    assert (report.mode, result.mode) == ("raw_capital", "raw_capital")
    assert result.initial_usd == 40_000.0
    assert result.final_usd == pytest.approx(sum(curve[last] for curve in curves), abs=1e-9)
    assert math.fsum(each.pnl_usd for each in result.members) == pytest.approx(
        result.final_usd - result.initial_usd, abs=1e-8
    )
    assert result.metrics["total_return"] == pytest.approx(result.final_usd / 40_000.0 - 1, abs=1e-12)
    assert [each.weight for each in result.members] == [0.25, 0.75]
    rows = list(csv.DictReader((Path(report.path) / "portfolio_equity_curve.csv").open()))
    assert len(rows) == report.points == 700
    for row, at in zip(rows, sorted(set(curves[0]) & set(curves[1])), strict=True):
        assert float(row["raw_capital"]) == pytest.approx(curves[0][at] + curves[1][at], abs=1e-9)


def test_equal_and_custom_weights_grow_each_share_as_its_session_grew(home: Path) -> None:
    names = ids(home)
    both = (names["S1"], names["S2"])
    weights = {names["S1"]: 0.9, names["S2"]: 0.1}
    report = made(home, sessions=both, mode="custom_weight", weights=weights, compares=True)
    custom, raw, equal = report.results
    assert [each.mode for each in report.results] == ["custom_weight", "raw_capital", "equal_weight"]
    grown = [each.final_usd / each.initial_usd for each in raw.members]
    for result, shares in ((custom, (0.9, 0.1)), (equal, (0.5, 0.5))):
        assert [each.weight for each in result.members] == list(shares)
        assert math.fsum(each.weight for each in result.members) == 1.0
        expected = 40_000.0 * sum(share * growth for share, growth in zip(shares, grown, strict=True))
        assert result.final_usd == pytest.approx(expected, abs=1e-8)
    assert len({round(each.final_usd, 6) for each in report.results}) == 3
    page = (Path(report.path) / "portfolio_report.md").read_text()
    assert "Mode: **custom_weight**" in page
    assert json.loads((Path(report.path) / "portfolio_report.json").read_bytes())["mode"] == "custom_weight"


def test_intervals_meet_on_the_coarsest_grid_where_all_are_known(home: Path) -> None:
    report = made(home)
    book = ForwardBook(home, RealDisk())
    states = [book.read(name)[1] for name in ids(home).values()]
    assert report.points == 700 // 4 and report.selection == "all sessions"
    last_close = min(state.last_ns + state.interval_ns for state in states) // FOUR_HOURS * FOUR_HOURS
    total = 0.0
    for state in states:
        at, equity = book.curve(state)
        total += equity[at + state.interval_ns <= last_close][-1]
    assert report.results[0].final_usd == pytest.approx(total, abs=1e-9)


def test_top_n_says_that_it_chose_in_sample(home: Path) -> None:
    rows = sorted(forward.list_forward(home)[0], key=lambda row: float(row.max_drawdown or 0.0))
    report = made(home, top_n=2, metric="max_drawdown", mode="equal_weight")
    assert {each.session_id for each in report.results[0].members} == {row.session_id for row in rows[:2]}
    assert report.selection.startswith("the 2 best of 3 by max_drawdown") and "in-sample" in report.selection


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": "custom_weight", "weights": {"S1": 0.5, "S2": 0.3, "S3": 0.1}}, "must sum to 1, not 0.9"),
        ({"mode": "custom_weight", "weights": {"S1": 0.5, "S2": 0.5}}, "one weight for each session"),
        ({"mode": "custom_weight", "weights": {"S1": 1.5, "S2": -0.3, "S3": -0.2}}, "weights are above 0"),
        ({"top_n": 4}, "only 3 sessions have a sharpe_simple"),
        ({"top_n": 1, "metric": "luck"}, "top-n is above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_and_writes_nothing(
    home: Path, fields: dict[str, object], message: str
) -> None:
    weights = fields.get("weights")
    if isinstance(weights, dict):
        names = ids(home)
        fields = fields | {"weights": {names[key]: value for key, value in weights.items()}}
    with pytest.raises(RunFailed, match=message) as refused:
        made(home, **fields)
    assert refused.value.code == "invalid_request"
    assert not (home / "outputs" / "portfolio_reports").exists()


def test_windows_that_do_not_meet_are_refused(home: Path) -> None:
    path = write_bars(home / "late.csv", 50, minutes=60)
    later(path, 24_000)
    forward.start_forward({"strategy": "buy_and_hold", "data": str(path)}, home, clock=CLOCK)
    with pytest.raises(RunFailed) as refused:
        made(home)
    assert refused.value.code == "windows_disjoint"
