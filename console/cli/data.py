"""`interlock data`: imported bars of this home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import data, research
from engine.api.home import home_folder
from seams.clock import iso_z

app = typer.Typer(help="Market data: import, check, resample, list.")
Partial = Literal["keep", "drop", "whole"]
COLUMNS = ("venue", "symbol", "interval", "rows", "first_at", "last_at", "content_sha256")


@app.callback()
def room() -> None:
    """Import bars and look at what this home has; no engine is needed.

    Example: interlock data list
    """


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with ts_ms, open, high, low, close, volume.")],
    series: Annotated[str, typer.Option("--as", help="VENUE/SYMBOL/INTERVAL, in one word.")] = "",
    venue: Annotated[str, typer.Option("--venue", help="The venue, where --as is not given.")] = "",
    symbol: Annotated[str, typer.Option("--symbol", help="The symbol, where --as is not given.")] = "",
    interval: Annotated[str, typer.Option("--interval", help="Such as 1m, where --as is not given.")] = "",
    as_json: Json = False,
) -> None:
    """Check a file of bars and keep it; nothing is kept from a file with a fault.

    Example: interlock data import btc.csv --as sandbox/BTC-PERP/1m
    """
    venue, symbol, interval = _parts(series or f"{venue}/{symbol}/{interval}")
    if not file.is_file():
        raise Failure("not_found", f"there is no file {file}", "check the path")
    with failures():
        report = research.import_data(file, venue, symbol, interval, home_folder())
    if not report.is_imported:
        found = "; ".join(
            f"{problem.code} at row {problem.row}: {problem.message}" for problem in report.problems[:3]
        )
        raise Failure("data_invalid", f"nothing was kept: {found}", "repair the file and import it again")
    output.show({"import": report}, output.facts(report), as_json)


@app.command("ls", hidden=True)
@app.command("list")
def list_data(as_json: Json = False) -> None:
    """List the series of this home.

    Example: interlock data list --json
    """
    sets = research.list_data(home_folder())
    rows = [
        {**output.record(found), "first_at": iso_z(found.first_ns), "last_at": iso_z(found.last_ns)}
        for found in sets
    ]
    output.show({"data": sets}, output.table(rows, COLUMNS, "no data imported"), as_json)


@app.command()
def resample(
    series: Annotated[str, typer.Argument(help="VENUE/SYMBOL/INTERVAL that is stored.")],
    to: Annotated[str, typer.Option("--to", help="The longer interval, a multiple, such as 1h.")],
    partial: Annotated[
        Partial, typer.Option("--partial", help="What stays of buckets that miss bars.")
    ] = "drop",
    may_replace: Annotated[
        bool, typer.Option("--replace", help="Replace an imported set of that interval.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make bars of a longer interval, as exchanges make them, and keep them beside the shorter ones.

    keep: every bucket with a bar. drop: not the first and last where the bars do not reach the edge.
    whole: none that misses a bar. Holes are counted, bars are never invented.

    Example: interlock data resample sandbox/BTC-PERP/1m --to 1h
    """
    venue, symbol, interval = _parts(series)
    with failures():
        info, report = data.resample_data(
            home_folder(), venue, symbol, interval, to, partial, may_replace=may_replace
        )
    text = f"{output.facts(info)}\n{output.facts(report)}"
    output.show({"resampled": info, "report": report}, text, as_json)


@app.command()
def coverage(series: str, as_json: Json = False) -> None:
    """Show from when to when a series reaches, and its gaps.

    Example: interlock data coverage sandbox/BTC-PERP/1m
    """
    with failures():
        found = research.data_coverage(home_folder(), *_parts(series))
    output.show({"coverage": found}, f"{output.facts(found)}\n{output.facts(found.gaps)}", as_json)


def _parts(series: str) -> tuple[str, str, str]:
    venue, symbol, interval, *rest = [*series.split("/"), "", ""]
    if any(rest) or not (venue and symbol and interval):
        raise Failure(
            "bad_parameter", f"{series!r} is not VENUE/SYMBOL/INTERVAL", "write sandbox/BTC-PERP/1m"
        )
    return venue, symbol, interval
