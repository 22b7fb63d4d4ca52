"""Funding: the sign is the venue's, times are the hours they belong to, and nothing missing goes unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.market.catalogue import BarColumns, UnknownSet, columns_of, load
from engine.market.funding import (
    HOUR_NS,
    MARK_ASSUMPTION,
    FundingIncomplete,
    FundingInfo,
    missing_in,
    snapped,
    window,
)
from engine.market.funding_store import import_funding, list_funding, load_funding
from engine.market.importer import import_file
from engine.market.shapes import Shape
from engine.market.validation import BadData, interval_ns_of
from seams.clock import FixedClock
from seams.disk import MemoryDisk, RealDisk

from .desk import shared, shared_bars

HOME = Path("/home-of-tests")
T0 = 1_700_006_400_000  # 2023-11-15 00:00 UTC
EIGHT_H = 8 * 3_600_000


def taken(text: str, name: str = "f.csv", symbol: str = "X") -> tuple[tuple[FundingInfo, ...], MemoryDisk]:
    disk = MemoryDisk()
    disk.files[Path("/in") / name] = text.encode()
    return import_funding(Path("/in") / name, "v", symbol, HOME, disk, FixedClock()), disk


def csv(stamps: list[int], rates: list[float] | None = None) -> str:
    rates = rates or [0.0001] * len(stamps)
    return "\n".join(
        ["ts_ms,funding_rate", *(f"{at},{rate}" for at, rate in zip(stamps, rates, strict=True))]
    )


def hourly(count: int, first_ms: int = T0) -> BarColumns:
    columns = {name: np.linspace(100, 101, count) for name in ("open", "close")}
    columns |= {"high": columns["open"] + 2, "low": columns["open"] - 2, "volume": np.ones(count)}
    columns["ts_ms"] = first_ms + 3_600_000 * np.arange(count)
    return columns_of(columns, interval_ns_of("1h"))


@pytest.mark.shared
def test_the_sign_is_the_one_a_venue_paid_with() -> None:
    """Hyperliquid's own ledger: `usdc` is what reached the account; each of `nSamples` hours paid once."""
    path = (
        "licensed/venue/hyperliquid/sdk_cassettes/test_user_funding_history_with_end_time__userFunding.json"
    )
    paid = [row["delta"] for row in json.loads(shared(path).read_bytes())]
    assert len(paid) == 13
    for each in paid:
        size, rate, usdc = (float(each[name]) for name in ("szi", "fundingRate", "usdc"))
        mark = usdc / (-size * rate * each["nSamples"])
        assert mark > 0
        if each["coin"] == "BTC":
            assert 28_000 < mark < 30_000  # 2023-04-20


def test_times_belong_to_their_hour_unless_the_payment_really_was_late() -> None:
    stamps = np.array([T0 + 2, T0 + EIGHT_H - 3, T0 + 2 * EIGHT_H + 1_400_000]) * 10**6
    times, late_ms = snapped(stamps)
    assert times.tolist() == [T0 * 10**6, (T0 + EIGHT_H) * 10**6, int(stamps[2])] and late_ms == 1_400_000


def test_a_hole_is_counted_and_a_change_of_interval_is_not_one() -> None:
    hours = np.array([0, 8, 16, 32, 40, 41, 42, 43, 45, 46])
    assert missing_in(hours * HOUR_NS).tolist() == [0, 0, 1, 0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("text", "code", "row"),
    [
        (csv([T0, T0 + EIGHT_H], [0.0001, 0.5]), "not_a_number", 2),
        (csv([T0 + EIGHT_H, T0]), "out_of_order", 2),
        (csv([T0, T0]), "duplicate_timestamp", 2),
        (csv([T0, T0 + 5]), "duplicate_timestamp", 0),
        ("ts_ms,other\n1,2", "missing_column", 0),
        (f"{T0},0.0001", "missing_header", 0),
    ],
)
def test_rates_that_are_not_certain_are_refused_whole(text: str, code: str, row: int) -> None:
    disk = MemoryDisk()
    disk.files[Path("/in/f.csv")] = text.encode()
    with pytest.raises(BadData) as caught:
        import_funding(Path("/in/f.csv"), "v", "X", HOME, disk, FixedClock())
    assert (caught.value.problems[0].code, caught.value.problems[0].row) == (code, row)
    assert list(disk.files) == [Path("/in/f.csv")]


def test_a_series_is_stored_listed_and_checked_when_read() -> None:
    (info,), disk = taken(csv([T0 + EIGHT_H * at + at for at in range(5)]))
    assert (info.intervals_h, info.missing, info.largest_delay_ms) == ((8,), 0, 4)
    assert list_funding(HOME, disk) == [info]
    kept, times, _ = load_funding(HOME, "v", "X", disk)
    assert kept == info and times.tolist() == [(T0 + EIGHT_H * at) * 10**6 for at in range(5)]
    path = HOME / "funding" / "v" / "X.parquet"
    disk.files[path] = disk.files[path][:-20]
    with pytest.raises(BadData):
        load_funding(HOME, "v", "X", disk)
    with pytest.raises(UnknownSet):
        load_funding(HOME, "v", "Y", disk)


def test_many_symbols_are_stored_at_once_or_not_at_all() -> None:
    text = "symbol,ts_ms,funding_rate\n" + "\n".join(
        f"{symbol},{T0 + EIGHT_H * at},0.0001" for symbol in ("A", "B") for at in range(3)
    )
    infos, _ = taken(text, symbol="*")
    assert [info.symbol for info in infos] == ["A", "B"]
    (only,), _ = taken(text, symbol="B")
    assert only.symbol == "B"
    disk = MemoryDisk()
    disk.files[Path("/in/f.csv")] = text.encode()
    disk.fail_after_writes = 1
    with pytest.raises(OSError, match="No space"):
        import_funding(Path("/in/f.csv"), "v", "*", HOME, disk, FixedClock())
    assert list(disk.files) == [Path("/in/f.csv")]


