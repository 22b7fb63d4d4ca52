"""`interlock data`: imported bars of this home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import facade, output
from console.cli.failure import Failure
from console.cli.options import Json
from engine.api.home import home_folder

app = typer.Typer(help="Market data: import, list, coverage.")
RESEARCH = "engine.api.research"
COLUMNS = ("venue", "symbol", "interval", "bars", "first_at", "last_at", "gaps", "sha256")


@app.callback()
def room() -> None:
    """Import bars and look at what this home has; no engine is needed.

    Example: interlock data list
    """


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with time, open, high, low, close, volume.")],
    series: Annotated[str, typer.Option("--as", help="VENUE/SYMBOL/INTERVAL.")],
    as_json: Json = False,
) -> None:
    """Check a file of bars and keep it; nothing is kept from a file with a fault.

    Example: interlock data import btc.csv --as sandbox/BTC-PERP/1m
    """
    if series.count("/") != 2:
        raise Failure(
            "bad_parameter", f"{series!r} is not VENUE/SYMBOL/INTERVAL", "write sandbox/BTC-PERP/1m"
        )
    if not file.is_file():
        raise Failure("not_found", f"there is no file {file}", "check the path")
    try:
        row = facade.function(RESEARCH, "import_data")(home_folder(), file=file, series=series)
    except ValueError as wrong:
        raise Failure("data_invalid", str(wrong), "repair the file and import it again") from wrong
    output.show({"data": row}, output.facts(row), as_json)


@app.command("ls", hidden=True)
@app.command("list")
def list_data(as_json: Json = False) -> None:
    """List the series of this home.

    Example: interlock data list --json
    """
    rows = output.records(facade.function(RESEARCH, "list_data")(home_folder()))
    output.show({"data": rows}, output.table(rows, COLUMNS, "no data imported"), as_json)


@app.command()
def coverage(series: str, as_json: Json = False) -> None:
    """Show from when to when a series reaches, and its gaps.

    Example: interlock data coverage sandbox/BTC-PERP/1m
    """
    try:
        report = facade.function(RESEARCH, "data_coverage")(home_folder(), series=series)
    except (KeyError, FileNotFoundError) as missing:
        raise Failure("not_found", f"no data for {series}", "see `interlock data list`") from missing
    output.show({"coverage": report}, output.facts(report), as_json)
