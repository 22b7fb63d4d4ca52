"""`interlock data`: imported bars of this home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from console.cli import diagnostics, funding, output, universe
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, instant, last_instant
from engine.api import data
from engine.api.home import home_folder
from seams.clock import iso_z

if TYPE_CHECKING:
    from engine.market.examine import Examination
    from engine.market.importer import ImportReport
    from engine.market.quality import Finding

app = typer.Typer(help="Market data: import, check, resample, list.")
app.add_typer(funding.app, name="funding")
app.add_typer(universe.app, name="universe")

Partial = Literal["keep", "drop", "whole"]
REPAIRS = ("none", "sort", "dedupe", "drop-last")
COLUMNS = ("venue", "symbol", "interval", "rows", "first_at", "last_at", "content_sha256")
TIMES = ("first_ns", "last_ns", "imported_ns", "as_of_ns", "reaches_back_to_ns")
ROWS_SHOWN = 5
LARGE_BYTES = 8 << 20
BAR_COLUMNS = ("at", "open", "high", "low", "close", "volume")
GAP_COLUMNS = ("after_at", "before_at", "missing_bars")

Columns = Annotated[
    str, typer.Option("--columns", help="A file without names: time,open,high,low,close,volume; - to skip.")
]
Volume = Annotated[
    str, typer.Option("--volume", help="The volume column where there are several; none without.")
]
Stamps = Annotated[
    Literal["open", "close"], typer.Option("--stamps", help="Which end of a bar its time means.")
]
Timezone = Annotated[str, typer.Option("--timezone", help="For dates that name no zone.")]


@app.callback()
def room() -> None:
    """Import bars and look at what this home has; no engine is needed.

    Example: interlock data list
    """


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, JSON, Parquet or Feather of bars; .gz is allowed.")],
    series: Annotated[
        str, typer.Option("--as", help="VENUE/SYMBOL/INTERVAL; * as symbol takes all of a file.")
    ] = "",
    venue: Annotated[str, typer.Option("--venue", help="The venue, where --as is not given.")] = "",
    symbol: Annotated[str, typer.Option("--symbol", help="The symbol, where --as is not given.")] = "",
    interval: Annotated[str, typer.Option("--interval", help="Such as 1m, where --as is not given.")] = "",
    columns: Columns = "",
    volume: Volume = "",
    stamps: Stamps = "open",
    timezone: Timezone = "UTC",
    repair: Annotated[
        list[str] | None,
        typer.Option("--repair", help="What may be changed: none, sort, dedupe, drop-last; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a file of bars and keep it; nothing is kept from a file with a fault.

    A fault is repaired only on request: sort puts rows in time order, dedupe leaves out rows repeated word
    for word, drop-last leaves out a newest bar that may be unfinished. The report says what was done.

    Example: interlock data import btc.csv --as sandbox/BTC-PERP/1m
    """
    venue, symbol, interval = parts(series or f"{venue}/{symbol}/{interval}")
    demand_file(file)
    if file.stat().st_size > LARGE_BYTES:
        diagnostics.say(f"reading {file.name}, {file.stat().st_size >> 20} MiB")
    with failures():
        reports = data.import_shaped(
            file,
            venue,
            symbol,
            interval,
            home_folder(),
            shape_of(columns, volume, stamps, timezone),
            _repairs(repair),
            lambda done, total: diagnostics.progress(done, total, "symbols judged"),
        )
    refused = next((report for report in reports if not report.is_imported), None)
    if refused is not None:
        _refuse(refused)
    text = "\n\n".join(_import_text(report) for report in reports)
    output.show({"import": reports[0], "imports": reports}, text, as_json)


