"""The data desk from the shell: faults refuse with a way out, checks fail where an import would."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from .conftest import Shell

T0 = 1_700_000_400_000
HEAD = "ts_ms,open,high,low,close,volume"


def lines(count: int = 300) -> list[str]:
    prices = [100 + 10 * math.sin(at / 40) for at in range(count)]
    return [
        f"{T0 + 60_000 * at},{price:.2f},{price + 1:.2f},{price - 1:.2f},{price:.2f},5"
        for at, price in enumerate(prices)
    ]


@pytest.fixture
def newest_first(tmp_path: Path) -> str:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([HEAD, *reversed(lines())]))
    return str(path)


def test_a_fault_is_refused_and_repaired_only_on_request(shell: Shell, newest_first: str) -> None:
    words = ("data", "import", newest_first, "--as", "v/X/1m")
    refused = shell(*words)
    assert refused.code == 1 and "out_of_order" in refused.err and "--repair" in refused.err
    assert shell("data", "list", "--json").body["data"] == []
    assert shell(*words, "--repair", "guess").code == 2
    kept = shell(*words, "--repair", "sort")
    assert kept.code == 0 and "newest first" in kept.out


def test_a_check_names_what_is_wrong_and_fails_as_an_import_would(shell: Shell, newest_first: str) -> None:
    failed = shell("data", "check", newest_first, "--interval", "1m", "--json")
    found = failed.body["check"]
    assert failed.code == 1 and isinstance(found, dict)
    assert [each["code"] for each in found["findings"]] == ["out_of_order"]
    assert shell("data", "check", newest_first).code == 2
    shell("data", "import", newest_first, "--as", "v/X/1m", "--repair", "sort")
    assert shell("data", "check", "v/X/1m").code == 0
    assert shell("data", "check", "v/Y/1m").code == 1


def test_resampled_bars_stand_beside_their_source_and_coverage_says_so(
    shell: Shell, newest_first: str
) -> None:
    shell("data", "import", newest_first, "--as", "kraken/X/1m", "--repair", "sort")
    made = shell("data", "resample", "kraken/X/1m", "--to", "1h", "--json").body
    assert isinstance(made["report"], dict) and made["report"]["complete"] == 4
    assert shell("data", "resample", "kraken/X/1m", "--to", "7s").code == 2
    assert shell("data", "resample", "kraken/X/1m", "--to", "1w").code == 1
    shown = shell("data", "coverage", "kraken/X/1h", "--json").body
    assert isinstance(shown["backfill"], dict) and shown["backfill"]["cap_bars"] == 720
    assert isinstance(shown["coverage"], dict) and shown["coverage"]["derived"]["from_interval"] == "1m"
    assert "kraken" in shell("data", "coverage", "kraken/X/1h").out


def test_all_markets_of_a_long_table_are_imported_at_once(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    rows = [f"{symbol},{line}" for symbol in ("AAA", "BBB") for line in lines()]
    path.write_text("\n".join([f"symbol,{HEAD}", *rows]))
    assert shell("data", "import", str(path), "--as", "v/CCC/1m").code == 1
    done = shell("data", "import", str(path), "--as", "v/*/1m", "--json").body["imports"]
    assert isinstance(done, list) and [report["symbol"] for report in done] == ["AAA", "BBB"]


def test_funding_is_imported_whole_and_listed(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("ts_ms,funding_rate\n1700006400000,0.0001\n1700035200000,0.0002\n1700064000000,9\n")
    refused = shell("data", "funding", "import", str(path), "--as", "v/X")
    assert refused.code == 1 and "row 3" in refused.err
    assert shell("data", "funding", "import", str(path), "--as", "X").code == 2
    path.write_text(path.read_text().replace(",9", ",0.0003"))
    assert shell("data", "funding", "import", str(path), "--as", "v/X").code == 0
    (listed,) = shell("data", "funding", "list", "--json").body["funding"]  # type: ignore[misc]
    assert (listed["rows"], listed["intervals_h"]) == (3, [8])
    assert "paid" in listed["sign"] and shell("data", "funding", "list").out.startswith("venue")


def test_a_desk_without_data_seeds_itself_and_runs_are_compared_on_one_window(shell: Shell) -> None:
    made = shell("data", "seed", "--bars", "300", "--json").body["made"]
    assert isinstance(made, list) and made
    assert "nothing to do" in shell("data", "seed").out
    several = shell("data", "prices", "BTC-PERP")
    assert several.code == 2 and "sandbox/BTC-PERP/1h" in several.err
    shown = shell("data", "prices", "sandbox/BTC-PERP/1m", "--start", "2026-01-01T00:10", "--limit", "3")
    assert shown.code == 0 and len(shown.out.splitlines()) == 4
    day = shell("data", "prices", "sandbox/BTC-PERP/1m", "--end", "2026-01-01", "--limit", "10000", "--json")
    assert day.body["prices"]["available"] == 300, "the last date is in it to its end"
    assert shell("data", "prices", "sandbox/BTC-PERP/1m", "--start", "soon").code == 2
    window = shell("data", "align", "sandbox/BTC-PERP/1m", "sandbox/BTC-PERP/1h", "--json").body["window"]
    assert isinstance(window, dict) and window["notices"] == []
    words = ("run", "start", "--strategy", "ema_cross", "--data", "sandbox/BTC-PERP/1m", "--json")
    runs = [shell(*words).body["run"], shell(*words, "--start", "2026-01-01T01:00").body["run"]]
    ids = [str(run["run_id"]) for run in runs if isinstance(run, dict)]
    assert shell("run", "compare", *ids).code == 2
    compared = shell("run", "compare", *ids, "--align", "--json").body["comparison"]
    assert isinstance(compared, dict) and "01:00" in compared["aligned_window"]


def test_the_universe_of_a_date(shell: Shell, tmp_path: Path) -> None:
    assert shell("data", "universe", "list", "--venue", "sandbox").code == 1
    shell("data", "seed", "--bars", "300")
    assert shell("data", "universe", "derive", "--venue", "sandbox", "--interval", "1m").code == 0
    words = ("data", "universe", "top", "2", "--venue", "sandbox", "--interval", "1m")
    found = shell(*words, "--at", "2026-01-01T04:00", "--exclude", "BTC-PERP", "--json").body["universe"]
    assert isinstance(found, dict) and len(found["top"]) == 2
    assert found["left_out"]["BTC-PERP"] == "excluded"
    assert "no market" in shell(*words, "--at", "2025-12-31").out
    listings = tmp_path / "listings.csv"
    listings.write_text(
        "symbol,listed,delisted\nBTC-PERP,2026-01-01,\nETH-PERP,2026-01-01,2026-01-01 02:00\n"
    )
    assert shell("data", "universe", "import", str(listings), "--venue", "sandbox").code == 0
    found = shell(*words, "--at", "2026-01-01T04:00", "--json").body["universe"]
    assert isinstance(found, dict) and found["left_out"]["ETH-PERP"] == "delisted"


def test_bars_of_trades(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_text("1700000040,10,1\n1700000041,11,1\n1700000160,9,2\n")
    words = ("data", "trades", str(path), "--as", "kraken/X/1m")
    assert shell(*words).code == 1
    made = shell(*words, "--columns", "time,price,size", "--json").body["import"]
    assert isinstance(made, dict) and (made["rows"], made["gaps"]["missing_bars"]) == (2, 1)
