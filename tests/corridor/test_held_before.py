"""What an account held, and had traded, before our first contact with it: shown, blocking, adopted once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from engine.api.corridor import Step
from engine.api.reconcile import Act, DifferenceRow, Reconcile
from engine.desk import Desk
from engine.drop_copy import compare_fills
from engine.reconcile_acts import act
from engine.reconciliation import reconcile_view
from engine.trading.custody import Verdict
from seams.virtual import VirtualLoop, run_virtual
from tests.corridor.halls import Hall, House
from tests.corridor.stages import STAGES

pytestmark = pytest.mark.parametrize("venue", sorted(STAGES))
HELD = Decimal("0.003")


class Old(Hall):
    """A corridor on an account with a past."""

    @property
    def everything(self) -> Desk:
        return Desk(self.house.custody.core, self.house.custody)

    def rows(self) -> dict[str, DifferenceRow]:
        return {row.key: row for row in reconcile_view(self.house.custody.core, self.everything, 1).rows}

    async def adopt(self, key: str) -> None:
        row = self.rows()[key]
        await act(self.everything, Reconcile(act=Act.ADOPT, key=key, seen=row.seen), "ada", "held before")
        await self.house.settle()


def with_a_past(
    venue: str, folder: Path, scene: Callable[[Old], Awaitable[None]], *, rests: bool = False
) -> None:
    """Two purchases by hand, hours ago; an order that still rests, if so; then our first contact."""
    loop = VirtualLoop()

    async def play() -> None:
        stage = STAGES[venue](loop)
        stage.quote()
        stage.by_hand(60_020, 0.002)
        stage.by_hand(60_030, 0.001)
        await stage.clock.sleep(3 * 3600)
        stage.quote()
        if rests:
            stage.by_hand(59_000, 0.001)
            await stage.clock.sleep(30)
            stage.quote()
        house = House(folder, stage)
        await stage.up()
        hall = Old(house)
        await hall.quote()
        await house.settle(40)
        await scene(hall)
        await stage.down()

    run_virtual(play(), loop)


def test_what_was_held_is_one_difference_that_blocks_until_it_is_adopted(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Old) -> None:
        custody, key = hall.house.custody, f"position:{hall.stage.symbol}"
        assert custody.verdict is Verdict.AMBIGUOUS and list(hall.rows()) == [key], "the past is no news"
        assert not custody.core.store.orders.fills_of_account(venue, "a"), "nothing is booked by itself"
        assert not custody.ledger.open_holdings()
        refused = await hall.opened()
        assert {"hold_blocks_entry", "reconcile_not_clean"} & set(refused.reasons), refused
        await hall.house.tend(120)
        assert custody.verdict is Verdict.AMBIGUOUS and list(hall.rows()) == [key], "it waits for a person"
        await hall.adopt(key)
        assert custody.verdict is Verdict.CLEAN, custody.differences
        assert hall.rows() == {} and len(custody.adjustments()) == 1, "one act: no cash is left to explain"
        assert custody.ledger.holding(hall.stage.symbol).quantity == HELD
        assert hall.stage.placed() == [] and hall.stage.held() == float(HELD)

    with_a_past(venue, tmp_path, scene)


def test_after_the_adoption_the_corridor_trades_and_counts_what_is_held(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Old) -> None:
        await hall.adopt(f"position:{hall.stage.symbol}")
        await hall.restart()
        custody = hall.house.custody
        assert custody.verdict is Verdict.CLEAN, custody.differences
        session_id = await hall.at_gate(limit_price="60020", stop_loss="59000")
        checks = hall.artifact(session_id, "preflight")["body"]["local_preflight"]["checks"]
        exposure = next(each for each in checks if each["name"] == "max_exposure_exceeded")
        assert float(exposure["now"]) == pytest.approx(180, abs=1)
        assert (await hall.do(session_id, Step.SUBMIT)).status in ("submitted", "filled")
        await hall.house.tend(8)
        assert await hall.house.settle() is Verdict.CLEAN, custody.differences
        assert custody.ledger.holding(hall.stage.symbol).quantity == HELD + Decimal("0.001")

    with_a_past(venue, tmp_path, scene)


def test_an_order_that_rested_before_us_is_shown_beside_it(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Old) -> None:
        kinds = {row.kind for row in hall.rows().values()}
        assert kinds == {"foreign", "position"} and hall.stage.live() == 1
        foreign = next(row for row in hall.rows().values() if row.kind == "foreign")
        await hall.adopt(foreign.key)
        await hall.adopt(f"position:{hall.stage.symbol}")
        custody = hall.house.custody
        assert custody.verdict is Verdict.CLEAN, custody.differences
        assert len(custody.orders.alive()) == 1, "what it does later is ours"
        assert hall.stage.live() == 1 and hall.stage.placed() == []

    with_a_past(venue, tmp_path, scene, rests=True)


def test_a_trade_by_hand_after_first_contact_is_news(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Old) -> None:
        await hall.adopt(f"position:{hall.stage.symbol}")
        hall.stage.by_hand(60_030, 0.01)
        await hall.house.tend(10)
        assert {row.kind for row in hall.rows().values()} >= {"foreign"}
        for _ in range(3):
            acts = [row.key for row in hall.rows().values() if row.acts]
            if acts:
                await hall.adopt(acts[0])
        custody = hall.house.custody
        assert custody.verdict is Verdict.CLEAN, custody.differences
        assert len(custody.adjustments()) == 1, "its own executions explain it, cash included"
        listed = await compare_fills(hall.everything, 0)
        assert (listed.compared, listed.differing) == (1, 0), "the past is in nobody's list"

    with_a_past(venue, tmp_path, scene)
