"""`interlock run`: research runs; they work with no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import candidates, diagnostics, output
from console.cli.assumptions import with_switches
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.headless import JsonRequest, SignalFile, read_request, signals
from console.cli.options import (
    End,
    First,
    Funding,
    FundingFrom,
    FundingMarks,
    InitState,
    Json,
    MaxMissing,
    MaxStateGap,
    Sets,
    beside,
    instant,
    parameters,
)
from console.cli.run_text import detail_text, run_text
from engine.api import exports, parity, research
from engine.api.figures import in_order
from engine.api.home import home_folder
from engine.api.run_filter import STATUSES, TRUSTS, RunFilter, kept

app = typer.Typer(help="Research runs: start, list, show, report, best, compare, candidates.")
app.add_typer(candidates.app, name="candidates")
MAX_COMPARED = 5
COLUMNS = ("run_id", "status", "trust", "strategy", "ticker", "interval", "total_return", "sharpe_simple",
           "max_drawdown", "trades")  # fmt: skip
FORMS = ("html", "md", "json")
METRICS = ("sharpe_simple", "total_return", "max_drawdown", "trades")


@app.callback()
def room() -> None:
    """Start and look at research runs; no engine is needed.

    Example: interlock run list
    """


@app.command()
@with_switches()
def start(
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="A file, or VENUE/SYMBOL/INTERVAL of this home; several: a portfolio."),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="A bundled strategy, or a file; a preset names its own; repeat."),
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="A preset of the strategy.")] = "",
    max_bars: Annotated[int, typer.Option("--max-bars", min=0, help="Only the first so many bars.")] = 0,
    first: First = "",
    end: End = "",
    universe: Annotated[
        str, typer.Option("--universe", help="A CSV of listings: its symbols for the * in V/*/INTERVAL.")
    ] = "",
    at: Annotated[str, typer.Option("--at", help="The date on which they were listed.")] = "",
    sets: Sets = None,
    is_forged: Annotated[bool, typer.Option("--forged", help="Compile the file, run the library.")] = False,
    has_funding: Funding = False,
    funding_from: FundingFrom = "",
    funding_marks: FundingMarks = "",
    max_missing: MaxMissing = 0,
    init_state: InitState = "",
    max_state_gap: MaxStateGap = 0,
    export_trades: Annotated[
        Path | None, typer.Option("--export-trades", help="Write the trades to a new CSV file, too.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Write every decision to a new file of JSON lines.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="A name for people.")] = "",
    json_request: JsonRequest = None,
    signal_file: SignalFile = None,
    as_json: Json = False,
    assumed: dict[str, object] | None = None,
) -> None:
    """Run a strategy over a data window and write its evidence.

    Example: interlock run start --strategy ema_cross --data sandbox/BTC-PERP/1m --set fast=9
    """

    def progress(done: int, total: int) -> None:
        diagnostics.progress(done, total, "bars")
        if done >= total:
            diagnostics.stage("checks, baselines and the report follow")

    def written(done: int, total: int) -> None:
        diagnostics.progress(done, total, "decisions written")

    asked = read_request(json_request, "run", signal_file)
    given: dict[str, object] = {
        "strategy": (strategy or [""])[0],
        "more_strategies": (strategy or [])[1:],
        "preset": preset,
        "data": (data or [""])[0],
        "more_data": (data or [])[1:],
        "universe": universe,
        "at_ns": instant(at) if at else None,
        "params": parameters(sets),
        "max_bars": max_bars,
        "is_forged": is_forged,
        "init_state": init_state,
        "max_state_gap_bars": max_state_gap,
        "name": name,
        **beside(has_funding, funding_from, funding_marks, max_missing, first, end),
    }
    fields = {**asked.params, **{key: value for key, value in given.items() if value}, **(assumed or {})}
    fields["request_id"] = asked.request_id
    home = home_folder()
    with signals(signal_file, "run", asked.request_id) as sender, failures():
        if not fields.get("data"):
            raise Failure("invalid_request", "no data is named", "pass --data, or data in the params")
        exports.demand_new(export_trades, trace)
        loaded = research.load_config_with_origins(home)
        result = research.start_run(research.run_request(fields), home, loaded=loaded, on_progress=progress)
        made = exports.export_run(Path(result.path), export_trades, trace, on_progress=written)
        sender.completed(result.run_id, result.path)
    text = "\n".join(
        [run_text(result), *(f"{each.what}: {each.rows:,} rows in {each.path}" for each in made)]
    )
    output.show({"run": result, **({"exports": made} if made else {})}, text, as_json)


@app.command("ls", hidden=True)
@app.command("list")
def list_runs(
    words: Annotated[
        list[str] | None, typer.Argument(help="Only runs in which every one of these words occurs.")
    ] = None,
    strategy: Annotated[str, typer.Option("--strategy", help="Only of this strategy or preset.")] = "",
    symbol: Annotated[str, typer.Option("--symbol", help="Only of this symbol.")] = "",
    mode: Annotated[str, typer.Option("--mode", help="Only of this mode, such as run or sweep.")] = "",
    status: Annotated[str, typer.Option("--status", help=f"Only {' or '.join(STATUSES)}.")] = "",
    trust: Annotated[str, typer.Option("--trust", help=f"Only checks {', '.join(TRUSTS)}.")] = "",
    since: Annotated[str, typer.Option("--since", help="Only made at this date or UTC time, or later.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List runs, newest first; every condition that is given must hold.

    Example: interlock run list --strategy ema_cross --trust passed --since 2026-11-01 --json
    """
    with failures():
        wanted = RunFilter(
            strategy=strategy, symbol=symbol, mode=mode, status=status, trust=trust,
            since_ns=instant(since) if since else 0, words=tuple(words or ()),
        )  # fmt: skip
        found = research.list_runs(home_folder())
        matching = kept(found.runs, wanted)
    rows = matching[:limit]
    text = output.table(rows, COLUMNS, "no run matches" if found.runs else "no runs yet")
    if len(matching) > limit:
        diagnostics.say(f"{len(matching) - limit} more match: raise --limit")
    if found.excluded:
        diagnostics.say(f"{len(found.excluded)} damaged or foreign folders are left out (see --json)")
    facts = {"runs": rows, "matching": len(matching), "known": len(found.runs), "excluded": found.excluded}
    output.show(facts, text, as_json)


