"""`interlock past`: what consoles were shown, looked at again from the record."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from console.cli import facade, output
from console.cli.desk import demand_terminal
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, Operator, instant, operator_name
from engine.api.home import home_folder
from seams.clock import iso_z

app = typer.Typer(help="The past: what consoles were shown at any recorded instant.")
PAST = "engine.api.past"
SPAN_COLUMNS = ("from", "to", "epoch", "frames", "kib", "is_whole", "file")
At = Annotated[str, typer.Option("--at", help="A UTC time, as 2026-01-01T12:00:00Z.")]
OfIncident = Annotated[str, typer.Option("--incident", help="The moment an incident was opened.")]
OfSession = Annotated[str, typer.Option("--session", help="The moment a paper session began.")]
ViewName = Annotated[str, typer.Option("--view", help="Only this view: status, positions, orders, ...")]


@app.callback()
def room() -> None:
    """Look at the desk as consoles were shown it. Needs no engine; changes nothing.

    Example: interlock past open --at 2026-01-01T12:00:00Z
    """


@app.command()
def ls(as_json: Json = False) -> None:
    """List which stretches of time are on record.

    Example: interlock past ls
    """
    with failures():
        spans = output.records(facade.function(PAST, "spans")(home_folder()))
    rows = [
        {
            "from": iso_z(cast(int, span["from_ns"])),
            "to": iso_z(cast(int, span["to_ns"])),
            "kib": cast(int, span["bytes"]) // 1024,
            **{name: span[name] for name in ("epoch", "frames", "is_whole", "file")},
        }
        for span in spans
    ]
    output.show({"spans": rows}, output.table(rows, SPAN_COLUMNS, "nothing is on record"), as_json)


@app.command()
def show(
    at: At = "",
    incident: OfIncident = "",
    session: OfSession = "",
    view: ViewName = "",
    as_json: Json = False,
) -> None:
    """Print the views of an instant, as the panels had them.

    Example: interlock past show --incident I-20260101T120000Z-41 --view positions
    """
    at_ns, what = named_instant(at, incident, session)
    with failures():
        found = output.record(facade.function(PAST, "shown_at")(home_folder(), at_ns))
    views = cast(dict[str, dict[str, object]], found["views"])
    if view:
        if view not in views:
            raise Failure("not_found", f"no view {view} then", f"there are {', '.join(sorted(views))}")
        views = {view: views[view]}
    head = {"at": iso_z(at_ns), "of": what, "shown_at": found["shown_at"], "epoch": found["epoch"]}
    text = [output.facts(head)]
    text += [f"{name}\n{output.facts(fields)}" for name, fields in views.items()]
    output.show({"past": {**head, "views": views}}, "\n\n".join(text), as_json)


@app.command("open")
def open_past(
    at: At = "", incident: OfIncident = "", session: OfSession = "", operator: Operator = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Open the console, read-only, on a past instant; keys step and play, ^X kills the present engine.

    Example: interlock past open --incident I-20260101T120000Z-41
    """
    if as_json:
        raise Failure("usage", "the console needs a terminal", "use `interlock past show --json` in scripts")
    at_ns, what = named_instant(at, incident, session)
    with failures():
        facade.function(PAST, "shown_at")(home_folder(), at_ns)
    demand_terminal("interlock past show --json")
    run = facade.function("console.tui.launch", "run_past")
    raise typer.Exit(cast(int, run(home_folder(), operator_name(operator), at_ns, what)))


def named_instant(at: str, incident: str, session: str) -> tuple[int, str]:
    """Return the instant that exactly one of three options names, in UTC nanoseconds, and what it is of."""
    given = [
        (word, name) for word, name in ((at, "at"), (incident, "incident"), (session, "session")) if word
    ]
    if len(given) != 1:
        raise Failure("usage", "name one instant", "pass one of --at, --incident and --session")
    word, name = given[0]
    if name == "at":
        return instant(word), ""
    with failures():
        return cast(int, facade.function(PAST, f"instant_of_{name}")(home_folder(), word)), word
