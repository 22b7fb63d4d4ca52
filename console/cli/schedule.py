"""`interlock schedule`: research runs that start by themselves until one fails."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import link, output
from console.cli.options import Json, Operator, Reason, Sets, operator_name, parameters
from engine.api.commands import RunStart, ScheduleAct, ScheduleAdd, ScheduleList, ScheduleRow, Schedules

app = typer.Typer(help="Runs that start by themselves: add, list, pause, resume, remove.")
COLUMNS = ("name", "state", "every_minutes", "runs", "job_id", "last_job_id", "why")


@app.callback()
def room() -> None:
    """Let a run start every so often; one that fails pauses its schedule until a person resumes it.

    Example: interlock schedule ls
    """


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Small letters, digits and dashes.")],
    every_minutes: Annotated[float, typer.Option("--every-minutes", min=1.0, help="From start to start.")],
    data: Annotated[str, typer.Option("--data", help="VENUE/SYMBOL/INTERVAL of the catalogue.")],
    strategy: Annotated[str, typer.Option("--strategy", help="A bundled strategy.")] = "",
    preset: Annotated[str, typer.Option("--preset", help="A preset instead of a strategy.")] = "",
    sets: Sets = None,
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Begin a schedule; its first run starts at once.

    Example: interlock schedule add hourly --every-minutes 60 --strategy ema_cross --data demo/BTC-USD/1h
    """
    run = RunStart(strategy=strategy, preset=preset, data=data, params=parameters(sets))
    body = ScheduleAdd(name=name, every_minutes=every_minutes, run=run)
    row = link.act(body, ScheduleRow, operator=operator_name(operator))
    output.show({"schedule": row}, f"{row.name} runs every {row.every_minutes:g} minutes", as_json)


@app.command("list", hidden=True)
@app.command("ls")
def list_schedules(as_json: Json = False) -> None:
    """List schedules with their state, and why one is paused; exit 1 where one is.

    Example: interlock schedule ls --json
    """
    rows = link.ask(ScheduleList(), Schedules).rows
    output.show({"schedules": rows}, output.table(rows, COLUMNS, "no schedules"), as_json)
    if any(row.state == "paused" for row in rows):
        raise typer.Exit(1)


def _act(name: str, act: str, operator: str, reason: str, as_json: bool) -> None:
    link.act(ScheduleAct(name=name, act=act), object, operator=operator_name(operator), reason=reason)
    output.show({"name": name, "act": act}, f"{name}: {act}", as_json)


@app.command()
def pause(name: str, operator: Operator = "", reason: Reason = "", as_json: Json = False) -> None:
    """Pause a schedule; a run at work goes on.

    Example: interlock schedule pause hourly
    """
    _act(name, "pause", operator, reason, as_json)


@app.command()
def resume(name: str, operator: Operator = "", reason: Reason = "", as_json: Json = False) -> None:
    """Resume a paused schedule; say why it is safe to run it again.

    Example: interlock schedule resume hourly --reason "the data was repaired"
    """
    _act(name, "resume", operator, reason, as_json)


@app.command()
def remove(name: str, operator: Operator = "", reason: Reason = "", as_json: Json = False) -> None:
    """Remove a schedule; a run at work goes on.

    Example: interlock schedule remove hourly
    """
    _act(name, "remove", operator, reason, as_json)
