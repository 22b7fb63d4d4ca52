"""`interlock feed`: market data of the venues, kept and told by a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api.home import home_folder
from seams.clock import iso_z

if TYPE_CHECKING:
    from engine.feed.coverage import Coverage

app = typer.Typer(help="The feed: candles kept beyond the venues' cap, and the process that gathers them.")
VENUES = ("hyperliquid", "kraken")
COVERAGE = (
    "series",
    "bars",
    "first_at",
    "last_at",
    "missing_bars",
    "verified_gaps",
    "open_holes",
    "out_of_reach",
    "beyond_cap_bars",
    "behind_bars",
    "sources",
)
HOLES = ("first_at", "end_at", "missing_bars", "state", "answers")
Venue = Annotated[str, typer.Option("--venue", help="hyperliquid or kraken.")]


@app.callback()
def room() -> None:
    """Market data of the venues: what is kept, and the process that gathers it. No order leaves here.

    Example: interlock feed coverage
    """


@app.command()
def coverage(
    venue: Annotated[str, typer.Option("--venue", help="Only this venue's.")] = "",
    symbol: Annotated[str, typer.Option("--symbol", help="Only this symbol's, such as BTC-PERP.")] = "",
    interval: Annotated[str, typer.Option("--interval", help="Only this one, such as 1m.")] = "",
    as_json: Json = False,
) -> None:
    """Show which candles are kept: span, holes, what the venue itself does not know, what it forgot.

    A hole counts as verified once the venue, asked twice, knew no bar there; out_of_reach: it can no
    longer be asked. beyond_cap_bars are ours alone: older than what the venue still answers.

    Example: interlock feed coverage --venue kraken --json
    """
    from engine.api import feed

    with failures():
        found = feed.candle_coverage(home_folder(), venue, symbol, interval)
    rows = [_row(each) for each in found]
    text = output.table(rows, COVERAGE, "no candles are kept; fetch some with: interlock feed backfill")
    if len(found) == 1 and found[0].holes:
        holes = [
            {**output.record(hole), "first_at": iso_z(hole.first_ns), "end_at": iso_z(hole.end_ns)}
            for hole in found[0].holes
        ]
        text += "\n\nholes, newest last\n" + output.table(holes[-20:], HOLES, "")
    output.show({"coverage": found}, text, as_json)


def _row(found: Coverage) -> dict[str, object]:
    return {
        **output.record(found),
        "series": f"{found.venue}/{found.symbol}/{found.interval}",
        "first_at": iso_z(found.first_ns)[:16] + "Z",
        "last_at": iso_z(found.last_ns)[:16] + "Z",
    }


def demand_venue(venue: str) -> None:
    """Refuse a venue that has no feed."""
    if venue not in VENUES:
        raise Failure("bad_parameter", f"there is no feed of {venue!r}", f"one of: {', '.join(VENUES)}")
