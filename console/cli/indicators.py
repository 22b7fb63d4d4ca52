"""`interlock dump-indicators`: indicator columns of a data set, as strategies see them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.guard import failures
from console.cli.options import End, First, Json, instant
from engine.api import indicators
from engine.api.home import home_folder


def dump_indicators(
    data: Annotated[str, typer.Option("--data", help="A file, or VENUE/SYMBOL/INTERVAL of this home.")],
    indicator: Annotated[
        list[str],
        typer.Option("--indicator", help="EMA(20), MACD(fast=12, slow=26), SMA(20)@volume; may be repeated."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="The file; without: the screen.")] = None,
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(indicators.FORMATS)}. Default: by the file's name.")
    ] = "",
    first: First = "",
    end: End = "",
    max_bars: Annotated[int, typer.Option("--max-bars", min=0, help="Only the first so many bars.")] = 0,
    as_json: Json = False,
) -> None:
    """Write indicators of stored bars as columns, computed by the kernel's own code; null while they warm up.

    Example: interlock dump-indicators --data sandbox/BTC-PERP/1m --indicator "EMA(20)" --out ema.csv
    """
    with failures():
        made = indicators.dump_indicators(
            home_folder(),
            data,
            indicator,
            out,
            form=form,
            start_ns=instant(first) if first else None,
            end_ns=instant(end) if end else None,
            max_bars=max_bars,
            on_progress=lambda done, total: diagnostics.progress(done, total, "bars"),
        )
    facts = {
        "symbol": made.symbol,
        "interval": made.interval,
        "rows": made.rows,
        "format": made.format,
        "path": made.path or None,
        "nulls": made.columns,
    }
    text = output.facts(facts) if made.path else made.data.decode()
    payload = facts if made.path else {**facts, "text": made.data.decode()}
    output.show({"indicators": payload}, text, as_json)
