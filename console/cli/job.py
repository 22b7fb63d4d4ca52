"""`interlock job`: research that an engine runs for a console."""

from __future__ import annotations

import typer

from console.cli import link, output
from console.cli.options import Json, Operator, operator_name
from engine.api.commands import JobCancel
from engine.api.views import RunsView

app = typer.Typer(help="Research that the engine runs: list, cancel.")
COLUMNS = ("job_id", "kind", "state", "done", "total", "unit", "left_s", "what", "run_id", "message")


@app.callback()
def room() -> None:
    """List and cancel what was launched from a console.

    Example: interlock job ls
    """


@app.command("list", hidden=True)
@app.command("ls")
def list_jobs(as_json: Json = False) -> None:
    """List jobs, newest first, with progress and the time left.

    Example: interlock job ls --json
    """
    rows = link.view("runs", RunsView).jobs
    output.show({"jobs": rows}, output.table(rows, COLUMNS, "no jobs under this engine"), as_json)


@app.command()
def cancel(job_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Stop a running job; what it was making is not published.

    Example: interlock job cancel J-3-0001
    """
    link.act(JobCancel(job_id=job_id), object, operator=operator_name(operator))
    output.show({"job_id": job_id}, f"{job_id} is told to stop", as_json)
