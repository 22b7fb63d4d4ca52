"""A universe of a date holds the markets of that date, also those that died since, and nothing later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.market.catalogue import BarColumns, UnknownSet, columns_of, info_of, load, store
from engine.market.importer import import_file
from engine.market.universe import (
    DAY_NS,
    Listing,
    Universe,
    derive_history,
    load_history,
    read_history,
    store_history,
    universe,
)
from engine.market.validation import BadData, interval_ns_of
from seams.clock import FixedClock
from seams.disk import Disk, MemoryDisk, RealDisk

from .desk import cut, shared

HOME = Path("/home-of-tests")
HOUR = interval_ns_of("1h")
T0 = 19_000 * DAY_NS


def keep(disk: Disk, symbol: str, bars: BarColumns, home: Path = HOME) -> None:
    names = {"venue": "v", "symbol": symbol, "interval": "1h", "source_name": "s", "source_sha256": ""}
    store(home, bars, info_of(bars, imported_ns=0, **names), disk)  # type: ignore[arg-type]


def market(first_day: int, days: int, volume: float, dies_on: int | None = None) -> BarColumns:
    count = days * 24
    close = 100 + np.sin(np.arange(count))
    columns = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    columns["volume"] = np.full(count, volume)
    if dies_on is not None:
        dead = slice((dies_on - first_day) * 24, count)
        for name in ("open", "high", "low", "close"):
            columns[name] = columns[name].copy()
            columns[name][dead] = 1.0
        columns["volume"][dead] = 0.0
    columns["ts_ms"] = (T0 + first_day * DAY_NS + HOUR * np.arange(count)) // 10**6
    return columns_of(columns, HOUR)


@pytest.fixture
def disk() -> MemoryDisk:
    disk = MemoryDisk()
    keep(disk, "BIG", market(0, 100, 50))
    keep(disk, "DEAD", market(0, 100, 90, dies_on=60))
    keep(disk, "YOUNG", market(70, 30, 90))
    keep(disk, "SMALL", market(0, 100, 1))
    return disk


def at(disk: MemoryDisk, day: int, count: int = 3, **options: object) -> Universe:
    return universe(HOME, "v", "1h", count, T0 + day * DAY_NS, disk, **options)  # type: ignore[arg-type]


def names(found: Universe) -> list[str]:
    return [row.symbol for row in found.top]


def test_a_market_that_died_later_is_in_the_universe_of_its_days(disk: MemoryDisk) -> None:
    store_history(HOME, derive_history(HOME, "v", "1h", disk), disk)
    assert names(at(disk, 50)) == ["DEAD", "BIG", "SMALL"]
    assert at(disk, 50).left_out == {"YOUNG": "not_listed"}
    assert names(at(disk, 90)) == ["YOUNG", "BIG", "SMALL"]
    assert at(disk, 90).left_out == {"DEAD": "delisted"}
    assert names(at(disk, 90, 1)) == ["YOUNG"] and at(disk, 90, 1).left_out["BIG"] == "below"


def test_without_a_history_the_bars_alone_decide(disk: MemoryDisk) -> None:
    assert names(at(disk, 50)) == ["DEAD", "BIG", "SMALL"]
    assert at(disk, 95, days=20).left_out == {"DEAD": "no_trades"}
    assert at(disk, 50, exclude=("DEAD",)).left_out == {"DEAD": "excluded", "YOUNG": "no_data"}


@pytest.mark.parametrize("day", [10, 50, 61, 75, 90])
def test_what_happens_after_the_date_changes_nothing(disk: MemoryDisk, day: int) -> None:
    whole = at(disk, day)
    before = MemoryDisk()
    for symbol in ("BIG", "DEAD", "YOUNG", "SMALL"):
        known = cut(load(HOME, "v", symbol, "1h", disk), 0, T0 + day * DAY_NS)
        if len(known):
            keep(before, symbol, known)
    assert at(before, day).top == whole.top


def test_a_bar_that_has_not_closed_is_not_known_yet(disk: MemoryDisk) -> None:
    half_past = universe(HOME, "v", "1h", 1, T0 + 50 * DAY_NS + HOUR // 2, disk)
    sharp = universe(HOME, "v", "1h", 1, T0 + 50 * DAY_NS, disk)
    assert half_past.top[0].bars == sharp.top[0].bars - 1  # the oldest hour has left, none has joined


def test_a_history_is_read_kept_and_wins_over_the_bars(disk: MemoryDisk) -> None:
    text = "symbol,listed,delisted\nBIG,2022-01-08,\nDEAD,2022-01-08,2022-02-01\nGONE,2021-01-01,2021-06-01\n"
    history = read_history(text.encode(), "v", "listings.csv")
    store_history(HOME, history, disk)
    assert load_history(HOME, "v", disk) == history
    assert history.listings[0] == Listing(symbol="BIG", listed_ns=T0, delisted_ns=None)
    found = at(disk, 50)
    assert names(found) == ["BIG", "SMALL"] and found.unknown == ("SMALL",)
    assert found.left_out == {"DEAD": "delisted", "GONE": "delisted", "YOUNG": "no_data"}


@pytest.mark.parametrize(
    ("text", "code", "row"),
    [
        ("symbol,listed\nA,2020-01-01", "missing_column", 0),
        ("symbol,listed,delisted\n", "empty_file", 0),
        ("symbol,listed,delisted\nA,soon,", "not_a_time", 1),
        ("symbol,listed,delisted\nA,2020-01-02,2020-01-01", "out_of_order", 1),
        ("symbol,listed,delisted\nA,2020-01-01,\nA,2020-01-01,", "conflicting_duplicate", 2),
        ("symbol,listed,delisted\n,2020-01-01,", "unsafe_symbol", 1),
    ],
)
def test_a_history_with_a_fault_is_refused_with_its_row(text: str, code: str, row: int) -> None:
    with pytest.raises(BadData) as caught:
        read_history(text.encode(), "v", "s")
    assert (caught.value.problems[0].code, caught.value.problems[0].row) == (code, row)


def test_a_universe_of_nothing_is_refused(disk: MemoryDisk) -> None:
    with pytest.raises(UnknownSet):
        universe(HOME, "w", "1h", 1, T0, disk)
    with pytest.raises(UnknownSet):
        load_history(HOME, "w", disk)
    with pytest.raises(ValueError):
        at(disk, 50, 0)


@pytest.mark.shared
def test_the_perpetuals_of_late_2022_with_the_one_that_collapsed(tmp_path: Path) -> None:
    for coin in ("BCH", "LTC", "ETC", "XMR", "ATOM", "AAVE", "UNI", "NEAR", "FTT"):
        path = shared(f"no_licence_stated/bars_1h/binance_um/{coin}USDT_1h.parquet")
        import_file(path, "binance", f"{coin}USDT", "1h", tmp_path, RealDisk(), FixedClock())
    disk = RealDisk()
    history = derive_history(tmp_path, "binance", "1h", disk)
    dead = [listing for listing in history.listings if listing.delisted_ns is not None]
    assert [(listing.symbol, listing.delisted_ns) for listing in dead] == [
        ("FTTUSDT", 1_668_402_000_000_000_000)  # 2022-11-14 05:00 UTC
    ]
    store_history(tmp_path, history, disk)

    def symbols(at_ns: int) -> tuple[set[str], dict[str, str]]:
        found = universe(tmp_path, "binance", "1h", 9, at_ns, disk)
        return {row.symbol for row in found.top}, found.left_out

    before, _ = symbols(1_667_260_800_000_000_000)  # 2022-11-01
    after, left_out = symbols(1_672_531_200_000_000_000)  # 2023-01-01
    early, _ = symbols(1_596_240_000_000_000_000)  # 2020-08-01
    assert "FTTUSDT" in before and len(before) == 9
    assert left_out == {"FTTUSDT": "delisted"} and after == before - {"FTTUSDT"}
    assert early == {f"{coin}USDT" for coin in ("BCH", "LTC", "ETC", "XMR", "ATOM")}
