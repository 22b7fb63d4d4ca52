"""`interlock book`: recorded order books, replayed and verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api.book import replay_recording

if TYPE_CHECKING:
    from engine.market.depth.feed import Scale
    from engine.market.depth.replay import BookLevel

app = typer.Typer(help="Order books: replay a recording, verify its checksums and sequence.")
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
    file: Annotated[Path, typer.Argument(help="A recording; .gz and .zst are unpacked.")],
    source: Annotated[
        str, typer.Option("--format", help="kraken, tardis, binance, databento or hyperliquid.")
    ],
    symbol: Annotated[str, typer.Option("--symbol", help="The market, where the file has several.")] = "",
    depth: Annotated[int, typer.Option("--depth", min=1, max=1000, help="Levels to show of each side.")] = 5,
    as_json: Json = False,
) -> int:
    """Move a book through a recording: messages, checksums, gaps, speed and the final top of the book.

    Ends with 1 where a checksum failed or messages are missing.

    Example: interlock book replay book.jsonl --format kraken --depth 5
    """
    if not file.is_file():
        raise Failure("not_found", f"there is no file {file}", "check the path")
    with failures():
        found = replay_recording(file, source, symbol, depth)
    lines = [output.facts({name: getattr(found, name) for name in FACTS})]
    lines += [f"{problem.code} at message {problem.message}: {problem.text}" for problem in found.problems]
    levels = [_row("ask", level, found.scale) for level in reversed(found.asks)]
    levels += [_row("bid", level, found.scale) for level in found.bids]
    lines.append(output.table(levels, ("side", "price", "size", "orders"), "the book is empty"))
    output.show({"book": found}, "\n".join(lines), as_json)
    return 0 if found.is_sound else 1


def _row(side: str, level: BookLevel, scale: Scale) -> dict[str, object]:
    """Return a level with every digit the market has."""
    price, size = f"{level.price:.{scale.price_decimals}f}", f"{level.size:.{scale.size_decimals}f}"
    return {"side": side, "price": price, "size": size, "orders": level.orders or None}
