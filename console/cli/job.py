"""`interlock job`: research and foundry work that an engine runs for a console."""

from __future__ import annotations

import typer

from console.cli import link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, Operator, operator_name
from engine.api import foundry
from engine.api.commands import JobCancel
from engine.api.run_views import RunsView

app = typer.Typer(help="Work that the engine runs: list, show, cancel.")
COLUMNS = ("job_id", "kind", "state", "done", "total", "unit", "left_s", "what", "run_id", "message")
FACTS = ("job_id", "kind", "what", "operator", "state", "code", "message", "done", "total", "unit", "run_id",
         "folder")  # fmt: skip
REPORT_FACTS = ("strategy", "verdict", "ways", "bars", "account_bars", "corpus_sha256", "build_sha256",
                "artifact_sha256", "divergence", "path")  # fmt: skip


@app.callback()
def room() -> None:
    """List, show and cancel what was launched from a console or sent on the bus.

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
def show(job_id: str, as_json: Json = False) -> int:
    """Show one job, and the report of what a foundry job made; exit 1 where it failed.

    Example: interlock job show job_1a2b3c4d
    """
    found = [row for row in link.view("runs", RunsView).jobs if row.job_id == job_id]
    if not found:
        raise Failure("not_found", f"no job {job_id[:80]}", "list them with `interlock job ls`")
    row = found[0]
    with failures():
        report = foundry.read_report(row.folder) if row.folder else None
    text = output.facts({name: getattr(row, name) for name in FACTS})
    if report is not None:
        text += f"\n\nverification\n{output.facts({name: getattr(report, name) for name in REPORT_FACTS})}"
    output.show({"job": row, "report": report}, text, as_json)
    return int(ExitCode.REFUSED if row.state in ("failed", "aborted") else ExitCode.OK)


@app.command()
def cancel(job_id: str, operator: Operator = "", as_json: Json = False) -> None:
    """Stop a running job; what it was making is not published.

    Example: interlock job cancel job_1a2b3c4d
    """
    link.act(JobCancel(job_id=job_id), object, operator=operator_name(operator))
    output.show({"job_id": job_id}, f"{job_id} is told to stop", as_json)
