"""Portfolio runs: several symbols under one account, in the order of time, ranked for capacity."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from engine.api import data, research
from engine.journal import read_equity, read_table
from engine.research.choice import RunFailed
from engine.research.portfolio import run_portfolio
from native.codes import Action, Gate
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.research.market import write_bars

LISTINGS = """symbol,listed,delisted
AAA,2020-01-01,
BBB,2020-01-01,2023-12-01
NEW,2024-01-01,
OLD,2020-01-01,2021-01-01
"""
RANKED = '''
from interlock import Signal, Strategy


class Ranked(Strategy):
    """Wish at every tenth bar; strong where the price is high."""

    def on_bar(self, bar):
        if bar.index % 10 == 5:
            return Signal(1, strength=1.0 if bar.close > 100.0 else 0.25)
        return 0 if bar.index % 10 == 8 else None
'''


def start(home: Path, *names: Path, **fields: object) -> research.RunResult:
    asked = {"data": str(names[0]), "more_data": [str(name) for name in names[1:]], **fields}
    if not asked.get("strategy"):
        asked["preset"] = "oracle-flip"
    return research.start_run(research.run_request(asked), home, clock=FixedClock())


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two markets, the second shorter."""
    return write_bars(tmp_path / "AAA_1m.csv", 1_500), write_bars(tmp_path / "BBB_1m.csv", 900, seed=8)


def config_of(result: research.RunResult) -> dict[str, object]:
    found = json.loads((Path(result.path) / "config.json").read_bytes())
    assert isinstance(found, dict)
    return found


def test_a_portfolio_of_one_symbol_is_the_single_run(tmp_path: Path, two: tuple[Path, Path]) -> None:
    alone = start(tmp_path, two[0])
    request = research.run_request({"preset": "oracle-flip", "data": str(two[0])})
    together = run_portfolio(request, tmp_path, RealDisk(), FixedClock())
    for name in ("trades", "wins", "final_equity", "trades_sha256", "decision_sha256"):
        assert getattr(together, name) == getattr(alone, name), name
    ours, theirs = (read_equity(Path(each.path) / "journal.h5")[1] for each in (together, alone))
    assert ours == pytest.approx(theirs, rel=1e-15)
    skipped = {"sharpe_method"}
    for name in set(alone.metrics) - skipped:
        assert together.metrics[name] == pytest.approx(alone.metrics[name]), name
    found = [
        json.loads((Path(each.path) / "metrics.json").read_bytes())["baselines"] for each in (together, alone)
    ]
    assert found[0] == found[1] and found[0][-1]["name"] == "random_entries"


def test_two_symbols_with_different_windows_add_up(tmp_path: Path, two: tuple[Path, Path]) -> None:
    parts = [start(tmp_path, each) for each in two]
    whole = start(tmp_path, *two)
    assert (whole.trades, whole.wins) == (sum(p.trades for p in parts), sum(p.wins for p in parts))
    gains = sum(part.final_equity - 1e6 for part in parts)
    assert whole.final_equity - 1e6 == pytest.approx(gains, abs=1e-6)
    ts_ns, equity = read_equity(Path(whole.path) / "journal.h5")
    curves = [read_equity(Path(part.path) / "journal.h5")[1] - 1e6 for part in parts]
    summed = 1e6 + curves[0] + np.concatenate([curves[1], np.full(600, curves[1][-1])])
    assert len(ts_ns) == 1_500 and equity == pytest.approx(summed, abs=1e-6)
    config = config_of(whole)
    assert config["ticker"] == "2 symbols"
    assert [(lane["symbol"], lane["bars"]) for lane in config["lanes"]] == [("AAA", 1_500), ("BBB", 900)]  # type: ignore[attr-defined]
    assert research.list_runs(tmp_path).runs[0].ticker == "2 symbols"


def test_its_files_say_which_symbol(tmp_path: Path, two: tuple[Path, Path]) -> None:
    whole = start(tmp_path, *two)
    folder = Path(whole.path)
    rows = list(csv.DictReader((folder / "trades.csv").open()))
    table = json.loads((folder / "metrics.json").read_bytes())["tables"]["per_symbol"]
    for row in table:
        mine = [float(each["pnl_usd"]) for each in rows if each["symbol"] == row["key"]]
        assert (len(mine), sum(mine)) == (row["trades"], pytest.approx(row["pnl_usd"], abs=1e-4))
    assert [row["key"] for row in table] == ["AAA", "BBB"] and len(rows) == whole.trades
    for name in ("report.html", "report.md"):
        text = (folder / name).read_text()
        assert "AAA" in text and "BBB" in text and "symbol" in text
    assert research.make_report(tmp_path, whole.run_id).is_as_written
    detail = research.show_run(tmp_path, whole.run_id)
    assert len(detail.trades) == whole.trades
    command = json.loads((folder / "report.json").read_bytes())["reproduce"]["command"]
    assert command.count("--data") == 2


