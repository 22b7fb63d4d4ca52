"""One step returns its five parts, and a strategy that is stepped is the strategy that runs."""

from __future__ import annotations

from itertools import pairwise

from engine.research.simulate import START_NS, simulate
from engine.research.stepping import Step, Stepper
from native.intents import LaneSpec


def stepped(steps: int, seed: int = 3) -> list[Step]:
    lane = LaneSpec(symbol="BTC-PERP", strategy="ema_cross", params={"fast": 9, "slow": 21})
    stepper = Stepper(lane, scenario="bull", seed=seed, start_ns=START_NS)
    return [stepper.step() for _ in range(steps)]


def test_a_step_has_its_five_parts_and_what_is_asked_for_is_executed_next() -> None:
    steps = stepped(400)
    assert [step.number for step in steps] == list(range(1, 401))
    assert all(a.raw.close_ns <= b.raw.open_ns for a, b in pairwise(steps))
    executed = [step for step in steps if step.events]
    assert len(executed) > 3
    assert steps[-1].performance.trades > 0
    assert all(0.0 <= step.performance.drawdown < 1.0 for step in steps)
    assert "ema_fast" in steps[-1].decision and "atr" in steps[-1].decision


def test_stepping_sees_the_market_that_simulate_sees_and_the_same_seed_the_same_steps() -> None:
    told = simulate(steps=30, scenario="bull", seed=3)
    prices = [step.raw.close for step in stepped(150)][120:]
    assert [tick.price for tick in told.ticks] == prices
    assert stepped(60) == stepped(60)
