"""The options of a run that switch assumptions on, from the command line to config.json."""

from __future__ import annotations

import json
from pathlib import Path

from engine.api.switches import SWITCHES
from tests.research.market import write_bars

from .conftest import Shell


def _config(body: dict[str, object]) -> dict[str, object]:
    run = body["run"]
    assert isinstance(run, dict)
    found = json.loads((Path(run["path"]) / "config.json").read_bytes())
    assert isinstance(found, dict)
    return found


def test_every_switch_has_its_option_with_its_line(shell: Shell) -> None:
    text = " ".join(shell("run", "start", "--help").out.split())
    sweep = " ".join(shell("sweep", "start", "--help").out.split())
    walk = " ".join(shell("walkforward", "start", "--help").out.split())
    for row in SWITCHES:
        assert row.option in text, row.option
        assert (row.option in sweep) == (row.option in walk) == (row.part != "portfolio")
    for option in ("--funding", "--funding-from", "--funding-marks", "--max-missing-funding", "--end"):
        assert all(option in each for each in (text, sweep, walk)), option


def test_options_reach_config_json_zeros_too(shell: Shell, home: Path) -> None:
    bars = str(write_bars(home / "BTC_1m.csv", 600))
    words = "--taker-fee-bps 0 --slippage-mode atr --latency-ms 70 --sizing fraction --close-at-end --seed 3"
    done = shell("run", "start", "--strategy", "ema_cross", "--data", bars, *words.split(), "--json")
    assert done.code == 0, done.err
    config = _config(done.body)
    assert (config["fee_bps"], config["slippage_mode"], config["seed"]) == (0.0, "atr", 3)
    assert config["switches"] == {"close_at_end": True, "latency_ms": 70.0, "sizing": "fraction"}


def test_several_data_make_a_portfolio(shell: Shell, home: Path) -> None:
    one, two = (str(write_bars(home / f"{name}_1m.csv", 400, seed=len(name))) for name in ("A", "BB"))
    words = ("--data", one, "--data", two, "--preset", "oracle-flip", "--max-entries", "1", "--json")
    done = shell("run", "start", *words)
    assert done.code == 0, done.err
    assert _config(done.body)["ticker"] == "2 symbols"
    listed = shell("run", "list")
    assert "2 symbols" in listed.out
    run = done.body["run"]
    assert isinstance(run, dict) and len(str(run["decision_sha256"])) == 64


def test_a_wrong_value_is_refused_with_what_is_right(shell: Shell, home: Path) -> None:
    bars = str(write_bars(home / "BTC_1m.csv", 200))
    done = shell("run", "start", "--strategy", "ema_cross", "--data", bars, "--sizing", "huge")
    assert done.code == 2 and "fixed or fraction or risk or kelly" in done.err


def test_the_list_keeps_only_runs_for_which_every_condition_holds(shell: Shell, home: Path) -> None:
    bars = str(write_bars(home / "BTC_1m.csv", 300))
    for name in ("ema_cross", "rsi_ma_cross", "ema_cross"):
        assert shell("run", "start", "--strategy", name, "--data", bars, "--name", name).code == 0

    def listed(*words: str) -> list[str]:
        body = shell("run", "list", *words, "--json").body
        runs = body["runs"]
        assert isinstance(runs, list) and body["matching"] == len(runs) and body["known"] == 3
        return [row["strategy"] for row in runs]

    assert sorted(listed()) == ["ema_cross", "ema_cross", "rsi_ma_cross"]
    assert listed("--strategy", "RSI_MA_CROSS") == listed("rsi", "1m") == ["rsi_ma_cross"]
    assert listed("--symbol", "BTC", "--mode", "run") == listed("--since", "2020-01-01") == listed()
    assert listed("--symbol", "ETH") == listed("--since", "2999-01-01") == listed("btc", "nowhere") == []
    found = shell("run", "list", "--json").body["runs"]
    assert isinstance(found, list)
    for field in ("status", "trust"):
        value = found[0][field]
        assert len(listed(f"--{field}", value)) == sum(row[field] == value for row in found)
    wrong = shell("run", "list", "--trust", "pased", "--json")
    assert wrong.code == 2 and "passed, failed, not_checked" in str(wrong.body["message"])
    assert "no run matches" in shell("run", "list", "nowhere").out
    cut = shell("run", "list", "--limit", "1")
    assert "2 more match" in cut.err