def test_capacity_is_consumed_in_the_order_of_rank(tmp_path: Path) -> None:
    low = write_bars(tmp_path / "AAA_1m.csv", 400, level=10.0)
    high = write_bars(tmp_path / "ZZZ_1m.csv", 400, seed=9, level=1_000.0)
    file = tmp_path / "ranked.py"
    file.write_text(RANKED)
    result = start(tmp_path, low, high, strategy=str(file), max_entries=1)
    decisions = read_table(Path(result.path) / "journal.h5", "decisions")
    opened = decisions[decisions["action"] == Action.OPEN]
    blocked = decisions[
        (decisions["action"] == Action.BLOCKED) & (decisions["gates"] & int(Gate.CAPACITY) > 0)
    ]
    assert set(opened["lane"]) == {1} and set(blocked["lane"]) == {0}, "the strong one, though ZZZ sorts last"
    assert len(opened) == 40 and len(blocked) > 0
    both = start(tmp_path, low, high, strategy=str(file), max_entries=2)
    assert both.trades == 2 * result.trades
    found = research.compare_runs(tmp_path, (result.run_id, both.run_id))
    assert found.mixed_keys == ("max_entries",)


def test_a_strategy_that_knows_the_future_of_a_symbol_is_caught(
    tmp_path: Path, two: tuple[Path, Path]
) -> None:
    honest = start(tmp_path, *two)
    assert {c.name: c.status for c in honest.checks} == {"look_ahead": "passed", "warm_up": "passed"}
    assert honest.trust == "passed"
    file = tmp_path / "peeker.py"
    file.write_text(
        "import csv\nfrom interlock import Strategy\n"
        f"CLOSES = [float(r['close']) for r in csv.DictReader(open({str(two[0])!r}))]\n\n\n"
        "class Peeker(Strategy):\n    def on_bar(self, bar):\n"
        "        i = min(bar.index + 3, len(CLOSES) - 1)\n"
        "        return 1 if CLOSES[i] > CLOSES[min(bar.index, len(CLOSES) - 1)] else -1\n"
    )
    twin = tmp_path / "TWIN_1m.csv"
    twin.write_bytes(two[0].read_bytes())
    caught = start(tmp_path, two[0], twin, strategy=str(file), fee_bps=0.0, slippage_bps=0.0)
    look_ahead = next(check for check in caught.checks if check.name == "look_ahead")
    assert (look_ahead.status, look_ahead.reason, caught.trust) == ("failed", "knows_the_future", "failed")


def test_strategies_by_symbols_and_each_has_its_parameters(tmp_path: Path, two: tuple[Path, Path]) -> None:
    fields = {"strategy": "ema_cross", "more_strategies": ["buy_and_hold"], "params": {"fast": 5}}
    result = start(tmp_path, *two, **fields, close_at_end=True)
    config = config_of(result)
    assert config["strategy"] == "ema_cross, buy_and_hold" and len(config["lanes"]) == 4  # type: ignore[arg-type]
    assert config["params"]["ema_cross.fast"] == 5.0  # type: ignore[index]
    tables = json.loads((Path(result.path) / "metrics.json").read_bytes())["tables"]
    assert [row["key"] for row in tables["per_strategy"]] == ["ema_cross", "buy_and_hold"]
    assert len(tables["per_symbol"]) == 2
    trades = read_table(Path(result.path) / "journal.h5", "trades")
    assert result.final_equity == pytest.approx(1e6 + trades["pnl"].sum(), abs=1e-6), "closed at the end"
    with pytest.raises(RunFailed, match="nope"):
        start(tmp_path, *two, **{**fields, "params": {"nope": 1}})


def test_a_universe_names_the_symbols_of_its_date_and_leaves_no_dead_one_out(
    tmp_path: Path, two: tuple[Path, Path]
) -> None:
    for path in two:
        data.import_shaped(path, "test", path.name[:3], "1m", tmp_path, data.AS_IT_IS, ())
    listings = tmp_path / "listings.csv"
    listings.write_text(LISTINGS)
    at_ns = 1_699_999_200 * 10**9
    fields = {"preset": "oracle-flip", "data": "test/*/1m", "universe": str(listings), "at_ns": at_ns}
    result = research.start_run(research.run_request(fields), tmp_path, clock=FixedClock())
    assert [lane["symbol"] for lane in config_of(result)["lanes"]] == ["AAA", "BBB"]  # type: ignore[attr-defined]
    listings.write_text(LISTINGS + "GONE,2020-01-01,2023-12-24\n")
    with pytest.raises(RunFailed, match="GONE"):
        research.start_run(research.run_request(fields), tmp_path, clock=FixedClock())


@pytest.mark.parametrize(
    "fields",
    [
        {"funding": "a/b"},
        {"funding_marks": "a/b/1m", "funding": "a/*"},
        {"sub_data": "x"},
        {"more_strategies": ["ema_cross"]},
        {"symbol": "X"},
    ],
)
def test_what_a_portfolio_cannot_be_is_refused(
    tmp_path: Path, two: tuple[Path, Path], fields: dict[str, object]
) -> None:
    with pytest.raises(RunFailed) as caught:
        start(tmp_path, *two, **fields)
    assert caught.value.code == "invalid_request"
    with pytest.raises(RunFailed, match="one length"):
        start(tmp_path, two[0], write_bars(tmp_path / "CCC_5m.csv", 200, minutes=5))
    with pytest.raises(RunFailed, match="several symbols"):
        start(tmp_path, two[0], max_entries=2)
