"""`interlock data funding`: funding rates of perpetual futures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import data
from engine.api.home import home_folder
from seams.clock import iso_z

if TYPE_CHECKING:
    from engine.market.funding import FundingInfo

app = typer.Typer(help="Funding rates: import, list.")
COLUMNS = ("venue", "symbol", "rows", "first_at", "last_at", "intervals_h", "missing", "content_sha256")


@app.callback()
def room() -> None:
    """Funding rates of perpetual futures; a positive rate is paid by longs to shorts.

    Example: interlock data funding list
    """


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A time and a funding rate (a fraction) for each payment.")],
    series: Annotated[str, typer.Option("--as", help="VENUE/SYMBOL; * as symbol takes all of a file.")],
    columns: Annotated[str, typer.Option("--columns", help="A file without names: time,rate.")] = "",
    as_json: Json = False,
) -> None:
    """Check a file of funding rates and keep it, whole or not at all.

    Example: interlock data funding import rates.csv --as binance/BTCUSDT
    """
    venue, symbol = _parts(series)
    if not file.is_file():
        raise Failure("not_found", f"there is no file {file}", "check the path")
    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    with failures():
        infos = data.import_funding(file, venue, symbol, home_folder(), data.FileShape(columns=names))
    output.show({"funding": infos}, _table(infos), as_json)


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """List the funding series of this home.

    Example: interlock data funding list
    """
    infos = data.list_funding(home_folder())
    output.show({"funding": infos}, _table(infos), as_json)


def _table(infos: Sequence[FundingInfo]) -> str:
    rows = [
        {**output.record(info), "first_at": iso_z(info.first_ns), "last_at": iso_z(info.last_ns)}
        for info in infos
    ]
    return output.table(rows, COLUMNS, "no funding imported")


def _parts(series: str) -> tuple[str, str]:
    venue, symbol, *rest = [*series.split("/"), ""]
    if any(rest) or not (venue and symbol):
        raise Failure("bad_parameter", f"{series!r} is not VENUE/SYMBOL", "write binance/BTCUSDT")
    return venue, symbol
