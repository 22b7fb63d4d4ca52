"""Files as vendors and exchanges write them: understood with proof, repaired on request, or refused whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from engine.market.catalogue import coverage, list_sets, load, load_file
from engine.market.importer import ImportReport, import_file
from engine.market.reading import ALL_SYMBOLS, read_table
from engine.market.repair import Repair
from engine.market.shapes import Shape, possible_orders
from engine.market.stamps import Stamps
from engine.market.validation import BadData
from seams.clock import NS_PER_MS, FixedClock
from seams.disk import MemoryDisk, RealDisk

from .desk import shared

HOME = Path("/home-of-tests")
T0 = 1_700_000_040_000
MINUTE = 60_000
PLAIN = Shape()
SORT, DEDUPE = frozenset({Repair.SORT}), frozenset({Repair.DEDUPE})


def taken(
    content: str | bytes,
    name: str = "a.csv",
    *,
    shape: Shape = PLAIN,
    repairs: frozenset[Repair] = frozenset(),
    symbol: str = "X",
    interval: str = "1m",
) -> tuple[tuple[ImportReport, ...], MemoryDisk]:
    disk, path = MemoryDisk(), Path("/in") / name
    disk.files[path] = content.encode() if isinstance(content, str) else content
    reports = import_file(path, "v", symbol, interval, HOME, disk, FixedClock(), shape=shape, repairs=repairs)
    assert all(report.is_imported for report in reports) or list(disk.files) == [path]
    return reports, disk


def rows(stamps: list[str], header: str = "time,open,high,low,close,volume") -> str:
    return "\n".join([header, *(f"{stamp},10,12,9,11,{at}" for at, stamp in enumerate(stamps))])


def open_times(disk: MemoryDisk, symbol: str = "X") -> list[int]:
    return [int(at) for at in load(HOME, "v", symbol, "1m", disk).ts_ns // NS_PER_MS]


WRITTEN = {
    "seconds": [str(T0 // 1_000 + 60 * at) for at in range(3)],
    "milliseconds": [str(T0 + MINUTE * at) for at in range(3)],
    "microseconds": [str((T0 + MINUTE * at) * 1_000) for at in range(3)],
    "nanoseconds": [str((T0 + MINUTE * at) * 1_000_000) for at in range(3)],
    "ISO": ["2023-11-14 22:14:00", "2023-11-14 22:15:00", "2023-11-14 22:16:00"],
    "fractions": ["2023-11-14 22:14:00.000000", "2023-11-14 22:15:00.000000", "2023-11-14 22:16:00.000000"],
    "zone": ["2023-11-14T22:14:00Z", "2023-11-14T22:15:00Z", "2023-11-14T22:16:00Z"],
    "offset": ["2023-11-14T23:14:00+01:00", "2023-11-14T23:15:00+01:00", "2023-11-14T23:16:00+01:00"],
    "compact": ["20231114 22:14", "20231114 22:15", "20231114 22:16"],
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_time_is_read_in_the_one_way_that_fits_and_the_report_says_which(how: str) -> None:
    (report,), disk = taken(rows(WRITTEN[how]))
    assert open_times(disk) == [T0, T0 + MINUTE, T0 + 2 * MINUTE]
    assert bool(report.notes) == (how != "milliseconds")


@pytest.mark.parametrize(
    ("stamps", "code", "row"),
    [
        ([str(T0), str(T0 // 1_000 + 60)], "mixed_time_units", 0),
        (["17", "18"], "mixed_time_units", 0),
        (["2023-11-14 22:14:00", "2023-13-14 22:15:00"], "not_a_time", 2),
        (["14/11/2023", "15/11/2023"], "not_a_time", 0),
        (["2023-11-14T22:14:00Z", "2023-11-14T22:15:00"], "not_a_time", 1),
        ([str(T0 * 1_000_000), str((T0 + MINUTE) * 1_000_000 + 1)], "not_a_time", 2),
    ],
)
def test_a_time_that_is_not_certain_is_refused(stamps: list[str], code: str, row: int) -> None:
    (report,), _ = taken(rows(stamps))
    assert (report.problems[0].code, report.problems[0].row) == (code, row)


def test_a_name_that_states_a_unit_is_taken_at_its_word() -> None:
    (report,), _ = taken(rows(WRITTEN["seconds"], "ts_ms,open,high,low,close,volume"))
    assert report.counts["timestamp_out_of_range"] == 3


def test_midnight_and_noon_of_the_twelve_hour_clock() -> None:
    stamps = ["2019-10-17 12-AM", "2019-10-17 01-AM", "2019-10-17 12-PM", "2019-10-17 11-PM"]
    (report,), _ = taken(rows(stamps), interval="1h")
    assert (report.gaps.missing_bars, report.first_ns) == (20, 1_571_270_400_000_000_000)


def test_close_stamps_move_back_by_one_interval_only_when_told() -> None:
    as_open, as_close = (
        open_times(taken(rows(WRITTEN["ISO"]), shape=Shape(stamps=stamps))[1])
        for stamps in (Stamps.OPEN, Stamps.CLOSE)
    )
    assert [at - MINUTE for at in as_open] == as_close


@pytest.mark.parametrize(
    "header",
    ["Timestamp,Open,High,Low,Close,Volume", "t,o,h,l,c,v", "DATE, OPEN, HIGH, LOW, CLOSE, VOL"],
)
def test_names_as_others_write_them(header: str) -> None:
    (report,), _ = taken(rows(WRITTEN["ISO"], header))
    assert report.rows == 3


def test_junk_before_the_header_is_noted_and_two_volumes_are_told_apart() -> None:
    text = "see example.com\ndate,open,high,low,close,volume_btc,volume\n2023-11-14 22:14,10,12,9,11,1,11\n"
    (plain,), disk = taken(text)
    assert "see example.com" in plain.notes[0] and load(HOME, "v", "X", "1m", disk).volume.tolist() == [11]
    _, disk = taken(text, shape=Shape(volume="volume_btc"))
    assert load(HOME, "v", "X", "1m", disk).volume.tolist() == [1]
    (without,), _ = taken(text.replace(",volume\n", ",quote\n"))
    assert without.problems[0].column == "volume"
    _, disk = taken(text, shape=Shape(volume="none"))
    assert load(HOME, "v", "X", "1m", disk).volume.tolist() == [0]


def test_a_file_without_names_is_refused_with_the_order_its_prices_allow() -> None:
    lines = [f"{T0 + MINUTE * at},10,11,12,9,{at}" for at in range(3)]
    (report,), _ = taken("\n".join(lines))
    assert report.problems[0].code == "missing_header"
    assert "time,open,close,high,low,volume" in report.problems[0].message
    shape = Shape(columns=("time", "open", "close", "high", "low", "volume"))
    (report,), disk = taken("\n".join(lines), shape=shape)
    assert report.is_imported and load(HOME, "v", "X", "1m", disk).high.tolist() == [12] * 3
    (report,), _ = taken("\n".join(lines), shape=Shape(columns=("time", "open")))
    assert report.problems[0].code == "missing_column"


def test_flat_prices_prove_no_order() -> None:
    assert len(possible_orders(np.full((5, 4), 3.0))) == 6
    assert possible_orders(np.array([[10.0, 12.0, 9.0, 11.0]])) == [("open", "high", "low", "close")]


LONG = "symbol,ts_ms,open,high,low,close,volume\n" + "\n".join(
    f"{symbol},{T0 + MINUTE * at},10,12,9,11,{at}" for symbol in ("AAA", "BBB") for at in range(3)
)


def test_a_long_table_gives_one_symbol_or_all() -> None:
    assert taken(LONG)[0][0].problems[0].code == "many_symbols"
    (one,), disk = taken(LONG, symbol="BBB")
    assert one.rows == 3 and [info.symbol for info in list_sets(HOME, disk)] == ["BBB"]
    reports, disk = taken(LONG, symbol=ALL_SYMBOLS)
    assert [report.symbol for report in reports] == ["AAA", "BBB"] and len(list_sets(HOME, disk)) == 2


def test_one_bad_row_keeps_the_whole_long_table_out_and_is_named_by_its_row_in_the_file() -> None:
    reports, _ = taken(LONG.replace("BBB,1700000100000,10,12", "BBB,1700000100000,10,8"), symbol=ALL_SYMBOLS)
    assert [(report.symbol, report.problems[0].row) for report in reports] == [("BBB", 5)]


def test_a_disk_that_fails_at_the_second_symbol_leaves_neither() -> None:
    disk, path = MemoryDisk(), Path("/in/a.csv")
    disk.files[path] = LONG.encode()
    disk.fail_after_writes = 3
    with pytest.raises(OSError, match="No space"):
        import_file(path, "v", ALL_SYMBOLS, "1m", HOME, disk, FixedClock())
    assert list(disk.files) == [path]


def test_a_symbol_that_is_no_file_name_is_refused() -> None:
    reports, _ = taken(LONG.replace("BBB", "../B"), symbol=ALL_SYMBOLS)
    assert reports[0].problems[0].code == "unsafe_symbol"


def test_order_and_repeats_are_repaired_only_when_asked() -> None:
    good = [f"{T0 + MINUTE * at},10,12,9,11,{at}" for at in range(5)]
    head = "ts_ms,open,high,low,close,volume\n"
    newest_first = head + "\n".join(reversed(good))
    assert not taken(newest_first)[0][0].is_imported
    (turned,), disk = taken(newest_first, repairs=SORT)
    assert "newest first" in turned.repairs[0] and len(load(HOME, "v", "X", "1m", disk)) == 5
    assert coverage(HOME, "v", "X", "1m", disk).repairs == turned.repairs
    repeated = head + "\n".join([*good, good[1]])
    assert not taken(repeated, repairs=SORT)[0][0].is_imported
    (once,), _ = taken(repeated, repairs=DEDUPE)
    assert once.repairs == ("1 repeated rows were left out",) and once.rows == 5
    (straight,), _ = taken(head + "\n".join(good), repairs=SORT | DEDUPE)
    assert straight.repairs == ()
    assert turned.content_sha256 == once.content_sha256 == straight.content_sha256


def test_rows_that_contradict_each_other_are_never_chosen_between() -> None:
    good = [f"{T0 + MINUTE * at},10,12,9,11,{at}" for at in range(3)]
    text = "ts_ms,open,high,low,close,volume\n" + "\n".join([*good, good[1].replace(",9,", ",8,")])
    (report,), _ = taken(text, repairs=DEDUPE | SORT)
    assert [(problem.code, problem.row) for problem in report.problems] == [("conflicting_duplicate", 4)]


def test_the_newest_bar_can_be_left_out() -> None:
    (report,), disk = taken(rows(WRITTEN["milliseconds"]), repairs=frozenset({Repair.DROP_LAST}))
    assert len(open_times(disk)) == 2 and "2023-11-14T22:16" in report.repairs[0]


KLINE = [str(T0), "10", "12", "9", "11", "5", T0 + MINUTE - 1, "55", 7, "1", "2", "0"]


@pytest.mark.parametrize(
    "body",
    [
        [KLINE, [str(T0 + MINUTE), *KLINE[1:6], T0 + 2 * MINUTE - 1, *KLINE[7:]]],
        [{"t": T0 + MINUTE * at, "T": 1, "s": "X", "o": "10", "h": "12", "l": "9", "c": "11", "v": "5"}
         for at in range(2)],
        {"candles": [{"time": T0 + MINUTE * at, "open": "10", "high": "12", "low": "9", "close": "11",
                      "volume": "5"} for at in range(2)]},
        {"error": [], "result": {"last": T0 // 1000 + 60, "XBTUSDT": [
            [T0 // 1000 + 60 * at, "10", "12", "9", "11", "10.5", "5", 3] for at in range(3)]}},
    ],
    ids=["binance", "hyperliquid", "kraken futures", "kraken spot"],
)  # fmt: skip
def test_candles_as_exchanges_answer_them(body: object) -> None:
    (report,), disk = taken(json.dumps(body), "a.json")
    assert report.rows == 2 and open_times(disk) == [T0, T0 + MINUTE]
    assert (load(HOME, "v", "X", "1m", disk).high == 12).all()


@pytest.mark.parametrize(
    "body", ["{", "[]", "7", "[[1,2]]", '{"result":{}}', '{"error":["EGeneral"],"result":{"A":[]}}', "[{}]"]
)
def test_json_that_is_no_list_of_candles_is_refused(body: str) -> None:
    assert not taken(body, "a.json")[0][0].is_imported


def test_feather_parquet_and_packed_json_hold_the_same_bars() -> None:
    stamps = pa.array([T0, T0 + MINUTE]).cast(pa.timestamp("ms", "UTC"))
    table = pa.table({"date": stamps, **{name: [10.0, 10.0] for name in ("open", "high", "low", "close")},
                      "volume": [1.0, 2.0]})  # fmt: skip
    sinks = {name: pa.BufferOutputStream() for name in ("a.feather", "a.parquet")}
    feather.write_feather(table, sinks["a.feather"])
    pq.write_table(table, sinks["a.parquet"])
    files = {name: bytes(sink.getvalue()) for name, sink in sinks.items()}
    body = [{"t": T0 + MINUTE * at, "o": 10, "h": 10, "l": 10, "c": 10, "v": at + 1} for at in range(2)]
    files["a.json.gz"] = gzip.compress(json.dumps(body).encode())
    hashes = {taken(content, name)[0][0].content_sha256 for name, content in files.items()}
    assert len(hashes) == 1 and hashes != {""}


def real(
    name: str,
    interval: str,
    tmp_path: Path,
    *,
    shape: Shape = PLAIN,
    repairs: frozenset[Repair] = frozenset(),
    symbol: str = "X",
) -> tuple[ImportReport, ...]:
    return import_file(
        shared(name),
        "real",
        symbol,
        interval,
        tmp_path,
        RealDisk(),
        FixedClock(),
        shape=shape,
        repairs=repairs,
    )


@pytest.mark.shared
def test_junk_line_twelve_hour_dates_and_newest_first(tmp_path: Path) -> None:
    name = "licensed/bars_1h/Coinbase_BTCUSD_1h_2017-2019.csv.gz"
    (refused,) = real(name, "1h", tmp_path)
    assert set(refused.counts) == {"out_of_order"} and list(tmp_path.iterdir()) == []
    (report,) = real(name, "1h", tmp_path, repairs=SORT)
    assert (report.rows, report.gaps.count) == (20_111, 0)
    assert report.first_ns == 1_498_906_800_000_000_000 and report.last_ns == 1_571_302_800_000_000_000
    bars = load(tmp_path, "real", "X", "1h")
    assert (bars.open[-1], bars.volume[-1], bars.close[0]) == (8_051.0, 492_394.56, 2_509.17)


@pytest.mark.shared
def test_bitfinex_order_of_columns_with_its_flash_prints_named(tmp_path: Path) -> None:
    name = "no_licence_stated/dirty/bitfinex_BTCUSD_2013_merged.csv.gz"
    (refused,) = real(name, "1m", tmp_path)
    assert "time,open,close,high,low,volume" in refused.problems[0].message
    shape = Shape(columns=("ts_ms", "open", "close", "high", "low", "volume"))
    (report,) = real(name, "1m", tmp_path, shape=shape)
    assert (report.rows, report.gaps.count > 1_000) == (148_055, True)
    flash = next(found for found in report.findings if found.code == "flash_print")
    bars = load(tmp_path, "real", "X", "1m")
    named = {int(bars.ts_ns[row - 1]) // 10**9 for row in flash.rows}
    assert {1_366_087_080, 1_372_701_660} <= named  # 2013-04-16 04:38 and 2013-07-01 18:01 UTC
    assert coverage(tmp_path, "real", "X", "1m").findings == report.findings


@pytest.mark.shared
def test_kraken_file_without_names_in_seconds(tmp_path: Path) -> None:
    shape = Shape(columns=("time", "open", "high", "low", "close", "volume", "-"))
    (report,) = real("no_licence_stated/bars_1m/kraken/BTCUSDC_1m_2023Q1.csv.gz", "1m", tmp_path, shape=shape)
    assert (report.rows, report.gaps.count) == (56_717, 26_746)
    assert "seconds" in report.notes[0]
    assert report.last_ns == 1_680_307_140_000_000_000  # 2023-03-31 23:59


@pytest.mark.shared
def test_closes_of_a_future_with_sessions_are_suspected_and_moved(tmp_path: Path) -> None:
    name = "licensed/bars_1m/other/6EH4.XCME_1m_202401.csv.gz"
    (as_is,) = real(name, "1m", tmp_path)
    assert "close_stamps" in {found.code for found in as_is.findings}
    (moved,) = real(name, "1m", tmp_path, shape=Shape(stamps=Stamps.CLOSE))
    assert "close_stamps" not in {found.code for found in moved.findings}
    assert moved.rows == 29_996 and moved.first_ns == 1_704_150_000_000_000_000  # 2024-01-01 23:00


@pytest.mark.shared
def test_a_long_table_of_thirty_one_symbols(tmp_path: Path) -> None:
    reports = real("licensed/bars_5m/binance_um_5m_setA.parquet", "5m", tmp_path, symbol=ALL_SYMBOLS)
    assert (len(reports), sum(report.rows for report in reports)) == (31, 292_534)
    assert {(report.gaps.count, report.is_imported) for report in reports} == {(0, True)}
    assert len(list_sets(tmp_path)) == 31


@pytest.mark.shared
def test_new_york_hours_become_utc(tmp_path: Path) -> None:
    (report,) = real(
        "licensed/equity_hour/SPY_hour.csv.gz", "1h", tmp_path, shape=Shape(timezone="America/New_York")
    )
    assert report.rows == 40_832 and report.first_ns == 883_749_600_000_000_000  # 1998-01-02 14:00 UTC


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "interval", "rows_kept"),
    [
        ("kraken/rest_recorded/http_ohlc.json", "1m", 720),
        ("kraken/rest_recorded/http_futures_candles_trade.json", "1h", 3),
        ("hyperliquid/sdk_cassettes/test_get_candles_snapshot__candleSnapshot.json", "1h", 24),
    ],
)
def test_recorded_answers_of_exchanges(name: str, interval: str, rows_kept: int, tmp_path: Path) -> None:
    (report,) = real(f"licensed/venue/{name}", interval, tmp_path)
    assert report.rows == rows_kept and report.gaps.count == 0


@pytest.mark.shared
def test_an_index_whose_opens_lie_outside_its_range_is_refused(tmp_path: Path) -> None:
    (report,) = real("licensed/macro/vix_daily_1990-2018.csv", "1d", tmp_path, shape=Shape(volume="none"))
    assert set(report.counts) == {"open_outside_range"} and list(tmp_path.iterdir()) == []


@pytest.mark.shared
def test_a_long_table_is_not_read_as_one_market() -> None:
    with pytest.raises(BadData, match="many_symbols"):
        load_file(shared("licensed/bars_1h/binance_um_1h_setA.parquet"), "1h")


def test_an_unknown_ending_says_which_are_known() -> None:
    with pytest.raises(BadData, match="feather"):
        read_table("a.xlsx", b"PK")