@app.command()
def show(run_id: str, as_json: Json = False) -> None:
    """Show one run: metrics, configuration and artifacts.

    Example: interlock run show 20260101-120000-ab12cd
    """
    with failures():
        detail = research.show_run(home_folder(), run_id)
    output.show({"run": detail}, detail_text(detail), as_json)


@app.command()
def report(
    run_id: str,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMS)}.")] = FORMS[0],
    opens: Annotated[bool, typer.Option("--open", help="Open report.html in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Make a run's report again from its artifacts, and say whether it is the one that was written.

    Example: interlock run report 20260101_120000_run_ab12cd3 --format md
    """
    if form not in FORMS:
        raise Failure("bad_parameter", f"there is no format {form!r}", f"use one of {', '.join(FORMS)}")
    with failures():
        made = research.make_report(home_folder(), run_id, form)
    if not made.is_as_written:
        diagnostics.say(f"{made.path} is missing, or not what the artifacts give (made by another build?)")
    if opens:
        import webbrowser

        webbrowser.open(Path(made.path).as_uri())
    facts = {"run_id": made.run_id, "format": form, "path": made.path, "is_as_written": made.is_as_written}
    text = (
        made.path if form == "html" else "\n".join(output.safe_line(line) for line in made.text.splitlines())
    )
    output.show({"report": facts | ({} if form == "html" else {"text": made.text})}, text, as_json)


@app.command()
def best(
    metric: Annotated[str, typer.Option("--metric", help=f"One of {', '.join(METRICS)}.")] = METRICS[0],
    as_json: Json = False,
) -> None:
    """Show the run with the best value of a metric (the smallest, for drawdown); runs whose checks failed
    do not compete.

    Example: interlock run best --metric total_return
    """
    if metric not in METRICS:
        raise Failure("bad_parameter", f"there is no metric {metric!r}", f"use one of {', '.join(METRICS)}")
    row = research.best_run(home_folder(), metric)
    if row is None:
        raise Failure(
            "no_runs",
            f"no run that may compete has a {metric}",
            "start one with `interlock run start`",
        )
    output.show({"metric": metric, "run": row}, output.facts(row), as_json)


@app.command()
def compare(
    run_ids: list[str],
    align: Annotated[
        bool, typer.Option("--align", help="Runs of other windows: measure on the part they share.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put two to five runs side by side; refuse where they were not measured on the same (exit 2).

    Example: interlock run compare RUN_A RUN_B --align
    """
    if not 2 <= len(set(run_ids)) <= MAX_COMPARED:
        raise Failure("bad_parameter", f"{len(set(run_ids))} runs named", f"name two to {MAX_COMPARED}")
    with failures():
        found = research.compare_runs(home_folder(), tuple(run_ids), aligns=align)
    for left_out in found.excluded:
        diagnostics.say(f"{left_out.run_id} is left out: {left_out.reason}")
    if found.contract != "same":
        is_window = set(found.mixed_keys) <= {"start", "end"}
        raise Failure(
            "mixed_contract",
            f"these runs differ in {', '.join(found.mixed_keys)}: their numbers do not compare",
            "add --align" if is_window else "run them again on the same data, costs and engine",
        )
    if found.aligned_window:
        diagnostics.say(f"measured anew on what they share: {found.aligned_window}")
    if found.disagreeing:
        counts = f"{found.trusted} counts" if found.trusted else "one source says both, so neither counts"
        diagnostics.say(
            f"{', '.join(found.disagreeing)} are one configuration and decided differently: {counts} "
            f"({parity.trust_order()}); `interlock replay` finds which record is wrong"
        )
    facts: dict[str, tuple[object, ...]] = {
        "source": found.sources, "trust": found.trust, **found.config_delta,
    }  # fmt: skip
    facts |= {name: found.metrics[name] for name in in_order(found.metrics)}
    lines = [[name, *(output.cell(value, name=name) for value in values)] for name, values in facts.items()]
    text = output.aligned([["what", *found.run_ids], *lines], set(range(1, len(found.run_ids) + 1)))
    output.show({"comparison": found}, text, as_json)
