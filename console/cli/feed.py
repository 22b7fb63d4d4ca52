"""`interlock feed`: market data of the venues, kept and told by a process of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli import diagnostics, output
from console.cli.failure import Failure
from console.cli.guard import coded_failures, failures
from console.cli.options import Json, instant
from engine.api.home import home_folder
from seams.clock import iso_z

if TYPE_CHECKING:
    from engine.feed.coverage import Coverage
    from engine.feed.messages import FeedHealth

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
STATUS = (
    "venue",
    "state",
    "pid",
    "is_on_bus",
    "events",
    "breaks",
    "dropped",
    "mids_age_ms",
    "candle_age_ms",
    "filled",
    "series",
    "problem",
)
SYMBOLS = ("venue", "symbol", "bid", "ask", "top_age_ms", "book_age_ms", "trades", "is_stale")
BARS = ("at", "open", "high", "low", "close", "volume")
FILLED = ("series", "requests", "added", "same", "revised", "refused", "is_whole")
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


@app.command()
def backfill(
    venue: Venue,
    symbol: Annotated[str, typer.Option("--symbol", help="Only this one, such as BTC-PERP.")] = "",
    interval: Annotated[str, typer.Option("--interval", help="Only this one, such as 1m.")] = "",
    since: Annotated[str, typer.Option("--since", help="Not before this date or UTC time.")] = "",
    as_json: Json = False,
) -> None:
    """Fetch the candles that are missing, as far back as the venue answers, and verify what it lacks.

    A hole is asked about again after ten seconds before it is called a gap. A running feed of the venue
    does this by itself; then this command is refused.

    Example: interlock feed backfill --venue hyperliquid --symbol BTC-PERP --interval 1m
    """
    from engine.api import feed

    demand_venue(venue)
    from_ns = instant(since) if since else None

    def told(series: str, done: int, total: int) -> None:
        diagnostics.progress(done, total, f"{series}: pages answered")

    with failures():
        found = asyncio.run(feed.backfill_candles(home_folder(), venue, symbol, interval, from_ns, told))
    rows = [{**output.record(each), **output.record(each.merge)} for each in found]
    text = output.table(rows, FILLED, "nothing was asked for")
    output.show({"backfill": found}, text, as_json)


@app.command()
def candles(
    series: Annotated[str, typer.Argument(help="VENUE/SYMBOL/INTERVAL, such as kraken/BTC-USD/1m.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many of the newest.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the newest closed candles, from the store, else asked for; and where they came from.

    Example: interlock feed candles kraken/BTC-USD/1m --limit 20
    """
    from engine.api import feed

    venue, _, rest = series.partition("/")
    demand_venue(venue)
    symbol, _, interval = rest.partition("/")
    with failures():
        found = asyncio.run(feed.feed_candles(home_folder(), venue, symbol, interval, limit))
    rows = [{**output.record(bar), "at": iso_z(bar.open_ns)[:16] + "Z"} for bar in found.bars]
    said = ", ".join(f"{count} {name}" for name, count in found.sources.items()) or "none"
    told = f"sources: {said}; missing: {found.missing_bars}"
    text = (
        output.table(rows, BARS, "no candles") + f"\n{told}" + (f"; {found.problem}" if found.problem else "")
    )
    output.show({"candles": found}, text, as_json)


@app.command()
def start(venue: Venue, as_json: Json = False) -> None:
    """Start a venue's feed in the background: it hears the public market, keeps candles, tells the engine.

    It needs no key and no engine, and goes on when the engine stops or dies.

    Example: interlock feed start --venue hyperliquid
    """
    from engine.api import feed

    demand_venue(venue)
    with coded_failures():
        found = asyncio.run(feed.start_feed(home_folder(), venue))
    output.show({"feed": found}, f"the feed of {venue} is ready: pid {found.pid}", as_json)


@app.command()
def run(venue: Venue, as_json: Json = False) -> None:
    """Run a venue's feed here until interrupted: for the service manager.

    Example: interlock feed run --venue kraken
    """
    from engine.api import feed

    demand_venue(venue)
    with coded_failures():
        feed.run_feed(home_folder(), venue)
    output.show({"feed": {"state": "ended"}}, f"the feed of {venue} has ended", as_json)


@app.command()
def stop(venue: Venue, as_json: Json = False) -> None:
    """Stop a venue's feed in order; an engine that used it goes on with its own streams.

    Example: interlock feed stop --venue kraken
    """
    from engine.api import feed

    demand_venue(venue)
    was = asyncio.run(feed.stop_feed(home_folder(), venue))
    text = f"the feed of {venue} has stopped" if was else f"no feed of {venue} runs"
    output.show({"stopped": was}, text, as_json)


@app.command()
def status(
    venue: Annotated[str, typer.Option("--venue", help="Only this one.")] = "", as_json: Json = False
) -> None:
    """Say how the feeds are, from themselves: what makes progress, what is stale, what is kept.

    Ages count from when the venue's own time last went on. No engine is needed.

    Example: interlock feed status --json
    """
    from engine.api import feed

    if venue:
        demand_venue(venue)
    rows, symbols, states = [], [], []
    for each in (venue,) if venue else VENUES:
        found, pid = asyncio.run(feed.feed_health(home_folder(), each)), feed.feed_pid(home_folder(), each)
        state = _state(found, pid)
        states.append({"venue": each, "state": state, "pid": pid or None, "health": found})
        rows.append(
            {"venue": each, "state": state, "pid": pid or None, **(output.record(found) if found else {})}
        )
        symbols += [{"venue": each, **output.record(said)} for said in (found.symbols if found else ())]
    text = output.table(rows, STATUS, "no feeds")
    if symbols:
        text += "\n\n" + output.table(symbols, SYMBOLS, "")
    output.show({"feeds": states}, text, as_json)


def _state(found: FeedHealth | None, pid: int) -> str:
    """Return one word: off, silent (a process that does not answer), broken, stale or ok."""
    if found is None:
        return "silent" if pid else "off"
    if not found.is_whole:
        return "broken"
    return "stale" if found.stale else "ok"


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
