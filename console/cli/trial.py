"""`interlock simulate` and `backtest`: try things out; nothing is ever sent."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import facade, output
from console.cli.assumptions import with_switches
from console.cli.failure import Failure
from console.cli.options import Json
from engine.api.switches import GENERATED

LOCAL = "engine.api.local"
TICK_COLUMNS = ("number", "price", "action", "direction", "confidence", "notional_usd")
ITERATION_COLUMNS = ("number", "seed", "final_equity", "max_drawdown", "trades", "win_rate", "sharpe",
                     "avg_confidence", "funding_usd")  # fmt: skip


@with_switches(GENERATED)
def simulate(
    steps: Annotated[
        int, typer.Option("--steps", envvar="AQTS_STEPS", min=1, max=100_000, help="How many bars.")
    ] = 25,
    scenario: Annotated[
        str, typer.Option("--scenario", help="bull, bear, sideways, flash-crash, ...")
    ] = "bull",
    seed: Annotated[int, typer.Option("--seed", help="The market's seed.")] = 1,
    as_json: Json = False,
    assumed: dict[str, object] | None = None,
) -> None:
    """Step a strategy over a generated market and show each tick: price, action, signal.

    Example: interlock simulate --scenario bear --seed 7 --json
    """
    run = facade.function(LOCAL, "run_simulation")
    try:
        made = output.record(run(steps=steps, scenario=scenario, seed=seed, assumed=assumed or {}))
    except ValueError as unknown:
        raise Failure("invalid_request", str(unknown), "see --help") from unknown
    ticks = output.records(made["ticks"])
    summary = {name: value for name, value in made.items() if name != "ticks"}
    text = output.table(ticks, TICK_COLUMNS, "no ticks") + "\n\n" + output.facts(summary)
    output.show({"simulation": made}, text, as_json)


@with_switches(GENERATED)
def backtest(
    iterations: Annotated[
        int,
        typer.Option("--iterations", envvar="AQTS_ITERATIONS", min=1, max=1_000, help="Markets."),
    ] = 5,
    steps: Annotated[
        int, typer.Option("--steps", envvar="AQTS_STEPS", min=1, max=100_000, help="Bars of each market.")
    ] = 1_440,
    scenario: Annotated[
        str, typer.Option("--scenario", help="bull, bear, sideways, crash, gap or funding-spike.")
    ] = "bull",
    seed: Annotated[int, typer.Option("--seed", help="The first market's seed.")] = 1,
    as_json: Json = False,
    assumed: dict[str, object] | None = None,
) -> None:
    """Back-test a strategy on many generated markets of one scenario: a row each, mean and deviation.

    Example: interlock backtest --scenario bear --iterations 5 --seed 7 --json
    """
    run = facade.function(LOCAL, "run_scenarios")
    try:
        made = output.record(
            run(iterations=iterations, steps=steps, scenario=scenario, seed=seed, assumed=assumed or {})
        )
    except ValueError as unknown:
        raise Failure("invalid_request", str(unknown), "see --help for the scenarios") from unknown
    rows = output.records(made["iterations"])
    summary = [{"over all": name, **output.record(made[name])} for name in ("mean", "deviation")]
    text = output.table(rows, ITERATION_COLUMNS, "no iterations")
    text += "\n\n" + output.table(summary, ("over all", *output.record(made["mean"])), "")
    output.show({"backtest": made}, text, as_json)
