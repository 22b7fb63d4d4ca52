"""The reports: self-contained, escaped, made again from the artifacts, equal numbers in every form."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from engine.api import research
from engine.research import charts
from engine.research.definitions import METRICS
from engine.research.shown import duration, shown
from seams.clock import FixedClock
from tests.research.market import write_bars

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks that tags nest, and collects tags and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def result(tmp_path: Path) -> research.RunResult:
    bars = write_bars(tmp_path / "BTCUSD_1h.csv", 4_000, minutes=60)
    request = research.run_request({"preset": "oracle-bracket", "data": str(bars), "name": "x"})
    return research.start_run(request, tmp_path, clock=FixedClock())


def home_of(result: research.RunResult) -> Path:
    return Path(result.path).parents[2]


def test_the_page_needs_nothing_from_elsewhere_and_nests(result: research.RunResult) -> None:
    text = (Path(result.path) / "report.html").read_text()
    page = Page(text)
    tags = {tag for tag, _ in page.found}
    assert {"svg", "table", "details", "path", "circle"} <= tags
    assert not tags & {"script", "link", "img", "iframe", "object", "a"}
    assert not any(name in ("src", "href") for _, attributes in page.found for name in attributes)
    assert not re.search(r"https?:|url\(|@import", text)
    assert "prefers-color-scheme:dark" in text and "default-src 'none'" in text
    assert len(text) < 400_000


def test_every_number_of_the_page_is_a_number(result: research.RunResult) -> None:
    text = (Path(result.path) / "report.html").read_text()
    assert not re.search(r"\b(nan|inf|None)\b", text)


def test_all_forms_carry_the_same_numbers(result: research.RunResult) -> None:
    folder = Path(result.path)
    report = json.loads((folder / "report.json").read_bytes())
    assert report["results"][0] == json.loads((folder / "metrics.json").read_bytes())["best_result"]
    page = " ".join(Page((folder / "report.html").read_text()).words)
    markdown = (folder / "report.md").read_text()
    for each in METRICS:
        written = shown(each.id, report["results"][0][each.id])
        assert written in page, each.id
        assert f"| {each.id} | {written} |" in markdown, each.id
    for baseline in report["baselines"]:
        for name, value in baseline["values"].items():
            assert f"| {baseline['name']} | {name} | {shown(name, value)} |" in markdown
    for interval in report["bootstrap"]["intervals"]:
        assert shown(interval["metric"], interval["low"]) in page


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_a_report_is_made_again_from_the_artifacts_alone(result: research.RunResult, form: str) -> None:
    made = research.make_report(home_of(result), result.run_id, form)
    assert made.is_as_written
    Path(made.path).write_text("changed")
    if form != "json":
        assert not research.make_report(home_of(result), result.run_id, form).is_as_written


def test_a_foreign_run_is_refused(tmp_path: Path) -> None:
    for run_id in ("../../etc/passwd", "20260101_000000_run_0000000"):
        with pytest.raises(research.UnknownRun):
            research.make_report(tmp_path, run_id)


def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "BTCUSD_1m.csv", 300)
    evil = "<script>alert(1)</script>"
    request = research.run_request(
        {"preset": "oracle-flip", "data": str(bars), "symbol": evil, "command": f"interlock {evil} & more"}
    )
    text = (Path(research.start_run(request, tmp_path).path) / "report.html").read_text()
    assert "<script" not in text and "&lt;script&gt;" in text
    Page(text)


def test_a_run_without_trades_has_a_page_too(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "BTCUSD_1m.csv", 300)
    request = research.run_request(
        {"preset": "oracle-flip", "data": str(bars), "params": {"fast": 100, "slow": 900}}
    )
    text = (Path(research.start_run(request, tmp_path).path) / "report.html").read_text()
    Page(text)
    assert "no closed trades" in text


def test_thinning_keeps_every_extreme() -> None:
    values = np.zeros(100_000)
    values[41_234], values[77_777] = -5.0, 9.0
    times, low, high = charts.thin(np.arange(100_000) * 10**9, values)
    assert len(times) <= charts.COLUMNS
    assert (low.min(), high.max()) == (-5.0, 9.0)
    kept = charts.chosen(100_000, values)
    assert len(kept) <= charts.MAX_DOTS and {41_234, 77_777} <= set(kept.tolist())


def test_axes_have_round_numbers_and_dates() -> None:
    assert charts.ticks(0.0, 1.0, 5) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert charts.ticks(-37.0, 112.0, 5) == [0.0, 50.0, 100.0]
    assert charts.ticks(5.0, 5.0, 5) == [5.0]
    day = 86_400 * 10**9
    years = charts.date_ticks(0.0, 2_500.0 * day, 8)
    assert [text for _, text in years][:3] == ["1970", "1971", "1972"]
    assert [text for _, text in charts.date_ticks(0.0, 500.0 * day, 8)][:3] == [
        "1970-01",
        "1970-04",
        "1970-07",
    ]
    assert charts.date_ticks(0.0, day / 4, 8)[1][1].endswith("h")


def test_durations_read_well() -> None:
    assert [duration(each) for each in (5, 90, 7_200, 2 * 86_400)] == ["5 s", "1.5 min", "2.0 h", "2.0 days"]
