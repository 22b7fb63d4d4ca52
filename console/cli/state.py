"""`interlock state`: the end of a run or session as a file from which another starts; no engine is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import state
from engine.api.home import home_folder

app = typer.Typer(help="Init states: export, import, list, show.")
COLUMNS = ("name", "source", "strategies", "symbols", "last_bar", "equity", "positions", "state_sha256")
HIDDEN = ("kernel_state",)
Strategy = Annotated[str, typer.Option("--strategy", help="The strategy's file, where no name loads it.")]


@app.callback()
def room() -> None:
    """Carry positions, balance and a strategy's memory from one run or session to the next.

    Example: interlock state list
    """


@app.command("export")
def export_state(
    subject: Annotated[str, typer.Argument(help="A run, or a paper session that has ended.")],
    out: Annotated[Path | None, typer.Option("--out", help="The file to write.")] = None,
    data: Annotated[str, typer.Option("--data", help="The record's bars, where they are not found.")] = "",
    strategy: Strategy = "",
    as_json: Json = False,
) -> None:
    """Make a run or session again, compare it with its record, and write what it knew at its end.

    Example: interlock state export 20260101_120000_run_ab12cd3 --out state.json
    """
    with failures():
        row = state.export_state(
            home_folder(),
            subject,
            out,
            data=data,
            strategy=strategy,
            on_progress=lambda done, total: diagnostics.progress(done, total, "bars"),
        )
    output.show({"state": row}, output.facts(row), as_json)


@app.command("import")
def import_states(
    files: Annotated[list[Path], typer.Argument(help="Files that `state export` wrote.")],
    name: Annotated[str, typer.Option("--name", help="What to call it; one file only.")] = "",
    strategy: Strategy = "",
    replaces: Annotated[bool, typer.Option("--replace", help="Replace another state of this name.")] = False,
    as_json: Json = False,
) -> None:
    """Check states against this build and take them in; what is refused changes nothing.

    Example: interlock state import state.json --name btc-live
    """
    rows = []
    with failures():
        if name and len(files) > 1:
            raise ValueError(f"{len(files)} files cannot all be called {name}")
        for path in files:
            rows.append(state.import_state(home_folder(), path, name, strategy=strategy, replaces=replaces))
    output.show({"states": rows}, output.table(rows, ("is_new", *COLUMNS), "nothing"), as_json)


@app.command("ls", hidden=True)
@app.command("list")
def list_states(as_json: Json = False) -> None:
    """List the imported states.

    Example: interlock state list --json
    """
    rows = state.list_states(home_folder())
    output.show({"states": rows}, output.table(rows, COLUMNS, "no imported states"), as_json)


@app.command()
def show(
    where: Annotated[str, typer.Argument(metavar="STATE", help="A file, or the name of an imported state.")],
    as_json: Json = False,
) -> None:
    """Show what a state holds and where it comes from.

    Example: interlock state show state.json
    """
    with failures():
        found = output.record(state.show_state(home_folder(), where))
    shown = {key: value for key, value in found.items() if key not in HIDDEN}
    output.show({"state": shown}, output.facts(shown), as_json)
