"""Import: every problem has a code and a row, nothing is imported by halves, gaps are facts."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.market.catalogue import UnknownSet, UnsafeName, coverage, list_sets, load, load_file
from engine.market.importer import ImportReport, import_file
from engine.market.validation import CODES, BadData, interval_ns_of
from seams.clock import FixedClock
from seams.disk import MemoryDisk, RealDisk

SHARED = Path(os.environ.get("INTERLOCK_SHARED", Path(__file__).parents[2].parent / "shared")) / "data"
HOME = Path("/home-of-tests")
HEADER = "ts_ms,open,high,low,close,volume"
T0 = 1_700_000_040_000


def good_rows(count: int = 5) -> list[str]:
    return [f"{T0 + 60_000 * i},10,12,9,11,{i}" for i in range(count)]


def imported(
    text: str | bytes, name: str = "bars.csv", interval: str = "1m"
) -> tuple[ImportReport, MemoryDisk]:
    disk = MemoryDisk()
    disk.files[Path("/in") / name] = text.encode() if isinstance(text, str) else text
    report = import_file(Path("/in") / name, "test", "BTC-PERP", interval, HOME, disk, FixedClock())[0]
    return report, disk


def with_row(place: int, row: str) -> str:
    rows = good_rows()
    rows[place - 1] = row
    return "\n".join([HEADER, *rows]) + "\n"


BROKEN_THIRD_ROW = {
    "not_a_number": f"{T0 + 120_000},10,12,9,eleven,1",
    "negative_price": f"{T0 + 120_000},10,12,-9,11,1",
    "non_positive_price": f"{T0 + 120_000},10,12,0,11,1",
    "high_below_low": f"{T0 + 120_000},10,8,9,8.5,1",
    "open_outside_range": f"{T0 + 120_000},13,12,9,11,1",
    "close_outside_range": f"{T0 + 120_000},10,12,9,8,1",
    "volume_negative": f"{T0 + 120_000},10,12,9,11,-1",
    "timestamp_out_of_range": f"{T0 // 1000},10,12,9,11,1",
    "duplicate_timestamp": f"{T0 + 60_000},10,12,9,11,1",
    "out_of_order": f"{T0},10,12,9,11,1",
    "misaligned_timestamp": f"{T0 + 120_001},10,12,9,11,1",
    "wrong_column_count": f"{T0 + 120_000},10,12,9,11",
}


@pytest.mark.parametrize("code", BROKEN_THIRD_ROW)
def test_each_broken_row_is_named_with_its_code_and_row_and_nothing_is_imported(code: str) -> None:
    report, disk = imported(with_row(3, BROKEN_THIRD_ROW[code]))
    assert (code, 3) in {(problem.code, problem.row) for problem in report.problems}
    assert not report.is_imported
    assert report.exit_category == "data"
    assert report.counts[code] == 1
    assert list(disk.files) == [Path("/in/bars.csv")]


@pytest.mark.parametrize(
    "cell", ["", "nan", "inf", "-inf", "1_0", "0x10", "1e999", "=cmd()", "\x00", "１２", '"a\nb"', "\udce9"]
)
def test_a_hostile_cell_is_not_a_number(cell: str) -> None:
    text = with_row(2, f"{T0 + 60_000},10,12,9,{cell},1").encode("utf-8", "surrogateescape")
    report, _ = imported(text)
    assert [(p.code, p.row, p.column) for p in report.problems] == [("not_a_number", 2, "close")]
    assert report.problems[0].message.isascii()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "empty_file"),
        ("a.csv", b"\n\n", "empty_file"),
        ("a.csv", HEADER.encode(), "empty_file"),
        ("a.csv", b"ts_ms,open,high,low,close\n1,1,1,1,1\n", "missing_column"),
        ("a.csv", HEADER.encode() + b",open\n", "missing_column"),
        ("a.csv.gz", b"not gzip", "unreadable_file"),
        ("a.csv.gz", gzip.compress(HEADER.encode() * 100, mtime=0)[:-12], "unreadable_file"),
        ("a.parquet", b"PAR1 no", "unreadable_file"),
        ("a.xlsx", b"PK", "unreadable_file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(name: str, content: bytes, code: str) -> None:
    report, disk = imported(content, name)
    assert {(problem.code, problem.row) for problem in report.problems} == {(code, 0)}
    assert len(disk.files) == 1


def test_a_missing_file_is_unreadable() -> None:
    report = import_file(Path("/no.csv"), "v", "s", "1m", HOME, MemoryDisk(), FixedClock())[0]
    assert [problem.code for problem in report.problems] == ["unreadable_file"]


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.csv.gz", "a.parquet", "a.feather", "a.json"]))
def test_no_content_crashes_the_importer(content: bytes, name: str) -> None:
    report, _ = imported(content, name)
    assert not report.is_imported
    assert {problem.code for problem in report.problems} <= set(CODES)


@given(st.text(max_size=40))
def test_no_row_of_text_crashes_the_importer(row: str) -> None:
    report, _ = imported(f"{HEADER}\n{row}\n".encode("utf-8", "replace"))
    assert {problem.code for problem in report.problems} <= set(CODES)


JSON = st.recursive(
    st.none() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=13)
        | st.dictionaries(
            st.sampled_from(["t", "o", "h", "l", "c", "v", "s", "result", "last", "candles", "error"]), inner
        )
    ),
    max_leaves=30,
)


@given(JSON)
@example([[None, None, 0, 0, 0, 0]])
def test_no_json_crashes_the_importer(body: object) -> None:
    report, _ = imported(json.dumps(body), "a.json")
    assert report.is_imported or {problem.code for problem in report.problems} <= set(CODES)


@given(
    st.lists(st.text(max_size=30), min_size=1, max_size=4), st.sampled_from(["s", "time", "date", "ts_ms"])
)
def test_no_time_crashes_the_importer(stamps: list[str], name: str) -> None:
    text = "\n".join([f"{name},open,high,low,close,volume", *(f"{stamp},1,1,1,1,1" for stamp in stamps)])
    report, _ = imported(text.encode("utf-8", "replace"))
    assert report.is_imported or {problem.code for problem in report.problems} <= set(CODES)


def test_named_rows_are_bounded_and_counts_are_complete() -> None:
    rows = [f"{T0 + 60_000 * i},10,12,-9,11,1" for i in range(100)]
    report, _ = imported("\n".join([HEADER, *rows]))
    assert report.counts["negative_price"] == 100
    assert len([p for p in report.problems if p.code == "negative_price"]) == 20


def test_columns_in_any_order_with_extras_noted_and_gaps_reported() -> None:
    minutes = [0, 1, 2, 10, 11, 13]
    rows = [f"x,11,{i},9,12,10,{T0 + 60_000 * i}" for i in minutes]
    report, disk = imported("\ufeffnote,close,volume,low,high,open,ts_ms\r\n" + "\r\n".join(rows))
    assert report.is_imported
    assert (report.gaps.count, report.gaps.missing_bars) == (2, 8)
    assert report.gaps.largest[0].missing_bars == 7
    assert report.gaps.largest[0].after_ns == (T0 + 120_000) * 1_000_000
    assert report.notes == ("column 'note' was ignored",)
    bars = load(HOME, "test", "BTC-PERP", "1m", disk)
    assert bars.content_sha256 == report.content_sha256
    assert bars.open.tolist() == [10.0] * 6
    assert bars.high.flags["C_CONTIGUOUS"]
    assert coverage(HOME, "test", "BTC-PERP", "1m", disk).rows == 6
    assert [info.symbol for info in list_sets(HOME, disk)] == ["BTC-PERP"]


def test_csv_gz_and_parquet_of_the_same_bars_have_the_same_content_hash() -> None:
    text = "\n".join([HEADER, *good_rows()]).encode()
    columns = np.array([[float(cell) for cell in row.split(",")] for row in good_rows()]).T
    names = HEADER.split(",")
    table = pa.table(
        {n: c.astype(np.int64 if n == "ts_ms" else np.float64) for n, c in zip(names, columns, strict=True)}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    hashes = {
        imported(content, name)[0].content_sha256
        for name, content in (
            ("a.csv", text),
            ("a.csv.gz", gzip.compress(text, mtime=0)),
            ("a.parquet", sink.getvalue()),
        )
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("writes", [0, 1])
def test_a_failing_disk_leaves_nothing(writes: int) -> None:
    disk = MemoryDisk()
    disk.files[Path("/in/a.csv")] = "\n".join([HEADER, *good_rows()]).encode()
    disk.fail_after_writes = writes
    with pytest.raises(OSError, match="No space"):
        import_file(Path("/in/a.csv"), "v", "s", "1m", HOME, disk, FixedClock())
    assert list(disk.files) == [Path("/in/a.csv")]


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "a..b", ".hid", "a\x00", "a" * 65])
def test_path_tricks_in_names_are_refused(name: str) -> None:
    with pytest.raises(UnsafeName):
        load(HOME, name, "BTC-PERP", "1m", MemoryDisk())
    with pytest.raises(UnsafeName):
        load(HOME, "v", name, "1m", MemoryDisk())
    with pytest.raises(ValueError):
        load(HOME, "v", "s", name, MemoryDisk())


def test_a_changed_stored_file_is_not_loaded() -> None:
    _, disk = imported("\n".join([HEADER, *good_rows()]))
    path = HOME / "data" / "test" / "BTC-PERP" / "1m.parquet"
    table = pq.read_table(pa.BufferReader(disk.files[path]))
    changed = table.set_column(1, "open", pa.array([10.0, 10.0, 10.5, 10.0, 10.0]))
    sink = io.BytesIO()
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), sink)
    disk.files[path] = sink.getvalue()
    with pytest.raises(BadData, match="recorded hash"):
        load(HOME, "test", "BTC-PERP", "1m", disk)
    with pytest.raises(UnknownSet):
        load(HOME, "test", "ETH-PERP", "1m", disk)


def test_intervals_are_read_strictly() -> None:
    assert interval_ns_of("15m") == 900 * 10**9
    for text in ("", "m", "0m", "1M", "-1m", "1.5h", "99999d"):
        with pytest.raises(ValueError, match="interval"):
            interval_ns_of(text)


def _shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"shared data not here: {name} (set INTERLOCK_SHARED)")
    return path


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "interval", "rows", "gaps"),
    [
        ("licensed/bars_1m/binance_um/BTCUSDT_1m.parquet", "1m", 43_199, (0, 0)),
        ("licensed/bars_1m/coinbase/BTCUSD_20161007_1m.csv.gz", "1m", 1_419, (20, 21)),
        ("licensed/bars_1d/COINBASE_BTCUSD_1d.csv.gz", "1d", 1_318, (8, 34)),
        ("licensed/bars_5m/TRXBTC_5m_201801.csv.gz", "5m", 5_754, (6, 6)),
    ],
)
def test_real_sets_import_with_the_gaps_their_manifest_states(
    name: str, interval: str, rows: int, gaps: tuple[int, int], tmp_path: Path
) -> None:
    report = import_file(_shared(name), "real", "X", interval, tmp_path, RealDisk(), FixedClock())[0]
    assert (report.rows, (report.gaps.count, report.gaps.missing_bars)) == (rows, gaps)
    bars = load(tmp_path, "real", "X", interval)
    assert bars.content_sha256 == report.content_sha256 == load_file(_shared(name), interval).content_sha256


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("licensed/bars_1h/binance_um_1h_setA.parquet", "many_symbols"),
        ("licensed/bars_1h/Coinbase_BTCUSD_1h_2017-2019.csv.gz", "out_of_order"),
        ("no_licence_stated/dirty/bitfinex_BTCUSD_2013_merged.csv.gz", "missing_header"),
    ],
)
def test_real_files_of_another_shape_are_refused_with_a_reason(name: str, code: str, tmp_path: Path) -> None:
    report = import_file(_shared(name), "real", "X", "1h", tmp_path, RealDisk(), FixedClock())[0]
    assert {problem.code for problem in report.problems} == {code}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.shared
def test_a_real_year_under_a_wrong_header_is_refused_row_by_row_and_under_the_right_one_imports(
    tmp_path: Path,
) -> None:
    raw = gzip.decompress(_shared("no_licence_stated/dirty/bitfinex_BTCUSD_2013_merged.csv.gz").read_bytes())

    def imported_as(header: bytes) -> ImportReport:
        (tmp_path / "d.csv").write_bytes(header + b"\n" + raw)
        return import_file(tmp_path / "d.csv", "real", "X", "1m", tmp_path, RealDisk(), FixedClock())[0]

    wrong = imported_as(HEADER.encode())
    assert not wrong.is_imported
    assert {"high_below_low", "open_outside_range", "close_outside_range"} >= set(wrong.counts) > set()
    assert all(problem.row > 0 for problem in wrong.problems)
    right = imported_as(b"ts_ms,open,close,high,low,volume")
    assert (right.is_imported, right.rows) == (True, 148_055)
    assert right.gaps.count > 0