@app.command()
def check(
    source: Annotated[str, typer.Argument(help="A file, or VENUE/SYMBOL/INTERVAL of this home.")],
    interval: Annotated[str, typer.Option("--interval", help="Of a file's bars, such as 1m.")] = "",
    symbol: Annotated[str, typer.Option("--symbol", help="Which one, in a file of many.")] = "",
    against: Annotated[
        str, typer.Option("--against", help="VENUE/SYMBOL/INTERVAL of the same market to compare with.")
    ] = "",
    columns: Columns = "",
    volume: Volume = "",
    stamps: Stamps = "open",
    timezone: Timezone = "UTC",
    as_json: Json = False,
) -> None:
    """Say what is wrong or odd with bars: gaps, repeats, order, prices, standstills. Changes nothing.

    Fails when a finding is an error: such a file would not be imported.

    Example: interlock data check sandbox/BTC-PERP/1m
    """
    other = parts(against) if against else None
    file = Path(source).expanduser()
    with failures():
        if file.is_file():
            if not interval:
                raise Failure("bad_parameter", "a file does not say its interval", "add --interval 1m")
            shape = shape_of(columns, volume, stamps, timezone)
            found = data.examine_file(file, interval, symbol, shape, home_folder(), other)
        else:
            found = data.examine_set(home_folder(), parts(source), other)
    output.show({"check": found}, _check_text(found), as_json)
    if not found.is_fit:
        raise typer.Exit(ExitCode.REFUSED)


@app.command("ls", hidden=True)
@app.command("list")
def list_data(as_json: Json = False) -> None:
    """List the series of this home.

    Example: interlock data list --json
    """
    sets = data.list_data(home_folder())
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
    venue, symbol, interval = parts(series)
    with failures():
        info, report = data.resample_data(
            home_folder(), venue, symbol, interval, to, partial, may_replace=may_replace
        )
    text = f"{_dated(info)}\n{output.facts(report)}"
    output.show({"resampled": info, "report": report}, text, as_json)


