"""An order at a real venue's environment is judged on facts that were really gathered, by every rule.

The engine says `testnet`, the double stands for the venue. Nothing is inserted: quotes come over the stream,
minutes and days over REST, margin from the venue's own tables. What is missing or stale refuses, by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.api.corridor import SessionState, Step
from engine.corridor.case import Ask
from engine.trading.custody import Verdict
from safety.facts import CheckResult
from safety.reasons import REASONS, Refusal
from tests.corridor.real_place import DAY_NS, MINUTE_NS, RealHall, in_real_hall, past_bars, remember
from tests.corridor.stages import STAGES, HyperliquidStage, KrakenStage
from venues.sandbox.programs import Strike

Stage = HyperliquidStage | KrakenStage
both = pytest.mark.parametrize("venue", sorted(STAGES))
NOT_AT_SPOT = {"margin_use_exceeded", "liquidation_too_near"}
"""Rules that do not apply where nothing is borrowed."""
CANDLES = {"hyperliquid": "candleSnapshot", "kraken": "OHLC"}


def checks(hall: RealHall, state: SessionState) -> dict[str, Any]:
    found = hall.artifact(state.session_id, "preflight")["body"]["local_preflight"]["checks"]
    return {each["name"]: each for each in found}


@both
def test_every_rule_is_judged_on_gathered_facts_and_the_order_goes_the_whole_way(
    venue: str, tmp_path: Path
) -> None:
    async def scene(hall: RealHall) -> None:
        state = await hall.opened()
        assert state.status == "preflight_passed" and not state.reasons, state
        found = checks(hall, state)
        not_judged = {name for name, each in found.items() if each["result"] == CheckResult.NOT_APPLICABLE}
        assert not_judged == (NOT_AT_SPOT if venue == "kraken" else set())
        assert not [name for name, each in found.items() if each["now"] in ("unknown", "absent")] or (
            not_judged == NOT_AT_SPOT
        )
        told = hall.artifact(state.session_id, "preflight")["body"]["market_facts"]
        assert told["candles"]["1m"]["known"] == 20 and told["candles"]["1m"]["gathered_from"]["rest"] > 0
        assert told["candles"]["1d"]["known"] == 91 and told["candles"]["1d"]["gathered_from"] == {"rest": 91}
        for step in (Step.READINESS, Step.PREPARE, Step.APPROVE, Step.BUNDLE, Step.GATE):
            said = await hall.do(state.session_id, step)
            assert not said.reasons, said
        gate = hall.artifact(state.session_id, "submit_gate")["body"]["conditions"]
        assert [each["said"] for each in gate if each["code"] == "checks_failed"] == [
            f"{len(found)} rules judged, 0 refuse"
        ]
        assert (await hall.do(state.session_id, Step.SUBMIT)).status == "submitted"
        assert len(hall.stage.placed()) == 1

    in_real_hall(venue, tmp_path, scene)


@both
def test_the_figures_are_the_venues_own(venue: str, tmp_path: Path) -> None:
    """Volatility and range are computed here anew from the past that the double was given."""

    async def scene(hall: RealHall) -> None:
        days = past_bars(hall.stage.symbol, hall.stage.clock.now_ns(), DAY_NS, 120, 0.02)[-91:]
        returns = sorted(abs(math.log(b.close / a.close)) for a, b in pairwise(days))
        place = 0.9 * (len(returns) - 1)
        low = math.floor(place)
        p90 = returns[low] + (returns[low + 1] - returns[low]) * (place - low)
        ranges = [max(b.high, a.close) - min(b.low, a.close) for a, b in pairwise(days[-15:])]
        watch = hall.house.custody.core.market
        assert watch is not None
        facts = watch.facts(hall.stage.symbol)
        assert facts.volatility_days == 90 and facts.gap_bars == 0
        assert float(facts.p90_volatility or 0) == pytest.approx(p90, abs=1e-9)
        assert float(facts.atr or 0) == pytest.approx(math.fsum(ranges) / 14, rel=1e-12)
        assert facts.unchanged_ms is not None and facts.unchanged_ms <= 1_000
        assert facts.window_low is not None and facts.window_high is not None
        assert facts.window_low <= 60_005 <= facts.window_high
        if venue == "hyperliquid":
            state = await hall.opened()
            used = checks(hall, state)["margin_use_exceeded"]
            cash = 10_000
            assert float(used["after"]) == pytest.approx(0.001 * 60_005.5 / 80 / cash, abs=6e-5), "40x: 1/80"

    in_real_hall(venue, tmp_path, scene)


def no_candles(stage: Stage) -> None:
    for nth in range(1, 400):
        stage.strike(Strike.STATUS_WITHOUT_APPLY, on=CANDLES[stage.name], nth=nth, value=502)


def few_days(stage: Stage) -> None:
    now_ns = stage.clock.now_ns()
    minutes = past_bars(stage.symbol, now_ns, MINUTE_NS, 40, 0.0002)
    remember(stage, minutes, past_bars(stage.symbol, now_ns, DAY_NS, 20, 0.02))


def old_days(stage: Stage) -> None:
    now_ns = stage.clock.now_ns()
    minutes = past_bars(stage.symbol, now_ns, MINUTE_NS, 40, 0.0002)
    remember(stage, minutes, past_bars(stage.symbol, now_ns, DAY_NS, 120, 0.02)[:-5])


def holes(stage: Stage) -> None:
    """Five minutes are missing at the venue itself."""
    now_ns = stage.clock.now_ns()
    minutes = past_bars(stage.symbol, now_ns, MINUTE_NS, 40, 0.0002)
    remember(stage, minutes[:-12] + minutes[-7:], past_bars(stage.symbol, now_ns, DAY_NS, 120, 0.02))


VOLATILITY = {"volatility_missing", "volatility_exposure_exceeded"}
SPOILED: dict[str, tuple[Callable[[Stage], None], set[str]]] = {
    "no candle is answered": (no_candles, {"market_gap", "price_drift_exceeded", *VOLATILITY}),
    "too few days": (few_days, VOLATILITY),
    "days that are old": (old_days, VOLATILITY),
    "minutes are missing": (holes, {"market_gap"}),
}


@both
@pytest.mark.parametrize("what", sorted(SPOILED))
def test_a_past_that_is_not_known_refuses_by_name(venue: str, what: str, tmp_path: Path) -> None:
    spoil, codes = SPOILED[what]
    if (venue, what) == ("kraken", "days that are old"):
        pytest.skip(
            "Kraken tells a candle of the last close for a day without a trade: none is missing there"
        )

    async def scene(hall: RealHall) -> None:
        state = await hall.opened()
        needs_range = venue == "hyperliquid" and spoil in (no_candles, old_days)
        assert set(state.reasons) == codes | ({"liquidation_too_near"} if needs_range else set()), state
        assert state.status == "preflight_refused"
        told = hall.artifact(state.session_id, "preflight")["body"]
        assert {code: REASONS[code].correction for code in state.reasons} == told["corrections"]
        if spoil is no_candles:
            assert "did not answer" in told["market_facts"]["candles"]["1d"]["problem"]
        with pytest.raises(Refusal, match="step_out_of_order"):
            await hall.do(state.session_id, Step.READINESS)
        assert hall.stage.arrived() == []

    in_real_hall(venue, tmp_path, scene, spoil)


@both
def test_a_silent_market_closes_the_gate_and_the_submit(venue: str, tmp_path: Path) -> None:
    async def scene(hall: RealHall) -> None:
        session_id = await hall.at_gate()
        await hall.live(20, is_quoted=False)
        core = hall.house.custody.core
        core.lease.take("ann", "c1", "she watches", core.moment())
        with pytest.raises(Refusal, match="gate_closed") as refused:
            await hall.desk.act(session_id, Ask(step=Step.SUBMIT, operator="ann", confirm="SUBMIT"))
        assert "market_data_stale" in str(refused.value) and "price_drift_exceeded" in str(refused.value)
        assert hall.stage.arrived() == [] and hall.stage.placed() == []
        await hall.live(70)
        assert (await hall.opened()).status == "preflight_passed", "heard again, and the minute is whole"

    in_real_hall(venue, tmp_path, scene)


@both
def test_a_frozen_market_and_one_that_runs_refuse(venue: str, tmp_path: Path) -> None:
    async def scene(hall: RealHall) -> None:
        await hall.live(70, is_still=True)
        state = await hall.opened()
        assert "market_frozen" in state.reasons, state
        hall.bid = 62_200
        await hall.live(30)
        ran = await hall.opened(limit_price="62100", stop_loss="61000")
        assert "price_drift_exceeded" in ran.reasons and "market_frozen" not in ran.reasons, ran
        assert checks(hall, ran)["price_drift_exceeded"]["now"] != "unknown"
        await hall.live(370)
        calm = await hall.opened(limit_price="62100", stop_loss="61000")
        assert calm.status == "preflight_passed", calm

    in_real_hall(venue, tmp_path, scene)


@both
def test_a_new_engine_gathers_anew_and_what_is_held_counts(venue: str, tmp_path: Path) -> None:
    async def scene(hall: RealHall) -> None:
        session_id = await hall.at_gate(limit_price="60020", stop_loss="59000")
        assert (await hall.do(session_id, Step.SUBMIT)).status in ("submitted", "filled")
        await hall.live(70)
        assert hall.house.custody.verdict is Verdict.CLEAN, hall.house.custody.differences
        mark = hall.house.custody.ledger.holding(hall.stage.symbol).mark_price
        assert mark in (60_005, 60_006), "valued by the market, though no session runs"
        assert (await hall.opened(quantity="0.0005")).status == "preflight_passed"
        await hall.restart()
        state = await hall.opened(quantity="0.0006")
        assert {"volatility_missing", "market_gap"} <= set(state.reasons), state
        await hall.live(75)
        state = await hall.opened(quantity="0.0007")
        assert state.status == "preflight_passed", state
        exposure = checks(hall, state)["max_exposure_exceeded"]
        assert 55 < float(exposure["now"]) < 65, "the position of the engine before it"

    in_real_hall(venue, tmp_path, scene)


def test_a_margin_table_that_is_not_told_refuses(tmp_path: Path) -> None:
    async def scene(hall: RealHall) -> None:
        state = await hall.opened()
        assert set(state.reasons) == NOT_AT_SPOT, state

    def spoil(stage: Stage) -> None:
        text = '{"universe":[{"name":"BTC","szDecimals":5,"maxLeverage":40,"marginTableId":77}]}'
        stage.strike(Strike.SAY, on="meta", text=text)

    in_real_hall("hyperliquid", tmp_path, scene, spoil)
