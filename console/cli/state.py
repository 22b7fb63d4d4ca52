"""`interlock state`: the end of a run or session as a file from which another starts; no engine is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import state
from engine.api.home import home_folder
from engine.api.lane_views import LaneRow, LaneWatch, shared_sessions
from seams.clock import NS_PER_S, SystemClock

app = typer.Typer(help="Init states: export, import, list, show; and the lanes of running sessions: watch.")
COLUMNS = ("name", "source", "strategies", "symbols", "last_bar", "equity", "positions", "state_sha256")
LANE_COLUMNS = ("session_id", "symbol", "strategy_state", "execution_state", "risk_interlock", "kill_level",
                "quantity", "steps", "age_ms")  # fmt: skip
WATCH_S = 0.1
HIDDEN = ("kernel_state",)
Strategy = Annotated[str, typer.Option("--strategy", help="The strategy's file, where no name loads it.")]


@app.callback()
def room() -> None:
    """Carry positions, balance and a strategy's memory from one run or session to the next.

    Example: interlock state list
    """


@app.command("export")
def export_state(
    subject: Annotated[str, typer.Argument(help="A run, or a paper session that has ended.")],
    out: Annotated[Path | None, typer.Option("--out", help="The file to write.")] = None,
    data: Annotated[str, typer.Option("--data", help="The record's bars, where they are not found.")] = "",
    strategy: Strategy = "",
    as_json: Json = False,
) -> None:
    """Make a run or session again, compare it with its record, and write what it knew at its end.

    Example: interlock state export 20260101_120000_run_ab12cd3 --out state.json
    """
    with failures():
        row = state.export_state(
            home_folder(),
            subject,
            out,
            data=data,
            strategy=strategy,
            on_progress=lambda done, total: diagnostics.progress(done, total, "bars"),
        )
    output.show({"state": row}, output.facts(row), as_json)


@app.command("import")
def import_states(
    files: Annotated[list[Path], typer.Argument(help="Files that `state export` wrote.")],
    name: Annotated[str, typer.Option("--name", help="What to call it; one file only.")] = "",
    strategy: Strategy = "",
    replaces: Annotated[bool, typer.Option("--replace", help="Replace another state of this name.")] = False,
    as_json: Json = False,
) -> None:
    """Check states against this build and take them in; what is refused changes nothing.

    Example: interlock state import state.json --name btc-live
    """
    rows = []
    with failures():
        if name and len(files) > 1:
            raise ValueError(f"{len(files)} files cannot all be called {name}")
        for path in files:
            rows.append(state.import_state(home_folder(), path, name, strategy=strategy, replaces=replaces))
    output.show({"states": rows}, output.table(rows, ("is_new", *COLUMNS), "nothing"), as_json)


@app.command("ls", hidden=True)
@app.command("list")
def list_states(as_json: Json = False) -> None:
    """List the imported states.

    Example: interlock state list --json
    """
    rows = state.list_states(home_folder())
    output.show({"states": rows}, output.table(rows, COLUMNS, "no imported states"), as_json)


@app.command()
def show(
    where: Annotated[str, typer.Argument(metavar="STATE", help="A file, or the name of an imported state.")],
    as_json: Json = False,
) -> None:
    """Show what a state holds and where it comes from.

    Example: interlock state show state.json
    """
    with failures():
        found = output.record(state.show_state(home_folder(), where))
    shown = {key: value for key, value in found.items() if key not in HIDDEN}
    output.show({"state": shown}, output.facts(shown), as_json)


@app.command()
def watch(
    session_id: Annotated[str, typer.Argument(metavar="[SESSION]", help="Default: every running one.")] = "",
    once: Annotated[bool, typer.Option("--once", help="Show the lanes as they are now, and end.")] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="Stop after so long; 0: never.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Show where each lane of a running session stands, from its shared state; asks no engine.

    With --json, one line for each change of a lane; with --once, one object of all lanes.

    Example: interlock state watch --once
    """
    watches = _watches(session_id)
    if once:
        rows = [row for each in watches for row in _lanes(each)]
        output.show({"lanes": rows}, output.table(rows, LANE_COLUMNS, "no lanes yet"), as_json)
        return
    asyncio.run(_follow(watches, seconds, as_json))


def _watches(session_id: str) -> list[LaneWatch]:
    home = home_folder()
    names = [session_id] if session_id else list(shared_sessions(home))
    if not names:
        raise Failure("not_found", "no session is running", "start one with `interlock paper start`")
    try:
        return [LaneWatch(home, name) for name in names]
    except LookupError as error:
        raise Failure("not_found", str(error), "list the running ones with `interlock paper list`") from error


def _lanes(watched: LaneWatch) -> tuple[LaneRow, ...]:
    try:
        return watched.rows()
    except LookupError as error:
        raise Failure("not_found", str(error), "start the session again") from error


async def _follow(watches: list[LaneWatch], seconds: float, as_json: bool) -> None:
    """Print a lane whenever it was written anew, until the time is up or Ctrl-C."""
    clock, seen = SystemClock(), dict[tuple[str, int], LaneRow]()
    end_ns = clock.monotonic_ns() + round(seconds * NS_PER_S) if seconds else None
    while end_ns is None or clock.monotonic_ns() < end_ns:
        for row in (row for each in watches for row in _lanes(each)):
            before = seen.get((row.session_id, row.lane))
            seen[row.session_id, row.lane] = row
            if before is None or _essence(before) != _essence(row):
                line = {"schema_version": output.SCHEMA_VERSION, "lane": row}
                output.write_line(output.encode(line) if as_json else _line(row))
        await clock.sleep(WATCH_S)


def _essence(row: LaneRow) -> tuple[object, ...]:
    """Return what makes a lane's line worth printing again: all but when it was written."""
    return (
        row.strategy_state, row.execution_state, row.risk_interlock, row.kill_level, row.quantity, row.steps,
        row.decided_ns,
    )  # fmt: skip


def _line(row: LaneRow) -> str:
    facts = output.record(row)
    return " ".join(output.cell(facts[name], name=name) for name in LANE_COLUMNS)
