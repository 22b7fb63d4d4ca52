"""Databento's bars and trades: exact prices, the vendor's own bars from its trades, one market of several."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from engine.market.catalogue import load
from engine.market.importer import import_file
from engine.market.trades import import_trades
from engine.market.validation import BadData
from seams.clock import FixedClock
from seams.disk import MemoryDisk
from tests.market.depth.recordings import BOOKS, container, needs_shared

HOME = Path("/home-of-tests")
MINUTE_NS = 60 * 10**9
T0 = 1_719_878_280_000_000_000
UNIT = 10**9
BOTH = {"symbols": ("AA", "BB"), "numbers": (7, 8)}


def bar(number, at, opened, high, low, close, volume):
    prices = (round(each * UNIT) for each in (opened, high, low, close))
    return struct.pack("<BBHIQqqqqQ", 14, 0x21, 1, number, at, *prices, volume)


def trade(number, at, price, size, action="T"):
    return struct.pack(
        "<BBHIQqIccBBQiI",
        12,
        0,
        1,
        number,
        at,
        round(price * UNIT),
        size,
        action.encode(),
        b"B",
        0,
        0,
        at,
        0,
        1,
    )


def kept(disk, symbol, interval="1m"):
    return load(HOME, "cme", symbol, interval, disk)


def brought(name, data, symbol, interval="1m"):
    disk = MemoryDisk()
    disk.files[Path("/in") / name] = data
    return import_file(Path("/in") / name, "cme", symbol, interval, HOME, disk, FixedClock()), disk


@pytest.mark.parametrize("version", [1, 2, 3])
def test_bars_of_two_markets_go_under_their_symbols(version):
    body = bar(7, T0, 10.25, 11, 10, 10.5, 3) + bar(8, T0, 20, 21, 19, 20.000000001, 4)
    body += bar(7, T0 + MINUTE_NS, 10.5, 12, 10, 11, 5)
    reports, disk = brought("x.dbn", container(body, version=version, **BOTH), "*")
    assert [(each.symbol, each.rows, each.exit_category) for each in reports] == [
        ("AA", 2, "ok"),
        ("BB", 1, "ok"),
    ]
    bars = kept(disk, "AA")
    assert bars.close.tolist() == [10.5, 11.0] and bars.ts_ns.tolist() == [T0, T0 + MINUTE_NS]
    assert kept(disk, "BB").close.tolist() == [20.000000001]


HEAD = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"


@pytest.mark.parametrize(
    "row",
    [
        f"{T0},33,1,7,10250000000,11000000000,10000000000,10500000000,3,AA\n",
        "2024-07-01T23:58:00.000000000Z,33,1,7,10.250000000,11.000000000,10.000000000,10.500000000,3,AA\n",
    ],
)
def test_a_csv_with_plain_or_readable_prices_gives_the_same_bars(row):
    (report,), disk = brought("x.csv", (HEAD + row).encode(), "AA")
    assert report.exit_category == "ok"
    bars = kept(disk, "AA")
    assert [float(getattr(bars, name)[0]) for name in ("open", "high", "low", "close", "volume")] == [
        10.25, 11.0, 10.0, 10.5, 3.0,
    ]  # fmt: skip
    assert bars.ts_ns.tolist() == [T0]


def test_trades_of_one_market_make_its_bars_and_what_is_no_trade_is_left_out():
    body = trade(7, T0 + 5, 10.5, 2) + trade(8, T0 + 6, 99, 50) + trade(7, T0 + 7, 11, 1, "C")
    body += trade(7, T0 + 1, 10.25, 4) + trade(7, T0 + MINUTE_NS, 10.75, 1)
    disk = MemoryDisk()
    disk.files[Path("/in/x.dbn")] = container(body, **BOTH)
    info = import_trades(Path("/in/x.dbn"), "cme", "AA", "1m", HOME, disk, FixedClock())
    bars = kept(disk, "AA")
    assert (info.rows, bars.open.tolist(), bars.volume.tolist()) == (2, [10.25, 10.75], [6.0, 1.0])
    with pytest.raises(BadData, match="many_symbols"):
        import_trades(Path("/in/x.dbn"), "cme", "CC", "1m", HOME, disk, FixedClock())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"DBX", "unreadable_file"),
        (container(b""), "empty_file"),
        (container(trade(77, T0, 1, 1)), "empty_file"),
        (container(bar(77, T0, 1, 1, 1, 1, 1))[:-1], "unreadable_file"),
        (container(bar(77, T0, 1, 1, 1, 1, 1))[:60], "unreadable_file"),
    ],
)
def test_what_holds_no_bars_is_refused_by_name(data, code):
    (report,), disk = brought("x.dbn", data, "AA")
    assert [each.code for each in report.problems] == [code] and list(disk.files) == [Path("/in/x.dbn")]


def test_a_csv_with_an_empty_cell_is_refused():
    (report,), _ = brought("x.csv", f"{HEAD}{T0},33,1,7,1,1,1,1,,AA\n".encode(), "AA")
    assert [each.code for each in report.problems] == ["unreadable_file"]
    assert "volume is empty" in report.problems[0].message


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("kind", ["trades", "mbp-1"])
def test_recorded_trades_give_the_vendors_own_minutes(kind):
    folder, disk = BOOKS / "databento", MemoryDisk()
    for path in folder.glob("futures_*.zst"):
        disk.files[Path("/in") / path.name] = path.read_bytes()
    bars = Path("/in/futures_ohlcv-1m_2024-07-01T23-40_2024-07-02T00-10.dbn.zst")
    reports = import_file(bars, "cme", "*", "1m", HOME, disk, FixedClock())
    assert [(each.symbol, each.rows) for each in reports] == [("ESU4", 30), ("NQU4", 30)]
    wanted = kept(disk, "ESU4")
    file = Path(f"/in/futures_{kind}_2024-07-01T23-58_2024-07-02T00-02.dbn.zst")
    import_trades(file, "cme", "made", "1m", HOME, disk, FixedClock())
    made = kept(disk, "made")
    rows = np.isin(wanted.ts_ns, made.ts_ns)
    assert rows.sum() == 4 == len(made.ts_ns)
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(made, name).tolist() == getattr(wanted, name)[rows].tolist()
