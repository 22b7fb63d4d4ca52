"""Every known failure of the field ends CLEAN or AMBIGUOUS on every venue it concerns, never wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.trading.machine import Evidence
from engine.trading.orders import OrderManager
from engine.trading.working import ManagedOrder
from tests.corridor.halls import Hall, in_hall
from tests.corridor.stages import HyperliquidStage
from tests.field.corpus import CORPUS
from tests.field.failure import Failure
from tests.field.play import AMBIGUOUS, CLEAN, Play, Wrong
from tests.field.table import TABLE, rendered

CASES = [(failure, venue) for failure in CORPUS for venue in failure.venues]


def played(failure: Failure, venue: str, folder: Path) -> tuple[str, str, object]:
    """Play a failure; return its verdict, what is said of the order, and what differs."""
    found: list[tuple[str, str, object]] = []

    async def scene(hall: Hall) -> None:
        play = Play(hall)
        for act in failure.script:
            await play.act(act)
        verdict = await play.verdict()
        found.append((verdict, play.order_state(), hall.house.custody.differences))

    in_hall(venue, folder, scene)
    return found[0]


@pytest.mark.parametrize(("failure", "venue"), CASES, ids=[f"{f.name}-{v}" for f, v in CASES])
def test_it_ends_clean_or_ambiguous_and_never_wrong(failure: Failure, venue: str, tmp_path: Path) -> None:
    verdict, order, differences = played(failure, venue, tmp_path)
    assert (verdict, order) == (failure.verdict, failure.order), differences


def test_the_corpus_is_whole() -> None:
    names = [failure.name for failure in CORPUS]
    assert len(set(names)) == len(names) >= 25
    for failure in CORPUS:
        assert failure.verdict in (CLEAN, AMBIGUOUS) and failure.venues and failure.script
        assert failure.field.endswith(".") and failure.source


def test_the_table_for_readers_is_the_corpus() -> None:
    assert TABLE.read_text(encoding="utf-8") == rendered(), "run `make docs`"


LOST = next(failure for failure in CORPUS if failure.name == "answer lost")
FILLED = next(failure for failure in CORPUS if failure.name == "failed, then filled")


def test_the_judge_finds_an_order_that_is_called_dead_and_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hasty(orders: OrderManager, order: ManagedOrder, *_: object) -> None:
        orders.take(order, Evidence.FENCED, "not found at once")

    for place in ("engine.trading.custody.settle", "engine.trading.settle.settle"):
        monkeypatch.setattr(place, hasty)
    with pytest.raises(Wrong, match="refused, and it is not"):
        played(LOST, "kraken", tmp_path)


def test_the_judge_finds_what_is_booked_and_did_not_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = HyperliquidStage.truth

    def halved(stage: HyperliquidStage, name: str) -> list[tuple[bool, Decimal]]:
        return [(is_live, size / 2) for is_live, size in told(stage, name)]

    monkeypatch.setattr(HyperliquidStage, "truth", halved)
    with pytest.raises(Wrong, match="booked more than happened"):
        played(FILLED, "hyperliquid", tmp_path)
