"""`interlock run`: research runs; they work with no engine."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, Sets, parameters
from engine.api import research
from engine.api.home import home_folder

app = typer.Typer(help="Research runs: start, list, show, best, compare.")
COLUMNS = ("run_id", "status", "trust", "strategy", "ticker", "interval", "total_return", "sharpe_simple",
           "max_drawdown", "trades")  # fmt: skip
CHECK_COLUMNS = ("name", "status", "points", "bars", "detail")
METRICS = ("sharpe_simple", "total_return", "max_drawdown", "trades")


@app.callback()
def room() -> None:
    """Start and look at research runs; no engine is needed.

    Example: interlock run list
    """


@app.command()
def start(
    data: Annotated[str, typer.Option("--data", help="A file, or VENUE/SYMBOL/INTERVAL of this home.")],
    strategy: Annotated[
        str, typer.Option("--strategy", help="A bundled strategy, or a file; a preset names its own.")
    ] = "",
    preset: Annotated[str, typer.Option("--preset", help="A preset of the strategy.")] = "",
    max_bars: Annotated[int, typer.Option("--max-bars", min=0, help="Only the first so many bars.")] = 0,
    sets: Sets = None,
    name: Annotated[str, typer.Option("--name", help="A name for people.")] = "",
    as_json: Json = False,
) -> None:
    """Run a strategy over a data window and write its evidence.

    Example: interlock run start --strategy ema_cross --data sandbox/BTC-PERP/1m --set fast=9
    """

    def progress(done: int, total: int) -> None:
        diagnostics.progress(done, total, "bars")

    fields = {
        "strategy": strategy,
        "preset": preset,
        "data": data,
        "params": parameters(sets),
        "max_bars": max_bars,
        "name": name,
        "command": "interlock run start",
    }
    home = home_folder()
    with failures():
        loaded = research.load_config_with_origins(home)
        result = research.start_run(research.run_request(fields), home, loaded=loaded, on_progress=progress)
    text = f"{output.facts(result)}\n\n{output.table(result.checks, CHECK_COLUMNS, 'no checks')}"
    output.show({"run": result}, text, as_json)


@app.command("ls", hidden=True)
@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List runs, newest first.

    Example: interlock run list --json
    """
    found = research.list_runs(home_folder())
    rows = found.runs[:limit]
    text = output.table(rows, COLUMNS, "no runs yet")
    if found.excluded:
        diagnostics.say(f"{len(found.excluded)} damaged or foreign folders are left out (see --json)")
    output.show({"runs": rows, "excluded": found.excluded}, text, as_json)


@app.command()
def show(run_id: str, as_json: Json = False) -> None:
    """Show one run: metrics, configuration and artifacts.

    Example: interlock run show 20260101-120000-ab12cd
    """
    with failures():
        detail = research.show_run(home_folder(), run_id)
    text = f"{output.facts(detail.row)}\n\n{output.facts(detail.metrics)}"
    output.show({"run": detail}, text, as_json)


@app.command()
def best(
    metric: Annotated[str, typer.Option("--metric", help=f"One of {', '.join(METRICS)}.")] = METRICS[0],
    as_json: Json = False,
) -> None:
    """Show the run with the best value of a metric (the smallest, for drawdown).

    Example: interlock run best --metric total_return
    """
    if metric not in METRICS:
        raise Failure("bad_parameter", f"there is no metric {metric!r}", f"use one of {', '.join(METRICS)}")
    row = research.best_run(home_folder(), metric)
    if row is None:
        raise Failure("no_runs", f"no run has a {metric}", "start one with `interlock run start`")
    output.show({"metric": metric, "run": row}, output.facts(row), as_json)


@app.command()
def compare(run_ids: list[str], as_json: Json = False) -> None:
    """Put runs side by side.

    Example: interlock run compare RUN_A RUN_B
    """
    with failures():
        found = research.compare_runs(home_folder(), tuple(run_ids))
    rows = [
        {"metric": name, **dict(zip(found.run_ids, values, strict=True))}
        for name, values in found.metrics.items()
    ]
    text = output.table(rows, ("metric", *found.run_ids), "no run has metrics")
    if found.contract != "same":
        diagnostics.say(f"these runs do not compare: they differ in {', '.join(found.mixed_keys)}")
    output.show({"comparison": found}, text, as_json)
