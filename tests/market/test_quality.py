"""Findings: each peculiarity is found where it is, and a clean set has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.agreement import NoOverlap, agreement, agreement_findings
from engine.market.backfill import backfill
from engine.market.catalogue import columns_of, coverage, info_of, raw_columns
from engine.market.examine import examine_file, examine_set
from engine.market.importer import import_file
from engine.market.quality import DEAD_BARS, Finding, Severity, findings_of
from engine.market.shapes import Shape
from engine.market.stamps import Stamps
from engine.market.validation import Columns, interval_ns_of
from seams.clock import FixedClock
from seams.disk import RealDisk

from .desk import shared, shared_bars

MINUTE = interval_ns_of("1m")
T0 = 1_700_000_400_000
Values = dict[str, np.ndarray]


def walk(count: int = 600, seed: int = 5) -> Values:
    """Return clean one-minute columns of a random walk."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, count)))
    opened = np.concatenate(([100.0], close[:-1]))
    return {
        "ts_ms": T0 + 60_000 * np.arange(count),
        "open": opened,
        "high": np.maximum(opened, close) * 1.0002,
        "low": np.minimum(opened, close) * 0.9998,
        "close": close,
        "volume": rng.uniform(1, 9, count),
    }


def found(columns: Columns, interval_ns: int = MINUTE) -> dict[str, Finding]:
    return {each.code: each for each in findings_of(columns, interval_ns)}


def test_a_clean_walk_has_no_findings() -> None:
    assert found(walk()) == {}


def test_a_gap_is_a_note_with_its_span() -> None:
    columns = {name: np.delete(values, slice(10, 15)) for name, values in walk().items()}
    gap = found(columns)["gap"]
    assert (gap.severity, gap.count, gap.rows) == (Severity.NOTE, 1, (11,))
    (span,) = gap.spans
    assert (span.first_ns, span.bars) == ((T0 + 600_000) * 10**6, 5)
    assert span.last_ns - span.first_ns == 4 * MINUTE


def test_repeats_and_contradictions_are_told_apart() -> None:
    columns = {name: np.concatenate((values, values[[3, 7]])) for name, values in walk().items()}
    columns["close"][-1] *= 1.0001
    judged = found(columns)
    assert judged["duplicate_identical"].rows == (601,)
    assert judged["conflicting_duplicate"].rows == (602,)
    assert judged["out_of_order"].rows == (601,)
    assert {each.severity for each in judged.values()} == {Severity.ERROR}


def test_a_file_that_runs_newest_first_is_called_so() -> None:
    judged = found({name: values[::-1].copy() for name, values in walk().items()})
    assert set(judged) == {"out_of_order"} and "newest first" in judged["out_of_order"].message


def test_a_flash_print_is_found_and_a_fall_that_stays_is_not_one() -> None:
    columns = walk()
    columns["low"][200] = 0.06
    flash = found(columns)["flash_print"]
    assert flash.rows == (201,) and "0.06" in flash.message
    fallen = walk()
    for name in ("open", "high", "low", "close"):
        fallen[name][300:] *= 0.4
    judged = found(fallen)
    assert "flash_print" not in judged and judged["return_outlier"].rows == (301,)


def still(columns: Values, rows: slice) -> None:
    for name in ("open", "high", "low", "close"):
        columns[name][rows] = 100.0
    columns["volume"][rows] = 0.0


def test_a_standstill_in_the_middle_is_stale_and_one_to_the_end_is_death() -> None:
    columns = walk()
    still(columns, slice(100, 150))
    judged = found(columns)
    assert [span.bars for span in judged["stale_run"].spans] == [50] and judged["zero_volume"].count == 50
    columns = walk()
    still(columns, slice(600 - DEAD_BARS, 600))
    judged = found(columns)
    assert judged["dead_tail"].rows == (600 - DEAD_BARS + 1,) and "stale_run" not in judged


