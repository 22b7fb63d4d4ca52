"""The Corridor screen as two series of pictures: a whole way at Hyperliquid, and one at Kraken through an
ambiguity. Each shows what the corridor's own desk said at that moment, beside the loopback venue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from engine.api.commands import QueryBody
from engine.api.corridor import Step, SubmitList, Submits, SubmitShow, SubmitView
from tests.console import desk_fixture as desk
from tests.console.hand import picture, press
from tests.corridor.halls import UP_TO_GATE, Hall, in_hall
from venues.sandbox.programs import Strike

SIZES = ((80, 24), (160, 50))


class Moment(NamedTuple):
    """What the corridor said when a picture is taken."""

    sessions: Submits
    view: SubmitView


Series = dict[str, Moment]
Scene = Callable[[Hall, Callable[[str], None]], Awaitable[None]]


def taken(venue: str, scene: Scene) -> Series:
    """Play a scene; return what was said at each moment of it."""
    series: Series = {}

    async def play(hall: Hall) -> None:
        def take(name: str) -> None:
            (row,) = hall.desk.sessions().rows
            series[name] = Moment(hall.desk.sessions(), hall.view(row.session_id))

        await scene(hall, take)

    with TemporaryDirectory() as folder:
        in_hall(venue, Path(folder), play)
    return series


@cache
def hyperliquid() -> Series:
    async def scene(hall: Hall, take: Callable[[str], None]) -> None:
        session_id = (await hall.opened()).session_id
        take("1 preflight")
        for step in UP_TO_GATE[:3]:
            await hall.do(session_id, step)
        take("2 approved")
        for step in UP_TO_GATE[3:]:
            await hall.do(session_id, step)
        take("3 gate")
        await hall.do(session_id, Step.SUBMIT)
        take("4 submitted")
        hall.stage.quote(59_895, 59_905)
        hall.stage.trade(59_900, 0.001, is_buy=False)
        for step in (Step.STATUS, Step.RECONCILE, Step.FILLS, Step.SUPERVISE):
            await hall.do(session_id, step, polls=1)
        take("5 filled")

    return taken("hyperliquid", scene)


@cache
def kraken() -> Series:
    async def scene(hall: Hall, take: Callable[[str], None]) -> None:
        session_id = (await hall.opened()).session_id
        for step in UP_TO_GATE[:2]:
            await hall.do(session_id, step)
        take("1 validated")
        for step in UP_TO_GATE[2:]:
            await hall.do(session_id, step)
        take("2 gate")
        hall.stage.strike(Strike.STATUS, value=502)
        hall.stage.deafen()
        hall.stage.lag(30.0)
        await hall.do(session_id, Step.SUBMIT)
        take("3 no answer")
        await hall.do(session_id, Step.STATUS)
        take("4 in doubt")
        await hall.house.tend(60)
        await hall.do(session_id, Step.STATUS)
        await hall.do(session_id, Step.RECONCILE)
        take("5 found")
        await hall.do(session_id, Step.CANCEL)
        await hall.house.tend(60)
        for step in (Step.STATUS, Step.RECONCILE, Step.FILLS):
            await hall.do(session_id, step)
        take("6 canceled")

    return taken("kraken", scene)


MOMENTS = {
    "hyperliquid": ("1 preflight", "2 approved", "3 gate", "4 submitted", "5 filled"),
    "kraken": ("1 validated", "2 gate", "3 no answer", "4 in doubt", "5 found", "6 canceled"),
}
PICTURES = [(venue, moment) for venue, moments in MOMENTS.items() for moment in moments]
SERIES = {"hyperliquid": hyperliquid, "kraken": kraken}


def app_of(moment: Moment) -> Any:
    """A console whose engine answers as the corridor did then."""

    def show(asked: QueryBody) -> SubmitView:
        assert isinstance(asked, SubmitShow)
        return moment.view

    made = desk.gateway()
    made.results[SubmitList] = lambda _: moment.sessions
    made.results[SubmitShow] = show
    return desk.make_app(made)


async def opened(pilot: Any) -> None:
    await press(pilot, "o")
    await pilot.pause(0.1)
    await press(pilot, "down", "up")
    await pilot.pause(0.1)


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize(("venue", "moment"), PICTURES, ids=[f"{v}-{m}" for v, m in PICTURES])
def test_a_way_through_the_corridor(
    snap_compare: Any, venue: str, moment: str, size: tuple[int, int]
) -> None:
    app = app_of(SERIES[venue]()[moment])
    assert snap_compare(app, terminal_size=size, run_before=opened)


@pytest.mark.parametrize(
    ("venue", "moment", "told"),
    [
        ("hyperliquid", "3 gate", "type SUBMIT"),
        ("hyperliquid", "5 filled", "order_filled"),
        ("hyperliquid", "5 filled", "IS PLACED BY NOBODY: watch the position"),
        ("kraken", "3 no answer", "CRITICAL SUBMIT_REQUEST_FAILED"),
        ("kraken", "4 in doubt", "CRITICAL ORDER_STATUS_UNKNOWN"),
        ("kraken", "6 canceled", "order_canceled"),
        ("kraken", "6 canceled", "WARNING ORDER_CANCELED"),
    ],
)
def test_what_matters_is_told_on_the_smallest_screen(venue: str, moment: str, told: str) -> None:
    app = app_of(SERIES[venue]()[moment])  # a loop of its own, so before ours

    async def look() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await opened(pilot)
            assert told in picture(app)

    asyncio.run(look())
