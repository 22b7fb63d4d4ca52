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
