"""`interlock crucible`: back-test one version of a strategy as a job of the engine, one at a time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, link, output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, Operator, Sets, operator_name, parameters
from engine.api import crucible
from engine.api.client import EngineClient
from engine.api.commands import JobCancel, RunStart, Started
from engine.api.home import home_folder
from engine.api.run_views import JobRow, RunsView
from seams.clock import NS_PER_S, SystemClock

app = typer.Typer(help="Crucible: back-test one version of a strategy: start, status, report, stop.")
COLUMNS = ("job_id", "strategy", "version", "state", "done", "total", "left_s", "cpu_pct", "rss_mb", "run_id",
           "message")  # fmt: skip
ALIVE = ("running", "cancelling")
STOP_S, POLL_S = 15.0, 0.25


@app.callback()
def room() -> None:
    """Back-test one version of a strategy in the engine, one at a time.

    Example: interlock crucible status
    """


@app.command()
def start(
    strategy: Annotated[str, typer.Argument(help="A bundled strategy, or a file.")],
    data: Annotated[str, typer.Option("--data", help="A file, or VENUE/SYMBOL/INTERVAL of this home.")],
    version: Annotated[str, typer.Option("--version", help="The version that is tried.")],
    max_bars: Annotated[int, typer.Option("--max-bars", min=0, help="Only the first so many bars.")] = 0,
    sets: Sets = None,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Start a run; while one runs, a second is refused with the running job's name.

    Example: interlock crucible start ema_cross --version 1.0.0 --data sandbox/BTC-PERP/1m
    """
    with failures():
        name = crucible.run_name(strategy, version)
    body = RunStart(
        strategy=_absolute(strategy),
        data=_absolute(data),
        params=parameters(sets),
        max_bars=max_bars,
        name=name,
        version=version,
    )
    started = link.act(body, Started, operator=operator_name(operator))
    output.show({"job_id": started.job_id}, f"started {started.job_id}", as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Show the crucible runs of this engine: progress, processor share, memory.

    Example: interlock crucible status --json
    """
    rows = _jobs(link.view("runs", RunsView))
    output.show({"jobs": rows}, output.table(rows, COLUMNS, "no crucible run under this engine"), as_json)


@app.command()
def report(
    strategy: str,
    version: Annotated[str, typer.Option("--version", help="This version; else the newest run.")] = "",
    as_json: Json = False,
) -> None:
    """Print the metrics of the newest crucible run of a strategy: its metrics.json, as written.

    Example: interlock crucible report ema_cross
    """
    with failures():
        run_id, found, text = crucible.report(home_folder(), strategy, version)
    diagnostics.say(f"{run_id}: {strategy} {found}")
    payload = {"run_id": run_id, "version": found, "metrics": json.loads(text)}
    output.show(payload, "\n".join(output.safe_line(line) for line in text.splitlines()), as_json)


@app.command()
def stop(operator: Operator = "", as_json: Json = False) -> None:
    """Stop the running crucible run; it ends as aborted and publishes nothing.

    Example: interlock crucible stop
    """
    row = link.talk(_stop, operator=operator_name(operator))
    output.show({"job": row}, f"{row.job_id} is {row.state}", as_json)


async def _stop(client: EngineClient) -> JobRow:
    """Cancel the job and wait until it has left."""
    running = [row for row in _jobs(await client.query_view("runs", RunsView)) if row.state in ALIVE]
    if not running:
        raise Failure("not_found", "no crucible run is on", "see `interlock crucible status`")
    job_id = running[0].job_id
    await client.demand(JobCancel(job_id=job_id), object)
    clock = SystemClock()
    deadline = clock.monotonic_ns() + round(STOP_S * NS_PER_S)
    while clock.monotonic_ns() < deadline:
        found = [row for row in _jobs(await client.query_view("runs", RunsView)) if row.job_id == job_id]
        if found and found[0].state not in ALIVE:
            return found[0]
        await asyncio.sleep(POLL_S)
    raise Failure("outcome_unknown", f"{job_id} has not left yet", "look with `interlock crucible status`")


def _jobs(view: RunsView) -> list[JobRow]:
    return [row for row in view.jobs if row.version]


def _absolute(name: str) -> str:
    """Name a file as the engine can find it; what is no file stays as it is."""
    path, colon, rest = name.partition(":")
    return f"{Path(path).resolve()}{colon}{rest}" if Path(path).is_file() else name
