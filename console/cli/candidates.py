"""`interlock run candidates`: keep runs in mind, shortlist them, hold them against one baseline."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import output
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import research
from engine.api.home import home_folder

app = typer.Typer(help="Candidates, shortlist and baseline.")
COLUMNS = ("run_id", "state", "is_baseline", "shortlisted", "trust", "strategy", "total_return",
           "sharpe_simple", "max_drawdown", "note")  # fmt: skip


@app.callback()
def room() -> None:
    """Keep runs in mind.

    Example: interlock run candidates ls
    """


@app.command()
def ls(as_json: Json = False) -> None:
    """List the baseline and the candidates; a run that is gone is shown as missing.

    Example: interlock run candidates ls --json
    """
    with failures():
        rows = research.list_candidates(home_folder())
    output.show({"candidates": rows}, output.table(rows, COLUMNS, "no candidates yet"), as_json)


@app.command()
def add(
    run_id: str, note: Annotated[str, typer.Option("--note", help="Why.")] = "", as_json: Json = False
) -> None:
    """Add a run to the candidates, or change its note.

    Example: interlock run candidates add 20260101_120000_run_ab12cd3 --note "steady"
    """
    with failures():
        store = research.add_candidate(home_folder(), run_id, note)
    _show(store, as_json)


@app.command()
def remove(run_id: str, as_json: Json = False) -> None:
    """Take a run off the candidates; the run itself stays.

    Example: interlock run candidates remove 20260101_120000_run_ab12cd3
    """
    with failures():
        store = research.remove_candidate(home_folder(), run_id)
    _show(store, as_json)


@app.command()
def shortlist(
    run_id: str,
    off: Annotated[bool, typer.Option("--off", help="Take it off.")] = False,
    as_json: Json = False,
) -> None:
    """Put a candidate on the shortlist.

    Example: interlock run candidates shortlist 20260101_120000_run_ab12cd3
    """
    with failures():
        store = research.shortlist_candidate(home_folder(), run_id, not off)
    _show(store, as_json)


@app.command()
def baseline(
    run_id: Annotated[str, typer.Argument(help="The run; empty for none.")] = "", as_json: Json = False
) -> None:
    """Make a run the one that others are held against; without a run, have none.

    Example: interlock run candidates baseline 20260101_120000_run_ab12cd3
    """
    with failures():
        store = research.set_baseline(home_folder(), run_id or None)
    _show(store, as_json)


def _show(store: object, as_json: bool) -> None:
    output.show({"store": store}, output.facts(store), as_json)
