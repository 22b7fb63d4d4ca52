"""Screen 6's pages: what is launched is what is shown, and evidence of any length is opened at once."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from console.cli import run as run_command
from console.cli import sweep as sweep_command
from console.tui.app import InterlockApp
from console.tui.screens.research.data_page import step_ns
from console.tui.screens.research.launch_page import BLANK, BadForm, body_of, command_of
from console.tui.screens.research.run_page import RunPage
from console.tui.screens.runs import Runs
from console.tui.theme import Look
from console.tui.widgets.drawing import coverage, heat
from console.tui.widgets.live_table import LiveTable
from console.tui.widgets.paged import CHUNK, Paged
from engine import worker
from engine.api.commands import JobBody, JobCancel, RunStart, SweepStart
from engine.api.lab import RunCompare, RunTrades, TradePage
from engine.research.request import RunRequest
from engine.research.sweep.request import make_request
from tests.console import desk_fixture as desk
from tests.console import research_fixture as research
from tests.console.hand import picture, press, said, sent

SIZE = (120, 40)
SWEEP = {**BLANK, "kind": "sweep", "data": "v/s/1m", "grid": "fast=5:50:5 slow=20,50", "trials": "9"}


def room(app: InterlockApp) -> Runs:
    found = app.room
    assert isinstance(found, Runs)
    return found


def test_the_form_is_the_command_it_shows() -> None:
    form = {**BLANK, "data": "my bars.csv", "set": "fast=9 mode=slow", "max_bars": "500"}
    assert body_of(form) == RunStart(
        strategy="ema_cross", data="my bars.csv", params={"fast": 9.0, "mode": "slow"}, max_bars=500
    )
    assert command_of(form) == (
        "interlock run start --strategy ema_cross --data 'my bars.csv' --set fast=9 --set mode=slow "
        "--max-bars 500"
    )
    assert body_of(SWEEP) == SweepStart(
        strategy="ema_cross", data="v/s/1m", grid={"fast": "5:50:5", "slow": "20,50"}, trials=9
    )
    assert command_of(SWEEP).endswith("--grid fast=5:50:5 --grid slow=20,50 --method grid --trials 9")


WHOLE = {
    "kind": "run", "strategy": "ema_cross", "preset": "", "data": "v/s/1m", "set": "fast=9",
    "grid": "slow=20:50:5", "method": "tpe", "trials": "9", "seed": "3", "start": "2026-01-02",
    "end": "2026-02-01T12:30", "max_bars": "500", "fee_bps": "0", "slippage_bps": "2.5", "funding": "data",
    "name": "night watch",
}  # fmt: skip


@pytest.mark.parametrize("changes", [{}, {"funding": "kraken/BTC-PERP"}, {"start": "", "fee_bps": ""}])
@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_the_command_shown_asks_for_what_the_job_does(
    kind: str, changes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form filled whole: the typed command and the worker reach research with the same request."""
    asked: list[object] = []

    class Stopped(Exception):
        """It got as far as research."""

    def start_run(request: RunRequest, *_: object, **__: object) -> None:
        asked.append(msgspec.structs.replace(request, request_id="", command=""))  # type: ignore[type-var]
        raise Stopped

    def start_sweep(_text: object, fields: dict[str, object], *_: object, **__: object) -> None:
        asked.append(make_request({**fields, "request_id": "", "command": ""}))
        raise Stopped

    monkeypatch.setattr("engine.api.research.start_run", start_run)
    monkeypatch.setattr("engine.worker.start_run", start_run)
    monkeypatch.setattr("engine.api.sweep.start_sweep", start_sweep)
    monkeypatch.setattr("engine.worker.start_sweep", start_sweep)
    assert set(WHOLE) == set(BLANK)
    form = {**WHOLE, "kind": kind, **changes}
    commands = {"run": run_command.app, "sweep": sweep_command.app}[kind]
    with pytest.raises(Stopped):
        commands(shlex.split(command_of(form))[2:], standalone_mode=False)
    with pytest.raises(Stopped):
        worker._run(msgspec.json.decode(msgspec.json.encode(body_of(form)), type=JobBody), worker.Stop())
    typed, sent_ = asked
    assert typed == sent_


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"data": ""}, "name the data"),
        ({"strategy": ""}, "name a strategy"),
        ({"set": "fast"}, "not name=value"),
        ({"max_bars": "-3"}, "not a whole number"),
        ({"kind": "sweep", "grid": ""}, "needs an axis"),
        ({"kind": "sweep", "set": "fast=9", "grid": "fast=5:50:5"}, "fast is both set and swept"),
        ({"start": "yesterday"}, "start 'yesterday' is not a date"),
        ({"start": "2026-02-01", "end": "2026-02-01"}, "ends before it starts"),
        ({"fee_bps": "cheap"}, "fee_bps 'cheap' is not a number"),
        ({"slippage_bps": "nan"}, "slippage_bps 'nan' is not a number"),
    ],
)
def test_a_form_that_is_not_ready_says_why(changes: dict[str, str], why: str) -> None:
    with pytest.raises(BadForm, match=why):
        body_of({**BLANK, "data": "v/s/1m", **changes})


