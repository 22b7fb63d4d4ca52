"""`interlock audit`: is the record what was written, and a head of it for a second place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from console.cli import facade, output
from console.cli.exit_codes import ExitCode
from console.cli.guard import failures
from console.cli.options import Json
from engine.api.home import home_folder

app = typer.Typer(help="The audit chain: verify, anchor, drift.")
RECORD = "engine.api.record"
SHARE_COLUMNS = ("kind", "baseline", "week", "baseline_share", "week_share", "psi")


@app.callback()
def room() -> None:
    """Verify the audit chain, and keep heads of it elsewhere; no engine is needed.

    Example: interlock audit verify
    """


@app.command()
def verify(as_json: Json = False) -> None:
    """Check every link of the hash chain, its signed heads and its anchors.

    Exit 1 names the first record that does not fit.

    Example: interlock audit verify --json
    """
    with failures():
        found = facade.function(RECORD, "audit_verify")(home_folder(), dict(os.environ))
    report = output.record(found)
    output.show({"audit": report}, output.facts(report), as_json)
    if not report.get("ok"):
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def anchor(
    to: Annotated[Path | None, typer.Option("--to", help="A file in a second place; it is added to.")] = None,
    as_json: Json = False,
) -> None:
    """Vouch for where the log ends now: print its head and add it to a file kept elsewhere.

    Without --to the file is `record.audit_anchor_file` of the settings; where none is set the head is only
    printed. The engine does not start on a log that is behind its anchors.

    Example: interlock audit anchor --to /media/usb/desk.anchors
    """
    with failures():
        made = facade.function(RECORD, "audit_anchor")(home_folder(), dict(os.environ), to)
    report = output.record(made)
    output.show({"anchor": report}, output.facts(report), as_json)


@app.command()
def drift(as_json: Json = False) -> None:
    """Compare this week's decisions with those of the four weeks before; exit 1 where they have shifted.

    Example: interlock audit drift --json
    """
    with failures():
        report = output.record(facade.function(RECORD, "decision_drift")(home_folder()))
    shares = output.table(output.records(report["shares"]), SHARE_COLUMNS, "no decisions")
    facts = output.facts({name: value for name, value in report.items() if name != "shares"})
    output.show({"drift": report}, f"{facts}\n\n{shares}", as_json)
    if report["state"] == "shifted":
        raise typer.Exit(ExitCode.REFUSED)
