"""`interlock walkforward`: search on a window, judge on a later one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.assumptions import with_switches
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import (
    End,
    First,
    Funding,
    FundingFrom,
    FundingMarks,
    Json,
    MaxMissing,
    beside,
)
from engine.api import research
from engine.api.home import home_folder
from engine.api.switches import SEARCHED

COLUMNS = ("walk_id", "splits", "oos_return", "oos_max_drawdown", "positive_splits", "sharpe_change")
SPLIT_COLUMNS = ("name", "test", "config_id", "train_sharpe", "test_sharpe", "test_return", "test_trades")

app = typer.Typer(help="Walk-forward: search on a window, judge on a later one.")


@app.callback()
def room() -> None:
    """Search on a window, judge on a later one.

    Example: interlock walkforward start walk.yaml
    """


@app.command()
@with_switches(SEARCHED)
def start(
    file: Annotated[Path, typer.Argument(help="YAML: a sweep, and splits, selection, constraints.")],
    first: First = "",
    end: End = "",
    has_funding: Funding = False,
    funding_from: FundingFrom = "",
    funding_marks: FundingMarks = "",
    max_missing: MaxMissing = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Threads.")] = 2,
    as_json: Json = False,
    assumed: dict[str, object] | None = None,
) -> None:
    """Walk a strategy forward and write its evidence to outputs/walkforward; options win over the file.

    Example: interlock walkforward start walk.yaml --workers 2
    """

    def progress(done: int, total: int) -> None:
        diagnostics.progress(done, total, "splits")

    try:
        text = file.read_bytes()
    except OSError as error:
        raise Failure("not_found", f"{file}: {error.strerror}", "name a readable YAML file") from error
    with failures():
        given = beside(has_funding, funding_from, funding_marks, max_missing, first, end)
        changes = {**given, **(assumed or {})}
        result = research.walk_forward(text, home_folder(), changes, workers=workers, on_progress=progress)
    output.show({"walkforward": result}, output.facts(result), as_json)


@app.command("list", hidden=True)
@app.command("ls")
def list_walks(as_json: Json = False) -> None:
    """List walk-forwards, newest first.

    Example: interlock walkforward ls
    """
    with failures():
        rows = research.list_walks(home_folder())
    output.show({"walkforwards": rows}, output.table(rows, COLUMNS, "no walk-forward yet"), as_json)


@app.command()
def show(walk_id: str, as_json: Json = False) -> None:
    """Show one walk-forward split by split.

    Example: interlock walkforward show 20260101_120000_walkforward_ab12cd3
    """
    with failures():
        found = research.show_walk(home_folder(), walk_id)
    text = f"{output.facts(found.row)}\n\n{output.table(found.splits, SPLIT_COLUMNS, 'no splits')}"
    output.show({"walkforward": found}, text, as_json)