async def test_a_launch_needs_a_y_and_sends_what_is_shown() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "D", "enter", "L", "n")
        assert not sent(app, RunStart)
        await press(pilot, "L", "y")
        assert sent(app, RunStart) == [RunStart(strategy="ema_cross", data="kraken/BTC-PERP/15m")]
        assert room(app).page is None


async def test_a_job_is_cancelled_by_name_after_a_y() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "c", "y")
        assert sent(app, JobCancel) == [JobCancel(job_id="J-7-0004")]


async def test_two_to_five_marked_runs_are_compared() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "m", "C")
        assert "mark two to five" in said(app)
        await press(pilot, "tab", "tab", "j", "m", "C")
        (asked,) = [q for q in app.gateway.asked if isinstance(q, RunCompare)]  # type: ignore[attr-defined]
        assert asked.run_ids == ("R-20261120-0000", "R-20261120-0001")
        assert "1.420 *" in picture(app)


async def test_runs_that_do_not_compare_crown_no_winner() -> None:
    given = desk.gateway()
    given.results[RunCompare] = research.comparison("mixed_contract")
    app = desk.make_app(given)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "tab", "tab", "m", "j", "m", "C")
        shown = picture(app)
        assert "THESE DO NOT COMPARE: they differ in end, fee_bps" in shown
        assert " *" not in shown


async def test_a_facet_shows_only_its_runs() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "f")
        assert room(app).facet == "checks failed"
        assert [r.run_id for r in app.desktop.query_one("#runs", LiveTable)._rows] == ["R-20261120-0002"]


def many(total: int) -> Callable[[RunTrades], TradePage]:
    """An engine with so many trades, which answers the rows that are asked for."""
    return lambda body: research.trade_page(body.start, max(0, min(body.count, total - body.start)), total)


def asked(app: InterlockApp) -> list[tuple[int, int]]:
    questions = app.gateway.asked  # type: ignore[attr-defined]
    return [(each.start, each.count) for each in questions if isinstance(each, RunTrades)]


async def test_of_a_hundred_thousand_trades_only_what_is_seen_is_fetched() -> None:
    given = desk.gateway()
    given.results[RunTrades] = many(100_000)
    app = desk.make_app(given)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "tab", "tab", "enter", "tab")
        assert await shows(app, pilot, "TRADES 100,000") and asked(app) == [(0, CHUNK)]
        table = app.desktop.query_one(RunPage).list("trades")
        table.move(50_010)
        app.paint()
        assert await shows(app, pilot, "64,120.50 > 64,311.00") is False
        assert await shows(app, pilot, f"{64_120.5 + 11 * 50_010:,.2f}")
        table.move(99_999)
        app.paint()
        assert await shows(app, pilot, f"{64_120.5 + 11 * 99_999:,.2f}")
        assert "of 100,000" in table.plain() and "..." not in table.plain()
        assert asked(app) == [(0, CHUNK), (49_750, CHUNK), (50_000, CHUNK), (99_750, CHUNK)]
        table.move(-99_999)
        app.paint()
        await pilot.pause()
        assert len(asked(app)) == 4, "what is here is not asked for again"


