"""`interlock validate`: make a run again, stress it, and say what it is worth."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import output
from console.cli.exit_codes import ExitCode
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import research
from engine.api.home import home_folder

GATE_COLUMNS = ("name", "status", "found", "bound")
PARTS = ("costs", "monte_carlo", "concentration", "sensitivity")
FIRST = ("parameter", "value", "slippage_bps")


def validate(
    run_id: str,
    data: Annotated[
        str, typer.Option("--data", help="The run's file of bars; or a portfolio's folder.")
    ] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="The run's strategy file, if any.")] = "",
    walk: Annotated[str, typer.Option("--walkforward", help="A walk-forward on the same data.")] = "",
    iterations: Annotated[
        int, typer.Option("--mc-iterations", min=100, max=100_000, help="Resamples of the trades.")
    ] = 1_000,
    as_json: Json = False,
) -> None:
    """Stress a run: parameters, slippage, costs, trades, concentration; exit 1 where a gate fails.

    Example: interlock validate 20260101_120000_run_ab12cd3 --data bars.parquet
    """
    with failures():
        made = research.validate_run(
            home_folder(), run_id, data=data, strategy=strategy, walk_id=walk, iterations=iterations
        )
    found = output.record(made)
    parts = [f"{name.replace('_', ' ')}\n{_part(found[name])}" for name in PARTS]
    gates = output.table(output.records(found["gates"]), GATE_COLUMNS, "no gates")
    text = "\n\n".join([gates, *parts, f"verdict {found['verdict']}\n{found['path']}"])
    output.show({"validation": made}, text, as_json)
    if found["verdict"] == "failed":
        raise typer.Exit(ExitCode.REFUSED)


def _part(part: object) -> str:
    """Return one part's figures, and its rows as a table where it has any."""
    fields = output.record(part)
    rows = output.records(fields.pop("rows", ()))
    if not rows:
        return output.facts(fields)
    columns = sorted(rows[0], key=lambda name: (name not in FIRST, FIRST.index(name) if name in FIRST else 0))
    return f"{output.facts(fields)}\n{output.table(rows, columns, '')}"
