"""`interlock forward`: sessions that go on over bars as they come in; they work with no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.headless import JsonRequest, SignalFile, read_request, signals
from console.cli.options import Json, Sets, instant, parameters
from engine.api import forward, research
from engine.api.home import home_folder

app = typer.Typer(help="Forward sessions: start, resume, list, show.")
COLUMNS = ("session_id", "strategy", "ticker", "interval", "bars", "last_bar", "equity_usd", "total_return",
           "sharpe_simple", "max_drawdown", "trades")  # fmt: skip


@app.callback()
def room() -> None:
    """Run a strategy forward over the bars that there are, and go on when there are more.

    Example: interlock forward ls
    """


@app.command()
def start(
    data: Annotated[str, typer.Option("--data", help="A file, or VENUE/SYMBOL/INTERVAL of this home.")] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="A bundled strategy, or a file.")] = "",
    preset: Annotated[str, typer.Option("--preset", help="A preset of the strategy.")] = "",
    run_id: Annotated[str, typer.Option("--run", help="Go on from where this run ended.")] = "",
    best: Annotated[str, typer.Option("--best", help="Or from the run that is best by a metric.")] = "",
    first: Annotated[str, typer.Option("--start", help="The first date or UTC time.")] = "",
    end: Annotated[str, typer.Option("--end", help="The date or UTC time before which it ends.")] = "",
    sets: Sets = None,
    is_forged: Annotated[bool, typer.Option("--forged", help="Compile the file, run the library.")] = False,
    has_funding: Annotated[
        bool, typer.Option("--funding", help="Pay the stored funding of the data's venue and symbol.")
    ] = False,
    name: Annotated[str, typer.Option("--name", help="A name for people.")] = "",
    json_request: JsonRequest = None,
    signal_file: SignalFile = None,
    as_json: Json = False,
) -> None:
    """Start a session over the bars that are there.

    Example: interlock forward start --run 20260101_120000_run_ab12cd3
    """
    asked = read_request(json_request, "forward", signal_file)
    given: dict[str, object] = {
        "strategy": strategy,
        "preset": preset,
        "data": str(Path(data).resolve()) if Path(data).is_file() else data,
        "params": parameters(sets),
        "start_ns": instant(first) if first else None,
        "end_ns": instant(end) if end else None,
        "is_forged": is_forged,
        "funding": "data" if has_funding else "",
        "name": name,
    }
    fields = {**asked.params, **{key: value for key, value in given.items() if value}}
    if asked.request_id:
        fields["request_id"] = asked.request_id
    home = home_folder()
    with signals(signal_file, "forward", asked.request_id) as sender, failures():
        if not (fields.get("data") or run_id or best):
            raise Failure("invalid_request", "no data is named", "pass --data, --run or --best")
        loaded = research.load_config_with_origins(home)
        row = forward.start_forward(
            fields, home, from_run=run_id, best=best, loaded=loaded, on_progress=_progress
        )
        sender.send(
            "SESSION_COMPLETED",
            "success",
            run_id=row.session_id,
            artifacts_path=row.path,
            report_path=f"{row.path}/portfolio_state.json",
        )
    output.show({"forward": row}, output.facts(row), as_json)


@app.command()
def resume(
    session_id: Annotated[str, typer.Argument(help="A session; or --all.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Go on with all sessions.")] = False,
    rebuilds: Annotated[
        bool, typer.Option("--rebuild", help="Another build: replay, compare the decisions, go on.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on with a session over bars that are new; without any nothing is written.

    Example: interlock forward resume 20260101_120000_forward_ab12cd3
    """
    if every == bool(session_id):
        raise Failure("bad_parameter", "name one session, or --all", "see `interlock forward ls`")
    home, rows = home_folder(), []
    with failures():
        names = [row.session_id for row in forward.list_forward(home)[0]] if every else [session_id]
        for each in names:
            rows.append(forward.resume_forward(home, each, rebuilds=rebuilds, on_progress=_progress))
    text = output.table(rows, ("new_bars", *COLUMNS), "no forward sessions yet")
    output.show({"sessions": rows} if every else {"forward": rows[0]}, text, as_json)


@app.command("list", hidden=True)
@app.command("ls")
def list_sessions(as_json: Json = False) -> None:
    """List forward sessions, newest first.

    Example: interlock forward ls --json
    """
    rows, damaged = forward.list_forward(home_folder())
    for line in damaged:
        diagnostics.say(f"left out: {line}")
    output.show(
        {"sessions": rows, "excluded": damaged},
        output.table(rows, COLUMNS, "no forward sessions yet"),
        as_json,
    )


@app.command()
def show(session_id: str, as_json: Json = False) -> None:
    """Show one session: what it holds, its metrics, its files.

    Example: interlock forward show 20260101_120000_forward_ab12cd3
    """
    with failures():
        found = forward.show_forward(home_folder(), session_id)
    text = f"{output.facts(found.row)}\n\n{output.facts(found.metrics)}"
    output.show({"forward": found}, text, as_json)


def _progress(done: int, total: int) -> None:
    diagnostics.progress(done, total, "bars")