async def test_a_filter_fetches_the_rest_and_says_how_much_is_coming() -> None:
    given = desk.gateway()
    given.results[RunTrades] = many(9_000)
    app = desk.make_app(given)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "tab", "tab", "enter", "tab")
        page = app.desktop.query_one(RunPage)
        table = page.list("trades")
        table.set_filter("channel")
        page.feed()
        assert table.note.startswith("+8,750 coming") and table.count == 125
        for _ in range(12):
            await pilot.pause()
        assert table.count == 4_500 and "coming" not in table.note
        assert asked(app) == [(0, CHUNK), *((start, 2_000) for start in range(250, 9_000, 2_000))]
        table.set_filter("")
        assert table.count == 9_000


def test_paged_rows_are_the_rows_of_their_pages() -> None:
    rows = list(range(1_130))
    paged: Paged[int] = Paged(len(rows))
    assert paged.missing(0, 2_000) == [0, 250, 500, 750, 1_000] and list(paged) == [None] * 1_130
    paged = paged.with_page(500, rows[500:750], 1_130).with_page(1_000, rows[1_000:], 1_130)
    assert paged.missing(499, 1_130) == [250, 750] and paged.missing(500, 750) == []
    assert (paged[499], paged[500], paged[-1], paged.here) == (None, 500, 1_129, 380)
    assert paged.with_page(1, rows[1:400], 1_130)[250] is None, "half a chunk is not a chunk"
    assert list(paged.with_page(0, rows, 1_130)) == rows
    assert paged.with_page(0, rows[:250], 1_131).here == 250, "another length is another table"
    with pytest.raises(IndexError):
        paged[1_130]


async def test_tab_goes_through_a_runs_summary_trades_decisions_and_figures() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "tab", "tab", "enter")
        assert await shows(app, pilot, "total_return       8.30 %")
        assert await shows(app, pilot, "3 prefixes and a mirrored future")
        assert await shows(app, pilot, "buy and hold 12.50 %")
        await press(pilot, "tab")
        assert await shows(app, pilot, "TRADES 14")
        await press(pilot, "tab")
        assert await shows(app, pilot, "blocked by cooldown, capacity")
        await press(pilot, "tab")
        assert await shows(app, pilot, "FIGURES")
        assert await shows(app, pilot, "-  (drawdown_too_small)")
        await press(pilot, "tab")
        assert await shows(app, pilot, "EQUITY USD")


async def test_back_from_a_run_the_cursor_is_on_the_run_again() -> None:
    app = desk.make_app()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "6", "tab", "tab", "j", "enter", "escape")
        table = room(app).table
        assert table is not None and table.id == "runs" and table.selected.run_id == "R-20261120-0001"


async def shows(app: InterlockApp, pilot: Pilot[Any], words: str) -> bool:
    await pilot.pause()
    return words in picture(app)


def test_a_hole_is_seen_where_it_is() -> None:
    row = research.data().rows[1]
    drawn = coverage(row.first_ns, row.last_ns, row.holes, step_ns(row), 31, Look())
    assert drawn.index("·") == 9 and drawn.count("·") <= 5


def test_heat_shares_cells_when_there_is_no_room_and_keeps_the_best() -> None:
    cells = [[float(10 * y + x) for x in range(40)] for y in range(40)]
    values = [float(v) for v in range(40)]
    drawn = heat(values, values, cells, 30, 8, Look())
    assert len(drawn) == 8
    assert sum("X" in line for line in drawn[:-1]) == 1
    assert "best of 14" in drawn[-1]