def test_broken_rows_are_errors_and_do_not_hide_the_rest() -> None:
    columns = walk()
    columns["low"][5] = np.nan
    columns["high"][6] = 1.0
    columns["low"][200] = 0.06
    judged = found(columns)
    assert {"not_a_number", "high_below_low", "flash_print"} <= set(judged)
    assert judged["flash_print"].rows[0] == 201


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_nothing_in_a_column_makes_the_judge_fail(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    odd = np.array([np.nan, np.inf, -1.0, 0.0, 1.0, 1.0, 5.0])
    columns = {name: rng.choice(odd, count) for name in ("open", "high", "low", "close", "volume")}
    columns["ts_ms"] = T0 + 60_000 * rng.integers(0, 20, count)
    for each in findings_of(columns, MINUTE):
        assert all(1 <= row <= count for row in each.rows) and each.count >= len(each.rows)


@pytest.mark.shared
def test_the_six_cent_bitcoin_of_2017_is_named() -> None:
    bars = shared_bars("licensed/bars_1d/COINBASE_BTCUSD_1d.csv.gz", "1d")
    flash = found(raw_columns(bars), interval_ns_of("1d"))["flash_print"]
    assert "low 0.06" in flash.message and "2017-04-15" in flash.message
    gap = found(raw_columns(bars), interval_ns_of("1d"))["gap"]
    assert gap.count == 8 and "34 bars" in gap.message


@pytest.mark.shared
def test_a_bad_print_of_one_cent_in_a_stock_is_named() -> None:
    path = shared("licensed/equity_daily/GOOG_daily.csv.gz")
    judged = examine_file(path, "1d", "", Shape(), Path("/"), None)
    assert any("low 0.01" in each.message for each in judged.findings) and judged.is_fit


@pytest.mark.shared
def test_a_dead_market_is_recognised_by_its_tail() -> None:
    bars = shared_bars("no_licence_stated/bars_1h/binance_um/FTTUSDT_1h.parquet", "1h")
    dead = found(raw_columns(bars), interval_ns_of("1h"))["dead_tail"]
    assert "2022-11-14T05:00" in dead.message and dead.spans[0].bars == 31_230


@pytest.mark.shared
def test_closes_taken_for_opens_are_proved_against_another_exchange(tmp_path: Path) -> None:
    reference = shared("no_licence_stated/bars_1h/binance_spot/BTCUSDT_1h_2022-2026.parquet")
    import_file(reference, "binance", "BTCUSDT", "1h", tmp_path, RealDisk(), FixedClock())
    against = ("binance", "BTCUSDT", "1h")
    path = shared("licensed/bars_1m/other/BTC-PERP_1m_20211231-20220201.csv.gz")
    as_open = examine_file(path, "1m", "", Shape(), tmp_path, against)
    assert not as_open.is_fit and as_open.findings[0].code == "shifted_stamps"
    assert as_open.agreement is not None
    assert (round(as_open.agreement.as_open, 4), round(as_open.agreement.as_close, 4)) == (0.9856, 0.9994)
    as_close = examine_file(path, "1m", "", Shape(stamps=Stamps.CLOSE), tmp_path, against)
    assert as_close.is_fit and as_close.agreement is not None and as_close.agreement.as_open > 0.999


def test_opens_are_not_suspected_and_strangers_are_not_compared() -> None:
    bars = columns_of(walk(3_000), MINUTE)
    noisy = walk(3_000)
    noisy["close"] *= np.exp(np.random.default_rng(1).normal(0, 1e-5, 3_000))
    assert agreement_findings(agreement(bars, columns_of(noisy, MINUTE))) == ()
    late = walk()
    late["ts_ms"] = late["ts_ms"] + 86_400_000 * 30
    with pytest.raises(NoOverlap):
        agreement(bars, columns_of(late, MINUTE))


def test_what_was_found_at_import_is_kept_with_the_set_and_its_hash(tmp_path: Path) -> None:
    columns = walk()
    columns["low"][200] = 0.06
    lines = zip(*(columns[name].tolist() for name in columns), strict=True)
    text = "\n".join([",".join(columns), *(",".join(map(str, line)) for line in lines)])
    (tmp_path / "a.csv").write_text(text)
    report = import_file(tmp_path / "a.csv", "v", "X", "1m", tmp_path, RealDisk(), FixedClock())[0]
    kept = coverage(tmp_path, "v", "X", "1m")
    assert [each.code for each in kept.findings] == ["flash_print"]
    again = examine_set(tmp_path, ("v", "X", "1m"), None)
    assert (again.findings, again.content_sha256) == (kept.findings, report.content_sha256)


def test_a_set_that_a_venue_can_no_longer_continue_is_called_so() -> None:
    bars = columns_of(walk(), MINUTE)
    info = info_of(
        bars, venue="kraken", symbol="X", interval="1m", source_name="", source_sha256="", imported_ns=0
    )
    soon = backfill(info, info.last_ns + 101 * MINUTE)
    assert (soon.cap_bars, soon.missing_bars, soon.unreachable_bars) == (720, 100, 0)
    late = backfill(info, info.last_ns + 1_001 * MINUTE)
    assert (late.missing_bars, late.unreachable_bars) == (1_000, 280)
    assert late.reaches_back_to_ns == info.last_ns + (1_001 - 720) * MINUTE
