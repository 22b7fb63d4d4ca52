"""How much stood in the markets: by hand, and in a portfolio run with its caps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.api import research
from engine.journal import read_table
from engine.research.choice import RunFailed
from engine.research.exposure import exposure_table, stakes_of
from native.codes import Action, Gate
from native.intents import LanePosition
from native.kernel import TRADE_DTYPE
from seams.clock import FixedClock
from tests.research.market import write_bars

STOPPED = """
from interlock import Signal, Strategy


class Stopped(Strategy):
    def on_bar(self, bar):
        return Signal(1 if bar.index % 60 < 30 else -1, stop=0.02 * bar.close, strength=0.5)
"""


def held(lane: int, entry_ts_ns: int, units: int, side: int) -> LanePosition:
    return LanePosition(
        lane=lane, side=side, units=units, entry_price=10.0, entry_bar=0, entry_ts_ns=entry_ts_ns,
        stop_price=None, target_price=None, unrealised_usd=0.0, outstanding=(),
    )  # fmt: skip


def test_what_stands_is_summed_by_side_and_altcoins_stand_apart() -> None:
    trades = np.zeros(2, TRADE_DTYPE)
    trades["entry_ts_ns"], trades["exit_ts_ns"] = [10, 20], [30, 40]
    trades["units"], trades["entry_fill"] = 10**6, [100.0, 50.0]
    trades["side"], trades["lane"] = [1, -1], [0, 1]
    stakes = stakes_of(trades, [held(1, 30, 2 * 10**6, 1)], ["BTC-PERP", "SOL-PERP"], ("BTC",), 40)
    table = exposure_table(stakes, np.array([0, 10, 20, 30, 40]), np.full(5, 200.0))
    rows = {str(row["key"]): row for row in table}
    # Gross at the five times: 0, 100, 150, 70, 20.
    assert (rows["gross"]["peak_usd"], rows["gross"]["mean_usd"]) == (150.0, 68.0)
    assert (rows["gross"]["peak_share"], rows["gross"]["time_share"]) == (0.75, 0.8)
    assert rows["gross"]["most_positions"] == 2
    assert (rows["long"]["peak_usd"], rows["short"]["peak_usd"]) == (100.0, 50.0)
    assert (rows["altcoins long"]["peak_usd"], rows["altcoins short"]["peak_usd"]) == (20.0, 50.0)
    assert rows["net"]["peak_usd"] == 100.0 and rows["net"]["most_positions"] is None
    nothing = exposure_table(stakes_of(trades[:0], [], [], ("BTC",), 40), np.array([0]), np.ones(1))
    assert nothing == ()


@pytest.fixture
def three(tmp_path: Path) -> list[str]:
    names = ("BTC-PERP", "ETH-PERP", "SOL-PERP")
    return [str(write_bars(tmp_path / f"{name}_1m.csv", 1_800, seed=at)) for at, name in enumerate(names)]


def start(home: Path, names: list[str], **fields: object) -> research.RunResult:
    asked: dict[str, object] = {"data": names[0], "more_data": names[1:], **fields}
    if not asked.get("strategy"):
        asked["preset"] = "oracle-flip"
    return research.start_run(research.run_request(asked), home, clock=FixedClock())


def exposure_of(result: research.RunResult) -> dict[str, dict[str, float]]:
    tables = json.loads((Path(result.path) / "metrics.json").read_bytes())["tables"]
    return {row["key"]: row for row in tables["exposure"]}


def gates_of(result: research.RunResult) -> Gate:
    rows = read_table(Path(result.path) / "journal.h5", "decisions")
    return Gate(int(np.bitwise_or.reduce(rows["gates"][rows["action"] == Action.BLOCKED])))


def test_a_run_keeps_within_the_caps_that_it_was_given(tmp_path: Path, three: list[str]) -> None:
    free = exposure_of(start(tmp_path, three))
    assert free["altcoins long"]["peak_usd"] > 19_000 and free["gross"]["most_positions"] == 3
    capped = start(tmp_path, three, alt_longs_usd=11_000, alt_shorts_usd=11_000, rank="momentum")
    found = exposure_of(capped)
    assert max(found["altcoins long"]["peak_usd"], found["altcoins short"]["peak_usd"]) < 11_000 * 1.02
    assert Gate.EXPOSURE in gates_of(capped)
    config = json.loads((Path(capped.path) / "config.json").read_bytes())
    assert config["switches"] == {"alt_longs_usd": 11_000.0, "alt_shorts_usd": 11_000.0, "rank": "momentum"}
    wider = exposure_of(start(tmp_path, three, alt_longs_usd=11_000, majors="BTC,ETH"))
    assert wider["long"]["peak_usd"] > 19_000
    for name in ("report.md", "report.html"):
        assert "altcoins long" in (Path(capped.path) / name).read_text()
    assert research.make_report(tmp_path, capped.run_id).is_as_written


def test_heat_lets_in_what_names_its_stop_and_nothing_else(tmp_path: Path, three: list[str]) -> None:
    bare = start(tmp_path, three, max_heat=0.5)
    assert (bare.trades, bare.status) == (0, "no_trades") and Gate.HEAT in gates_of(bare)
    file = tmp_path / "stopped.py"
    file.write_text(STOPPED)
    # 10,000 with 2 % to the stop risks 200; of 100,000 that is 0.2 %.
    fields = {"strategy": str(file), "cash": 100_000.0, "notional_usd": 10_000.0}
    one = start(tmp_path, three, max_heat=0.0035, **fields)
    all_ = start(tmp_path, three, max_heat=0.01, **fields)
    # A price that nears its stop has less left to lose, and lets others in.
    assert exposure_of(one)["gross"]["mean_usd"] < exposure_of(all_)["gross"]["mean_usd"]
    assert Gate.HEAT in gates_of(one)


def test_a_cap_of_a_portfolio_is_refused_for_one_symbol(tmp_path: Path, three: list[str]) -> None:
    with pytest.raises(RunFailed, match="max_heat, rank"):
        start(tmp_path, three[:1], max_heat=0.1, rank="calm")
    with pytest.raises((RunFailed, ValueError), match="rank"):
        start(tmp_path, three, rank="luck")
