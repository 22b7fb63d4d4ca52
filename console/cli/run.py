"""`interlock run`: research runs; they work with no engine."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
import typer

from console.cli import diagnostics, facade, output
from console.cli.failure import Failure
from console.cli.options import Json, Sets, parameters
from engine.api.home import home_folder
from engine.api.views import RunDetail, RunRow

app = typer.Typer(help="Research runs: start, list, show, best, compare.")
T = TypeVar("T")
RESEARCH = "engine.api.research"
COLUMNS = ("run_id", "status", "strategy", "ticker", "interval", "total_return", "sharpe_simple",
           "max_drawdown", "trades")  # fmt: skip
METRICS = ("sharpe_simple", "total_return", "max_drawdown", "trades")


@app.callback()
def room() -> None:
    """Start and look at research runs; no engine is needed.

    Example: interlock run list
    """


@app.command()
def start(
    strategy: Annotated[str, typer.Option("--strategy", help="A bundled strategy, or a file.")],
    data: Annotated[str, typer.Option("--data", help="A file, or VENUE/SYMBOL/INTERVAL of this home.")],
    preset: Annotated[str, typer.Option("--preset", help="A preset of the strategy.")] = "",
    sets: Sets = None,
    name: Annotated[str, typer.Option("--name", help="A name for people.")] = "",
    as_json: Json = False,
) -> None:
    """Run a strategy over a data window and write its evidence.

    Example: interlock run start --strategy ema_cross --data sandbox/BTC-PERP/1m --set fast=9
    """

    def progress(done: int, total: int) -> None:
        diagnostics.progress(done, total, "bars")

    row = _call(
        "start_run",
        RunRow,
        strategy=strategy,
        preset=preset,
        data=data,
        params=parameters(sets),
        name=name,
        progress=progress,
    )
    output.show({"run": row}, output.facts(row), as_json)
    if row.status == "failed":
        raise typer.Exit(1)


@app.command("ls", hidden=True)
@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List runs, newest first.

    Example: interlock run list --json
    """
    rows = _call("list_runs", tuple[RunRow, ...])[:limit]
    output.show({"runs": rows}, output.table(rows, COLUMNS, "no runs yet"), as_json)


@app.command()
def show(run_id: str, as_json: Json = False) -> None:
    """Show one run: metrics, configuration and artifacts.

    Example: interlock run show 20260101-120000-ab12cd
    """
    detail = _call("show_run", RunDetail, run_id=run_id)
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
    row = best_of(_call("list_runs", tuple[RunRow, ...]), metric)
    if row is None:
        raise Failure("no_runs", f"no run has a {metric}", "start one with `interlock run start`")
    output.show({"metric": metric, "run": row}, output.facts(row), as_json)


@app.command()
def compare(run_ids: list[str], as_json: Json = False) -> None:
    """Put runs side by side.

    Example: interlock run compare RUN_A RUN_B
    """
    details = [_call("show_run", RunDetail, run_id=run_id) for run_id in run_ids]
    rows = [detail.row for detail in details]
    payload = {"runs": rows, "metrics": {detail.row.run_id: detail.metrics for detail in details}}
    output.show(payload, output.table(rows, COLUMNS, "no runs"), as_json)


def best_of(rows: tuple[RunRow, ...], metric: str) -> RunRow | None:
    """Return the row with the best metric; ties go to the first listed."""
    sign = -1.0 if metric == "max_drawdown" else 1.0
    scored = [(sign * float(value), row) for row in rows if (value := getattr(row, metric)) is not None]
    return max(scored, key=lambda pair: pair[0])[1] if scored else None


def _call(name: str, kind: type[T], /, **arguments: object) -> T:
    """Call the research façade on this home. Raises `Failure` for what it refuses."""
    function = facade.function(RESEARCH, name)
    try:
        return msgspec.convert(function(home_folder(), **arguments), kind)
    except (KeyError, FileNotFoundError) as missing:
        raise Failure(
            "not_found", f"not found: {missing}", "see `interlock run list`, `data list`"
        ) from missing
    except ValueError as wrong:
        raise Failure("bad_parameter", str(wrong), "see `interlock run start --help`") from wrong
