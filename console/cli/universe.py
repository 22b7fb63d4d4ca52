"""`interlock data universe`: which markets could have been traded on a date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, instant
from engine.api import data
from engine.api.home import home_folder
from seams.clock import iso_z

if TYPE_CHECKING:
    from engine.market.universe import History

app = typer.Typer(help="Markets of a date, dead ones too: import, derive, list, top.")
TOP_COLUMNS = ("rank", "symbol", "value_per_day", "bars")
LISTING_COLUMNS = ("symbol", "listed", "delisted")

Venue = Annotated[str, typer.Option("--venue", help="The venue.")]
Interval = Annotated[str, typer.Option("--interval", help="Of the stored bars to rank by.")]


@app.callback()
def room() -> None:
    """Which markets a venue listed, and the largest of a date without looking past it.

    Example: interlock data universe list --venue binance
    """


@app.command("import")
def import_history(
    file: Annotated[Path, typer.Argument(help="CSV with symbol, listed, delisted (empty while traded).")],
    venue: Venue,
    as_json: Json = False,
) -> None:
    """Keep a venue's history of listings.

    Example: interlock data universe import listings.csv --venue binance
    """
    if not file.is_file():
        raise Failure("not_found", f"there is no file {file}", "check the path")
    with failures():
        _show(data.import_history(home_folder(), file, venue), as_json)


@app.command()
def derive(venue: Venue, interval: Interval = "1h", as_json: Json = False) -> None:
    """Tell the history of listings from stored bars: first bar to last movement.

    Example: interlock data universe derive --venue binance --interval 1h
    """
    with failures():
        _show(data.derive_history(home_folder(), venue, interval), as_json)


@app.command("list")
def list_history(venue: Venue, as_json: Json = False) -> None:
    """List what is known of a venue's listings.

    Example: interlock data universe list --venue binance
    """
    with failures():
        _show(data.market_history(home_folder(), venue), as_json)


@app.command()
def top(
    count: Annotated[int, typer.Argument(min=1, help="How many.")],
    venue: Venue,
    at: Annotated[str, typer.Option("--at", help="The date, or a UTC time; nothing after it is read.")],
    interval: Interval = "1h",
    days: Annotated[int, typer.Option("--days", min=1, help="Rank by the value traded over so many.")] = 30,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="Not this symbol; repeat.")] = None,
    as_json: Json = False,
) -> None:
    """Rank the markets that could be traded on a date, those that died later among them.

    Example: interlock data universe top 10 --venue binance --at 2022-10-01
    """
    with failures():
        found = data.market_universe(
            home_folder(), venue, interval, count, instant(at), days, tuple(exclude or ())
        )
    left = "\n".join(f"{symbol}: {why}" for symbol, why in found.left_out.items())
    text = output.table(found.top, TOP_COLUMNS, "no market could be traded then")
    output.show({"universe": found}, f"{text}\n\nleft out\n{left or 'none'}", as_json)


def _show(history: History, as_json: bool) -> None:
    rows = [
        {
            "symbol": each.symbol,
            "listed": iso_z(each.listed_ns),
            "delisted": iso_z(each.delisted_ns) if each.delisted_ns is not None else None,
        }
        for each in history.listings
    ]
    output.show({"history": history}, output.table(rows, LISTING_COLUMNS, "no listings"), as_json)