def test_a_window_takes_the_payments_from_its_first_open_to_before_its_last_close() -> None:
    times = (T0 + EIGHT_H * np.arange(-1, 6)) * 10**6
    rates = np.arange(7) / 10_000
    found = window(times, rates, hourly(24))
    assert found.payments["rate"].tolist() == [0.0001, 0.0002, 0.0003]
    assert found.payments["ts_ns"].tolist() == times[1:4].tolist()
    assert found.assumption == MARK_ASSUMPTION and found.from_marks == 0
    assert found.payments["mark"].tolist() == [hourly(24).open[0], *hourly(24).close[[7, 15]].tolist()]


def test_the_venues_own_mark_is_used_where_it_is_known() -> None:
    times = (T0 + EIGHT_H * np.arange(4)) * 10**6
    marks = {name: np.array([7.0, 8.0]) for name in ("open", "high", "low", "close")}
    marks |= {"ts_ms": T0 + EIGHT_H * np.arange(2), "volume": np.zeros(2)}
    found = window(times, np.zeros(4), hourly(24), columns_of(marks, interval_ns_of("8h")))
    assert found.payments["mark"][:2].tolist() == [7.0, 8.0]
    assert found.from_marks == 2 and found.assumption == MARK_ASSUMPTION


def test_a_window_that_funding_does_not_cover_is_refused() -> None:
    times = (T0 + EIGHT_H * np.arange(10)) * 10**6
    with pytest.raises(FundingIncomplete, match="16 payments are missing"):
        window(times, np.zeros(10), hourly(208))
    with pytest.raises(FundingIncomplete, match="5 payments"):
        window(times, np.zeros(10), hourly(24, T0 - 5 * EIGHT_H))
    holed = np.delete(times, 4)
    with pytest.raises(FundingIncomplete, match="1 payments are missing"):
        window(holed, np.zeros(9), hourly(70))
    assert window(holed, np.zeros(9), hourly(70), max_missing=1).missing == 1


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "rows", "intervals", "missing"),
    [
        ("no_licence_stated/funding/binance_um_BTCUSDT_funding_8h_2024-2025.csv.gz", 1_382, (8,), 0),
        (
            "no_licence_stated/venue/hyperliquid/funding/BTC_funding_1h_20250527-20250715.csv.gz",
            1_192,
            (1,),
            0,
        ),
        (
            "licensed/venue/hyperliquid/sdk_cassettes/test_get_funding_history_None__fundingHistory.json",
            1_038,
            (1, 8),
            1,
        ),
    ],
)
def test_real_rates_of_two_venues(
    name: str, rows: int, intervals: tuple[int, ...], missing: int, tmp_path: Path
) -> None:
    (info,) = import_funding(shared(name), "v", "BTC", tmp_path, RealDisk(), FixedClock())
    assert (info.rows, info.intervals_h, info.missing) == (rows, intervals, missing)


@pytest.mark.shared
def test_thirty_one_symbols_with_the_venues_mark_prices(tmp_path: Path) -> None:
    path = shared("licensed/funding/binance_um_funding_8h_setA.csv.gz")
    infos = import_funding(path, "binance", "*", tmp_path, RealDisk(), FixedClock())
    assert (len(infos), sum(info.rows for info in infos)) == (31, 3_019)
    assert {info.missing for info in infos} == {0}
    marks = import_file(
        shared("licensed/funding/binance_um_mark_8h_setA.csv.gz"),
        "binance-mark",
        "*",
        "8h",
        tmp_path,
        RealDisk(),
        FixedClock(),
        shape=Shape(volume="none"),
    )
    assert len(marks) == 31 and all(report.is_imported for report in marks)
    bars = shared_bars("licensed/bars_1m/binance_um/BTCUSDT_1m.parquet", "1m")
    _, stamps, rates = load_funding(tmp_path, "binance", "BTCUSDT")
    own = window(stamps, rates, bars, load(tmp_path, "binance-mark", "BTCUSDT", "8h"), max_missing=1)
    assumed = window(stamps, rates, bars, max_missing=1)  # the rates end at midnight, the bars at 11:12
    assert len(own.payments) == own.from_marks == 89 and own.assumption == ""
    apart = np.abs(own.payments["mark"] / assumed.payments["mark"] - 1)
    odd = own.payments["ts_ns"][apart > 0.0005].tolist()
    assert odd == [1_690_761_600_000_000_000]  # 2023-07-31: the source's own mark jumps for one bar's open


@pytest.mark.shared
def test_fifteen_months_of_funding_fit_their_bars(tmp_path: Path) -> None:
    name = "no_licence_stated/funding/binance_um_ETHUSDT_funding_8h_2024-2025.csv.gz"
    import_funding(shared(name), "binance", "ETHUSDT", tmp_path, RealDisk(), FixedClock())
    bars = shared_bars("no_licence_stated/bars_15m/binance_um/ETHUSDT_15m_2024-2025.parquet", "15m")
    _, stamps, rates = load_funding(tmp_path, "binance", "ETHUSDT")
    with pytest.raises(FundingIncomplete, match="1 payments are missing"):
        window(stamps, rates, bars)
    found = window(stamps, rates, bars, max_missing=1)
    assert (len(found.payments), found.missing) == (1_382, 1)  # the bars end after 16:00, the rates at 08:00
