"""`interlock book`: recorded order books, replayed and verified, and quoted against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from console.cli import diagnostics, output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api.book import QuoteTerms, quote_recording, replay_recording
from seams.clock import iso_z

if TYPE_CHECKING:
    from engine.market.depth.feed import Scale
    from engine.market.depth.replay import BookLevel

app = typer.Typer(help="Order books: replay a recording and verify it, quote against one.")
Recording = Annotated[Path, typer.Argument(help="A recording; .gz and .zst are unpacked.")]
Source = Annotated[str, typer.Option("--format", help="kraken, tardis, binance, databento or hyperliquid.")]
Symbol = Annotated[str, typer.Option("--symbol", help="The market, where the file has several.")]
LARGE_BYTES = 1 << 20
FILL_COLUMNS = ("at", "side", "price", "size", "ahead", "waited_ms", "position", "profit")
FACTS = (
    "source", "symbol", "messages", "skipped_messages", "events", "levels", "crossed_messages",
    "checksums_held", "checksums_failed", "stale_messages", "gap_count", "state_sha256", "replay_s",
    "events_per_s",
)  # fmt: skip


@app.callback()
def room() -> None:
    """Look at recorded order books; no engine is needed.

    Example: interlock book replay book.jsonl --format kraken
    """


@app.command()
def replay(
    file: Recording,
    source: Source,
    symbol: Symbol = "",
    depth: Annotated[int, typer.Option("--depth", min=1, max=1000, help="Levels to show of each side.")] = 5,
    as_json: Json = False,
) -> int:
    """Move a book through a recording: messages, checksums, gaps, speed and the final top of the book.

    Ends with 1 where a checksum failed or messages are missing.

    Example: interlock book replay book.jsonl --format kraken --depth 5
    """
    _announce(file)
    with failures():
        found = replay_recording(file, source, symbol, depth)
    lines = [output.facts({name: getattr(found, name) for name in FACTS})]
    lines += [f"{problem.code} at message {problem.message}: {problem.text}" for problem in found.problems]
    levels = [_row("ask", level, found.scale) for level in reversed(found.asks)]
    levels += [_row("bid", level, found.scale) for level in found.bids]
    lines.append(output.table(levels, ("side", "price", "size", "orders"), "the book is empty"))
    output.show({"book": found}, "\n".join(lines), as_json)
    return 0 if found.is_sound else 1


@app.command()
def quote(
    file: Recording,
    source: Source,
    size: Annotated[float, typer.Option("--size", help="Of every order, in base units.")],
    symbol: Symbol = "",
    half_spread: Annotated[
        int, typer.Option("--half-spread", min=0, help="Ticks from the mid to a quote.")
    ] = 5,
    skew: Annotated[int, typer.Option("--skew", help="Ticks against each order's worth of position.")] = 1,
    max_held: Annotated[int, typer.Option("--max-held", min=0, help="The largest position, in orders.")] = 10,
    interval_ms: Annotated[float, typer.Option("--interval-ms", help="Between two looks.")] = 100.0,
    latency_ms: Annotated[
        float, typer.Option("--latency-ms", min=0, help="To the exchange, and again back.")
    ] = 1.0,
    fee_bps: Annotated[float, typer.Option("--fee-bps", help="Of every fill; negative is a rebate.")] = 2.0,
    queue: Annotated[
        Literal["conservative", "power", "logarithm"],
        typer.Option("--queue", help="Where cancels happen in the queue we stand in."),
    ] = "conservative",
    power: Annotated[float, typer.Option("--power", help="Of the power model.")] = 3.0,
    quoter: Annotated[str, typer.Option("--quoter", help="A file with quoter(order_lots).")] = "",
    fills: Annotated[int, typer.Option("--fills", min=0, help="The newest so many are shown.")] = 10,
    as_json: Json = False,
) -> None:
    """Quote a bid and an ask against a recording of levels and trades: fills, queue, inventory, profit.

    Our orders arrive late, join the end of a queue, and are hit when it is gone, when a trade goes through
    their price or when the other side reaches it. conservative: nobody before us cancels; power and
    logarithm: cancels fall on both sides of us by these weights. Without --quoter the built-in rule quotes
    around the mid and leans against the position; docs/examples/market_making.py is one to start from.

    Example: interlock book quote btcusdt.gz --format binance --size 0.01 --queue power
    """
    _announce(file)
    terms = QuoteTerms(
        size=size,
        half_spread_ticks=half_spread,
        skew_ticks=skew,
        max_orders_held=max_held,
        interval_ms=interval_ms,
        order_latency_ms=latency_ms,
        response_latency_ms=latency_ms,
        fee_bps=fee_bps,
        queue=queue,
        power=power,
        quoter=quoter,
    )
    with failures():
        report, made = quote_recording(file, source, terms, symbol)
    newest = made[len(made) - min(fills, len(made)) :]
    rows = [{**output.record(each), "at": iso_z(each.at_ns), "side": _side(each.side)} for each in newest]
    text = f"{output.facts(report)}\n{output.table(rows, FILL_COLUMNS, 'no fills to show')}"
    output.show({"quote": report, "terms": terms, "fills": newest}, text, as_json)


def _announce(file: Path) -> None:
    """Refuse a file that is not there; say that a large one is being read."""
    if not file.is_file():
        raise Failure("not_found", f"there is no file {file}", "check the path")
    if file.stat().st_size > LARGE_BYTES:
        diagnostics.say(f"reading {file.name}, {file.stat().st_size / 1e6:.1f} MB")


def _side(side: int) -> str:
    return "buy" if side > 0 else "sell"


def _row(side: str, level: BookLevel, scale: Scale) -> dict[str, object]:
    """Return a level with every digit the market has."""
    price, size = f"{level.price:.{scale.price_decimals}f}", f"{level.size:.{scale.size_decimals}f}"
    return {"side": side, "price": price, "size": size, "orders": level.orders or None}
