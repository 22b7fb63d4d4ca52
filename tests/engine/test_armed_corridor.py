"""An armed engine, put together as its process does it, judges corridor and session on gathered facts."""

from __future__ import annotations

from pathlib import Path

from engine.api.commands import PaperStart
from engine.api.corridor import Step
from engine.corridor.case import Ask
from engine.hand_orders import by_hand
from seams.clock import NS_PER_S
from tests.corridor.halls import FORM, UP_TO_GATE
from tests.corridor.real_place import DAY_NS, MINUTE_NS, PAST_DAYS, PAST_MINUTES, past_bars, remember
from tests.engine.arming_place import Place, in_place

SYMBOL = "BTC-PERP"
ALLOWED = {"INTERLOCK_EXECUTION__ALLOWED_STRATEGIES": '["operator", "ema_cross"]'}


async def live(place: Place, seconds: float) -> None:
    """Let the market move and the engine tend, a second at a time."""
    core, desk = place.engine.core, place.engine.venue
    assert desk is not None
    until_ns = place.clock.monotonic_ns() + int(seconds * NS_PER_S)
    while place.clock.monotonic_ns() < until_ns:
        wobble = place.clock.monotonic_ns() // NS_PER_S % 2
        place.rig.desk.quote("BTC", 60_000 + wobble, 60_010 + wobble)
        core.lease.take("ann", "c1", "she watches", core.moment())
        desk.tend()
        await place.turn()
    place.rig.desk.quote("BTC", 60_000, 60_010)
    await place.clock.sleep(0.01)


async def armed(place: Place) -> None:
    now_ns = place.clock.now_ns()
    candles = past_bars(SYMBOL, now_ns, MINUTE_NS, PAST_MINUTES, 0.0002)
    remember(place.rig, candles, past_bars(SYMBOL, now_ns, DAY_NS, PAST_DAYS, 0.02))
    assert (await place.arm()).state == "armed"
    await live(place, 75)


def test_an_armed_engine_lets_a_first_small_order_through_its_corridor(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        await armed(place)
        corridor = place.engine.handlers.corridor
        assert corridor is not None
        state = await corridor.open(Ask(step=Step.PREFLIGHT, operator="ann", form={**FORM, "symbol": SYMBOL}))
        assert state.status == "preflight_passed" and not state.reasons, state
        for step in (*UP_TO_GATE, Step.SUBMIT):
            await live(place, 2)
            word = {Step.APPROVE: "APPROVE", Step.GATE: "GATE", Step.SUBMIT: "SUBMIT"}.get(step, "")
            state = await corridor.act(state.session_id, Ask(step=step, operator="ann", confirm=word))
            assert not state.reasons, state
        assert state.status == "submitted" and len(place.rig.desk.user.live) == 1

    in_place(tmp_path, scene, **ALLOWED)


def test_a_session_of_an_armed_engine_judges_by_the_same_facts(tmp_path: Path) -> None:
    async def scene(place: Place) -> None:
        await armed(place)
        start = PaperStart(strategies=("ema_cross",), symbols=(SYMBOL,), feed="exchange", is_supervised=True)
        session = place.engine.desk.start_paper(start, "ann", "R-1").session
        await live(place, 3)
        form = {**FORM, "symbol": SYMBOL}
        verdict = session.judge(by_hand(form, session, "H-1", place.engine.core.config_fingerprint))
        assert verdict.reasons == (), verdict.reasons
        place.rig.exchange.candles.past_days("BTC", [])
        watch = place.engine.core.market
        assert watch is not None
        watch._sets.pop((SYMBOL, "1d"))
        watch._days.clear()
        verdict = session.judge(by_hand(form, session, "H-2", place.engine.core.config_fingerprint))
        assert "volatility_missing" in verdict.reasons
        await place.engine.desk.close()

    in_place(tmp_path, scene, **ALLOWED)
