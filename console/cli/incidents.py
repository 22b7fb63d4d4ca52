"""`interlock incidents`: every halt, what stood at that moment, and what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from console.cli import facade, link, output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, Operator, operator_name
from engine.api.commands import IncidentClose, IncidentWrite
from engine.api.home import home_folder
from engine.api.incidents import Incident
from seams.clock import iso_z
from seams.disk import RealDisk

app = typer.Typer(help="Incidents: list, show, timeline, note, close, export.")
INCIDENTS = "engine.api.incidents"
COLUMNS = ("incident_id", "status", "opened_at", "opener", "kill_level", "cause", "by", "reason")
NOTE_COLUMNS = ("at", "kind", "by", "text")
TIMELINE_COLUMNS = ("time", "actor", "kind", "text")
To = Annotated[Path | None, typer.Option("--to", help="The file to write; it must not exist.")]
Text = Annotated[str, typer.Option("--text", help="What you found; written to the audit log too.")]


@app.callback()
def room() -> None:
    """List and show what halts left; add what you found.

    Example: interlock incidents ls
    """


@app.command("ls")
def list_incidents(as_json: Json = False) -> None:
    """List incidents, newest first; no engine is needed.

    Example: interlock incidents ls
    """
    with failures():
        rows = output.records(facade.function(INCIDENTS, "list_incidents")(home_folder()))
    output.show({"incidents": rows}, output.table(rows, COLUMNS, "no incidents"), as_json)


@app.command()
def show(
    incident_id: str,
    view: Annotated[str, typer.Option("--view", help="A view as it was: status, positions, ...")] = "",
    as_json: Json = False,
) -> None:
    """Show an incident with its notes, or one view as consoles were shown it at that moment.

    Example: interlock incidents show I-20260101T120000Z-41 --view positions
    """
    with failures():
        if view:
            found = facade.function(INCIDENTS, "incident_view")(home_folder(), incident_id, view)
            output.show({"view": found}, output.facts(found), as_json)
            return
        row = output.record(facade.function(INCIDENTS, "show_incident")(home_folder(), incident_id))
    notes = output.table(output.records(row["notes"]), NOTE_COLUMNS, "no notes: say what you found")
    facts = output.facts({name: value for name, value in row.items() if name != "notes"})
    output.show({"incident": row}, f"{facts}\n\n{notes}", as_json)


@app.command()
def timeline(incident_id: str, as_json: Json = False) -> None:
    """Show what happened around an incident, oldest first: acts, alarms, holds, orders. No engine is needed.

    Example: interlock incidents timeline I-20260101T120000Z-41
    """
    with failures():
        found = output.record(facade.function(INCIDENTS, "incident_detail")(home_folder(), incident_id))
    rows = [{"time": iso_z(cast(int, row["at_ns"])), **row} for row in output.records(found["timeline"])]
    output.show({"timeline": rows}, output.table(rows, TIMELINE_COLUMNS, "nothing"), as_json)


@app.command()
def export(incident_id: str, to: To = None, as_json: Json = False) -> None:
    """Write an incident as Markdown: facts, notes, timeline, and where its audit records are.

    Example: interlock incidents export I-20260101T120000Z-41 --to incident.md
    """
    from engine.api.incidents import incident_detail, incident_report

    with failures():
        text = incident_report(incident_detail(home_folder(), incident_id))
    if to is None:
        output.show({"report": text}, text, as_json)
        return
    if to.exists():
        raise Failure("export_exists", f"{to} is there already", "name another file")
    RealDisk().write_atomic(to, text.encode(), mode=0o644)
    output.show({"path": str(to)}, f"written: {to}", as_json)


@app.command()
def note(incident_id: str, text: Text, operator: Operator = "", as_json: Json = False) -> None:
    """Add what you found to an incident.

    Example: interlock incidents note I-20260101T120000Z-41 --text "the feed's certificate had expired"
    """
    body = IncidentWrite(incident_id=incident_id, text=text)
    row = link.act(body, Incident, operator=operator_name(operator))
    output.show({"incident": row}, f"{row.incident_id} is {row.status}", as_json)


@app.command()
def close(incident_id: str, text: Text, operator: Operator = "", as_json: Json = False) -> None:
    """Close an incident whose cause is gone, with what was done about it.

    Example: interlock incidents close I-20260101T120000Z-41 --text "certificate renewed; alarm at 14 days"
    """
    body = IncidentClose(incident_id=incident_id, text=text)
    row = link.act(body, Incident, operator=operator_name(operator))
    output.show({"incident": row}, f"{row.incident_id} is {row.status}", as_json)
