"""Indicator columns: the numbers that strategies see, null while they warm up, in three formats."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from console.cli.app import run as command_line
from engine.api.indicators import dump_indicators
from engine.market.catalogue import load_file
from engine.research.choice import RunFailed
from engine.research.indicator_columns import indicator_table, outputs_of, wanted
from native.indicator_table import INDICATORS
from native.intents import KernelConfig, LaneSpec
from native.kernel import Kernel
from seams.disk import RealDisk
from tests.research.market import write_bars

MINUTE_NS = 60 * 10**9
NEEDED = {"EMA": "(7)", "SMA": "(7)", "WMA": "(7)", "StDev": "(7)", "ZScore": "(7)", "VWAP": "(7)",
          "Percentile": "(7)", "RealisedVol": "(7)"}  # fmt: skip


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "BTCUSD_1m.csv", 400)


def test_every_indicator_of_the_table_can_be_dumped(bars: Path) -> None:
    columns = load_file(bars)
    asked = [wanted(name + NEEDED.get(name, ""), MINUTE_NS) for name in INDICATORS]
    table = indicator_table(columns, asked)
    for each in asked:
        values, warm = outputs_of(columns, each)
        assert warm >= 0 and len(each.columns) == len(each.form.outputs)
        for place, name in enumerate(each.columns):
            found = table[name]
            assert found.null_count == warm, name
            assert found.to_pylist()[warm:] == values[warm:, place].tolist() and np.isfinite(values).all()


def test_the_numbers_are_those_that_the_kernel_sees(bars: Path) -> None:
    columns = load_file(bars)
    lane = LaneSpec(symbol="X", strategy="ema_cross", params={"fast": 5.0, "slow": 21.0})
    kernel = Kernel(KernelConfig(), [lane])
    table = indicator_table(columns, [wanted(text, MINUTE_NS) for text in ("EMA(5)", "EMA(21)", "ATR(14)")])
    names = ("ts_ns", "open", "high", "low", "close", "volume")
    for row in range(len(columns)):
        bar = [getattr(columns, name)[row].item() for name in names]
        kernel.open(0, bar[0], bar[1])
        kernel.close(0, *bar)
        seen = kernel.indicators(0)
        for name, column in (("ema_fast", "ema_5"), ("ema_slow", "ema_21"), ("atr", "atr_14")):
            mine = table[column][row].as_py()
            assert mine is None or mine == seen[name], (row, column)
    assert table["ema_21"].null_count == 20


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_three_formats_say_the_same(bars: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / f"out.{form}"
    made = dump_indicators(tmp_path, str(bars), ["SMA(3)@volume", "macd(fast=3, slow=6, signal=2)"], out)
    assert (made.rows, made.format, made.columns["macd_3_6_2"]) == (400, form, 6)
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(out.read_text())))
        first = [row["macd_3_6_2_signal"] or None for row in rows[:7]]
        value = float(rows[-1]["macd_3_6_2"])
    elif form == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        first = [row["macd_3_6_2_signal"] for row in rows[:7]]
        value = rows[-1]["macd_3_6_2"]
    else:
        table = pq.read_table(out)
        first = table["macd_3_6_2_signal"].to_pylist()[:7]
        value = table["macd_3_6_2"][-1].as_py()
        assert table["sma_3_volume"].to_pylist()[2:] == [5.0] * 398
    assert first[:6] == [None] * 6 and first[6] is not None
    columns = load_file(bars)
    assert value == outputs_of(columns, wanted("MACD(3,6,2)", MINUTE_NS))[0][-1, 0]


@pytest.mark.parametrize(
    "text",
    ["NOPE(3)", "EMA", "EMA()", "EMA(0)", "EMA(2.5)", "EMA(x)", "EMA(3, 4)", "EMA(3, period=4)",
     "EMA(3)@nothing", "EMA(inf)", "ATR(3)@volume", "MACD(slow=3, slow=4)", "EMA(3", "", "EMA(1e9)"],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(bars: Path, text: str) -> None:
    with pytest.raises(RunFailed) as error:
        outputs_of(load_file(bars), wanted(text, MINUTE_NS))
    assert error.value.code == "invalid_request"


def test_one_column_is_asked_for_once_and_files_are_written_whole(bars: Path, tmp_path: Path) -> None:
    out = tmp_path / "twice.csv"
    with pytest.raises(RunFailed, match="ema_3"):
        dump_indicators(tmp_path, str(bars), ["EMA(3)", "ema(period=3)"], out, disk=RealDisk())
    assert not out.exists()


def test_the_command_writes_to_the_screen_or_a_file(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))
    words = ["dump-indicators", "--data", str(bars), "--indicator", "EMA(5)", "--max-bars", "10"]
    assert command_line(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ts_ns,open,high,low,close,volume,ema_5" and len(lines) == 11
    assert lines[4].endswith(",") and not lines[5].endswith(",")
    assert command_line([*words, "--format", "parquet", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "invalid_request"
    assert command_line([*words, "--out", str(tmp_path / "x.parquet"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["indicators"]["nulls"] == {"ema_5": 4}
