"""`interlock incidents`: every halt, what stood at that moment, and what was found."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import facade, link, output
from console.cli.guard import failures
from console.cli.options import Json, Operator, operator_name
from engine.api.commands import IncidentClose, IncidentWrite
from engine.api.home import home_folder
from engine.api.incidents import Incident

app = typer.Typer(help="Incidents: list, show, note, close.")
INCIDENTS = "engine.api.incidents"
COLUMNS = ("incident_id", "status", "opened_at", "kill_level", "cause", "by", "reason")
NOTE_COLUMNS = ("at", "kind", "by", "text")
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
