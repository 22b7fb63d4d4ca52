"""`interlock strategy`: what can be run, and with which parameters; no engine is needed."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import output
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import strategies

app = typer.Typer(help="Strategies: list, show with parameters and presets.")
PARAMS = ("name", "default", "low", "high", "choices", "meaning")
PRESETS = ("name", "params", "meaning")


@app.callback()
def room() -> None:
    """See what can be run, and with which parameters.

    Example: interlock strategy ls
    """


@app.command("list", hidden=True)
@app.command("ls")
def list_all(as_json: Json = False) -> None:
    """List bundled strategies, then installed ones; your own is a file, named where it is run.

    Example: interlock strategy ls --json
    """
    with failures():
        rows = strategies.list_strategies()
    shown = [
        {
            "name": row.name,
            "runs": row.runs,
            "presets": [each.name for each in row.presets],
            "meaning": row.meaning,
        }
        for row in rows
    ]
    text = output.table(shown, ("name", "runs", "presets", "meaning"), "no strategies")
    output.show({"strategies": rows}, text, as_json)


@app.command()
def show(
    strategy: Annotated[str, typer.Argument(help="A name, FILE.py or FILE.py:Class.")],
    as_json: Json = False,
) -> None:
    """Show one strategy: what it does, its parameters with bounds, its presets.

    Example: interlock strategy show ema_cross
    """
    with failures():
        row = strategies.show_strategy(strategy)
    parts = [
        f"{row.name}, {row.runs}: {row.meaning}" if row.meaning else f"{row.name}, {row.runs}",
        output.table(row.params, PARAMS, "no parameters"),
    ]
    if row.presets:
        parts.append(f"presets (--preset NAME)\n{output.table(row.presets, PRESETS, '')}")
    if row.file:
        parts.append(f"source  {output.cell(row.file, output.MAX_FACT)}")
    output.show({"strategy": row}, "\n\n".join(parts), as_json)