@app.command()
def trades(
    file: Annotated[Path, typer.Argument(help="A time, a price and a size for each trade, oldest first.")],
    series: Annotated[str, typer.Option("--as", help="VENUE/SYMBOL/INTERVAL, in one word.")],
    columns: Annotated[
        str, typer.Option("--columns", help="A file without names: time,price,size; - to skip.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make bars of a file of trades and keep them; an interval without a trade has no bar.

    Example: interlock data trades trades.csv --as kraken/BCHEUR/1m --columns time,price,size
    """
    demand_file(file)
    with failures():
        info = data.import_trades(file, *parts(series), home_folder(), shape_of(columns, "", "open", "UTC"))
    output.show({"import": info}, f"{_dated(info)}\n{_findings_text(info.findings)}", as_json)


@app.command()
def prices(
    symbol: Annotated[str, typer.Argument(help="SYMBOL, or VENUE/SYMBOL/INTERVAL where several have it.")],
    start: Annotated[str, typer.Option("--start", help="The first date or UTC time.")] = "",
    end: Annotated[str, typer.Option("--end", help="The last date (all of it) or UTC time.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest so many.")] = 100,
    as_json: Json = False,
) -> None:
    """Show stored prices, oldest first.

    Example: interlock data prices BTC-PERP --start 2026-01-01 --limit 10
    """
    first = instant(start) if start else None
    last = last_instant(end) if end else None
    with failures():
        found = data.data_prices(home_folder(), symbol, first, last, limit)
    rows = [
        {"at": iso_z(bar.open_ns), **{name: f"{getattr(bar, name):.12g}" for name in BAR_COLUMNS[1:]}}
        for bar in found.bars
    ]
    output.show({"prices": found}, output.table(rows, BAR_COLUMNS, "no bars in the window"), as_json)


@app.command()
def align(
    series: Annotated[list[str], typer.Argument(help="VENUE/SYMBOL/INTERVAL, two or more.")],
    as_json: Json = False,
) -> None:
    """Show the window that several series cover together, to compare runs on equal terms.

    Example: interlock data align sandbox/BTC-PERP/1m sandbox/BTC-PERP/1h
    """
    with failures():
        found = data.align_data(home_folder(), [parts(each) for each in series])
    window = f"--start {iso_z(found.start_ns)} --end {iso_z(found.end_ns)}"
    output.show({"window": found}, "\n".join((window, *found.notices)), as_json)


@app.command()
def seed(
    bars: Annotated[int, typer.Option("--bars", min=1, max=1_000_000, help="Minutes of each.")] = 6_000,
    number: Annotated[int, typer.Option("--seed", min=0, help="Equal seeds give equal bars.")] = 7,
    scenario: Annotated[str, typer.Option("--scenario", help="A sandbox scenario.")] = "sideways",
    as_json: Json = False,
) -> None:
    """Generate sample data for a desk without any; what is there stays. Works with no network.

    Example: interlock data seed --bars 1440
    """

    def progress(done: int, total: int) -> None:
        diagnostics.progress(done, total, "bars")

    with failures():
        made, kept = data.seed_data(home_folder(), bars, number, scenario, progress)
    rows = [
        {**output.record(info), "first_at": iso_z(info.first_ns), "last_at": iso_z(info.last_ns)}
        for info in made
    ]
    text = output.table(rows, COLUMNS, "nothing to do: all of it is there")
    output.show({"made": made, "kept": kept}, text, as_json)


@app.command()
def coverage(series: str, as_json: Json = False) -> None:
    """Show from when to when a series reaches, its gaps and findings, and how far back a venue answers.

    Example: interlock data coverage sandbox/BTC-PERP/1m
    """
    with failures():
        found = data.data_coverage(home_folder(), *parts(series))
        backfill = data.backfill_of(found)
    gaps = [
        {**output.record(gap), "after_at": iso_z(gap.after_ns), "before_at": iso_z(gap.before_ns)}
        for gap in found.gaps.largest
    ]
    text = "\n".join(
        (
            _dated(found),
            _dated(backfill),
            output.table(gaps, GAP_COLUMNS, "no gaps"),
            _findings_text(found.findings),
        )
    )
    output.show({"coverage": found, "backfill": backfill}, text, as_json)


def parts(series: str) -> tuple[str, str, str]:
    """Return venue, symbol and interval of `VENUE/SYMBOL/INTERVAL`."""
    venue, symbol, interval, *rest = [*series.split("/"), "", ""]
    if any(rest) or not (venue and symbol and interval):
        raise Failure(
            "bad_parameter", f"{series!r} is not VENUE/SYMBOL/INTERVAL", "write sandbox/BTC-PERP/1m"
        )
    return venue, symbol, interval


def demand_file(file: Path) -> None:
    """Refuse a file that is not there."""
    if not file.is_file():
        raise Failure("not_found", f"there is no file {file}", "check the path")


def shape_of(columns: str, volume: str, stamps: str, timezone: str) -> data.FileShape:
    """Return what the options say about a file."""
    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    return data.FileShape(columns=names, volume=volume, stamps=stamps, timezone=timezone)


def _repairs(given: list[str] | None) -> list[str]:
    unknown = [each for each in given or () if each not in REPAIRS]
    if unknown:
        raise Failure("bad_parameter", f"no such repair: {unknown[0]!r}", f"one of {', '.join(REPAIRS)}")
    return [each for each in given or () if each != "none"]


def _refuse(report: ImportReport) -> None:
    found = "; ".join(
        f"{problem.code} at row {problem.row}: {problem.message}" for problem in report.problems[:3]
    )
    raise Failure(
        "data_invalid",
        f"nothing was kept: {report.symbol}: {found}",
        "look at all of it with `interlock data check`; repair at the source, or with --repair",
    )


def _import_text(report: ImportReport) -> str:
    return f"{_dated(report)}\n{_findings_text(report.findings)}"


def _check_text(found: Examination) -> str:
    return f"{_dated(found)}\n{_findings_text(found.findings)}"


def _dated(value: object) -> str:
    """Return a record's facts with times as dates; the JSON keeps nanoseconds."""
    fields = {}
    for name, item in output.record(value).items():
        is_time = name in TIMES and isinstance(item, int)
        fields[name.replace("_ns", "_at") if is_time else name] = iso_z(item) if is_time else item  # type: ignore[arg-type]
    return output.facts(fields)


def _findings_text(findings: Sequence[Finding]) -> str:
    """Return two lines for each finding: what it is and where, what to do."""
    lines = []
    for each in findings:
        rows = " ".join(str(row) for row in each.rows[:ROWS_SHOWN])
        where = f" ({each.count}; row {rows}{' ...' if each.count > ROWS_SHOWN else ''})" if rows else ""
        lines.append(f"{each.severity}  {each.code}{where}: {output.cell(each.message, output.MAX_FACT)}")
        lines.append(f"      to do: {each.correction}")
    return "\n".join(lines) or "no findings"
