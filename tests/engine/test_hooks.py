"""Beside the path: an advisor changes nothing, a validator only blocks or shrinks, an observer only hears."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.daemon import Engine, Seams, build_core
from engine.trading.hooks import Hooks, asked, overreach
from safety.canonical import changed
from safety.facts import Preflight
from safety.intent import ExecutionIntent
from safety.killbyte import KillByte
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from tests.safety.safety_builders import exit_intent, intent
from venues.types import Fill, Side

D = Decimal


class Says:
    """A hook of every kind that does what it was told to."""

    def __init__(self, name: str, answer: object) -> None:
        self.name, self.answer, self.heard = name, answer, 0

    def _do(self, wish: object) -> object:
        self.heard += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(wish) if callable(self.answer) else self.answer

    def advise(self, wish: ExecutionIntent) -> str:
        return self._do(wish)  # type: ignore[return-value]

    def validate(self, wish: ExecutionIntent) -> ExecutionIntent | None:
        return self._do(wish)  # type: ignore[return-value]

    def observe(self, intent_id: str, fill: Fill) -> None:
        self._do(fill)


def half(wish: ExecutionIntent) -> ExecutionIntent:
    return changed(wish, quantity=wish.quantity / 2, notional_usd=wish.notional_usd / 2)


def test_what_an_advisor_says_is_recorded_and_changes_nothing() -> None:
    hooks = Hooks(advisors=(Says("calm", "ranging\x1b[2J"), Says("broken", ValueError("x"))))
    hooked = asked(hooks, intent())
    assert hooked.intent == intent() and not hooked.is_blocked and not hooked.is_smaller
    said = json.loads(hooked.context)["advice"]
    assert said == {"calm": "ranging[2J", "broken": "failed: ValueError"}
    mutating = Says("sly", lambda wish: setattr(wish, "quantity", D(9)))
    assert asked(Hooks(advisors=(mutating,)), intent()).intent == intent(), "an intent is frozen"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        ValueError("cannot say"),
        "yes",
        lambda wish: changed(wish, quantity=wish.quantity * 2),
        lambda wish: changed(wish, quantity=D(0)),
        lambda wish: changed(wish, quantity=-wish.quantity),
        lambda wish: changed(wish, side=Side.SELL),
        lambda wish: changed(half(wish), stop_loss=None),
        lambda wish: changed(wish, reduce_only=True),
        lambda wish: changed(wish, quantity=wish.quantity / 2),
        lambda wish: changed(wish, notional_usd=D(1)),
        lambda wish: changed(wish, limit_price=D(99)),
    ],
)
def test_a_validator_that_says_no_fails_or_overreaches_blocks(answer: object) -> None:
    hooked = asked(Hooks(validators=(Says("strict", answer),)), intent())
    assert hooked.is_blocked and json.loads(hooked.context)["validator"]["name"] == "strict"
    fine = Preflight(allowed=True, reasons=(), checks=())
    assert hooked.stricter(fine).reasons == ("validator_rejected",) and not hooked.stricter(fine).allowed
    refused = Preflight(allowed=False, reasons=("self_trade",), checks=())
    assert hooked.stricter(refused).reasons == ("self_trade", "validator_rejected")


def test_validators_shrink_in_turn_and_none_can_take_a_refusal_away() -> None:
    hooked = asked(Hooks(validators=(Says("a", half), Says("b", half))), intent())
    assert hooked.intent.quantity == intent().quantity / 4 and hooked.is_smaller and not hooked.is_blocked
    refused = Preflight(allowed=False, reasons=("self_trade",), checks=())
    assert hooked.stricter(refused) == refused
    assert asked(Hooks(validators=(Says("same", lambda wish: wish),)), intent()).is_smaller is False


def test_an_exit_is_never_held_back_by_a_validator() -> None:
    asks = Says("strict", None)
    assert asked(Hooks(validators=(asks,)), exit_intent()).intent == exit_intent() and asks.heard == 0


@given(st.decimals(min_value="0.001", max_value="10", places=3))
def test_only_a_size_between_nothing_and_the_whole_is_a_smaller_one(share: Decimal) -> None:
    wish = intent()
    other = changed(wish, quantity=wish.quantity * share, notional_usd=wish.notional_usd * share)
    assert (overreach(wish, other) == "") is (share <= 1)


async def _run(home: Path, hooks: Hooks) -> Engine:
    data = write_demo_bars(home, 1)
    engine = Engine(
        build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())
    )
    engine.core.hooks = hooks
    start = PaperStart(strategies=(), preset="oracle-flip", feed=f"replay:{data}", speed=0.0, max_bars=300)
    entry = engine.desk.start_paper(start, "tester", "R-1")
    assert entry.task is not None
    await asyncio.wait_for(entry.task, 60)
    return engine


async def test_a_session_with_hooks_trades_half_hears_all_and_ends_in_order(tmp_path: Path) -> None:
    """Orders are half the wish, the kernel takes up what was filled, and a broken observer hurts nobody."""

    def lots(wish: ExecutionIntent) -> ExecutionIntent:
        size = (wish.quantity / 2).quantize(D("0.0001"))
        return changed(wish, quantity=size, notional_usd=(wish.notional_usd * size / wish.quantity))

    (tmp_path / "plain").mkdir()
    (tmp_path / "hooked").mkdir()
    plain = await _run(tmp_path / "plain", Hooks())
    hears, broken = Says("ear", None), Says("broken", ValueError("no"))
    hooked = await _run(
        tmp_path / "hooked", Hooks(validators=(Says("half", lots),), observers=(hears, broken))
    )
    try:
        whole, less = plain.desk.ended[-1], hooked.desk.ended[-1]
        assert whole.status == less.status == "success" and hears.heard == broken.heard > 10
        rows = hooked.core.store.orders.fills_of_session(less.session_id)
        assert len(rows) == hears.heard == len(plain.core.store.orders.fills_of_session(whole.session_id))
        held = sum((row.quantity * row.side.sign for row in rows), D(0))
        assert abs(held) <= max(row.quantity for row in rows), "entries and exits match"
        first = plain.core.store.orders.fills_of_session(whole.session_id)[0]
        assert rows[0].quantity < first.quantity * D("0.51")
        decision = hooked.core.store.decisions.decisions_of(less.session_id)[0]
        assert json.loads(decision.context)["validator"]["name"] == "half"
    finally:
        await plain.close()
        await hooked.close()


async def test_a_blocked_wish_is_denied_with_the_validators_name_on_record(tmp_path: Path) -> None:
    engine = await _run(tmp_path, Hooks(validators=(Says("closed", None),)))
    try:
        session_id = engine.desk.ended[-1].session_id
        assert not engine.core.store.orders.fills_of_session(session_id)
        rows = engine.core.store.decisions.decisions_of(session_id)
        assert rows and {row.rejection_reason for row in rows} == {"validator_rejected"}
        assert json.loads(rows[0].context)["validator"] == {"name": "closed", "said": "blocked"}
    finally:
        await engine.close()
