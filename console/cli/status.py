"""`interlock status`, `health` and `watch`: what the engine says about itself."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from console.cli import capabilities, link, output
from console.cli.options import Json
from engine.api.client import EngineClient
from engine.api.commands import EventsPage, Health
from engine.api.views import EventsView, HealthReport, StatusView, View, Views
from seams.clock import NS_PER_S, SystemClock, iso_z

PART_COLUMNS = ("part", "state", "age_ms", "detail")
HOLD_COLUMNS = ("code", "level", "source", "evidence", "clear_rule", "runbook")
LANE_COLUMNS = ("session_id", "symbol", "strategy", "state", "execution")
MAX_WAITING = 1_000


def status(
    show_capabilities: Annotated[
        bool, typer.Option("--capabilities", help="What this build can do; no engine needed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the interlock's level with every hold, and what waits for a person.

    Example: interlock status --json
    """
    if show_capabilities:
        rows = capabilities.rows()
        text = output.table(rows, ("capability", "state", "where"), "nothing")
        output.show({"capabilities": rows}, text, as_json)
        return
    view = link.view("status", StatusView)
    holds = output.table(view.holds, HOLD_COLUMNS, "no holds")
    lanes = output.table(view.lanes, LANE_COLUMNS, "no session runs")
    output.show({"status": view}, f"{output.facts(view)}\n\n{holds}\n\n{lanes}", as_json)


def health(as_json: Json = False) -> None:
    """Show each part of the engine with its state and age; exit 1 when one is not well.

    Example: interlock health --json
    """
    report = link.ask(Health(), HealthReport)
    payload = {"healthy": report.ok, "level": report.level, "parts": report.parts}
    output.show(payload, output.table(report.parts, PART_COLUMNS, "no parts"), as_json)
    if not report.ok:
        raise typer.Exit(1)


def events(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 50,
    before: Annotated[int, typer.Option("--before", min=0, help="Older than this number.")] = 0,
    as_json: Json = False,
) -> None:
    """Show what happened, newest first.

    Example: interlock events --limit 20
    """
    rows = link.ask(EventsPage(before_seq=before, limit=limit), EventsView).rows
    timed = [{"at": iso_z(row.at_ns), **output.record(row)} for row in rows]
    text = output.table(timed, ("seq", "at", "kind", "actor", "text"), "no events")
    output.show({"events": timed}, text, as_json)


def watch(
    jsonl: Annotated[bool, typer.Option("--jsonl", "--json", help="One JSON object a line.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="One line a view (the default).")] = False,
    only: Annotated[list[str] | None, typer.Option("--view", help="Only this view; may be repeated.")] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="Stop after so long; 0: never.")] = 0.0,
) -> None:
    """Print every view as the engine publishes it, until Ctrl-C.

    Example: interlock watch --jsonl --view status --seconds 10
    """
    assert not (jsonl and plain) or jsonl, "--jsonl wins over --plain"
    link.talk(lambda client: _print_views(client, jsonl, frozenset(only or ()), seconds), role="observer")


async def _print_views(client: EngineClient, jsonl: bool, only: frozenset[str], seconds: float) -> None:
    """Print the snapshot, then what comes; a reader too slow for the engine loses the oldest."""
    waiting: asyncio.Queue[View] = asyncio.Queue(maxsize=MAX_WAITING)

    def keep(view: View) -> None:
        if waiting.full():
            waiting.get_nowait()
        waiting.put_nowait(view)

    await client.watch(keep)
    snapshot: Views = await client.views(*sorted(only))
    for view in snapshot.views:
        keep(view)
    clock = SystemClock()
    end_ns = clock.monotonic_ns() + round(seconds * NS_PER_S) if seconds else None
    while True:
        left_s = None if end_ns is None else (end_ns - clock.monotonic_ns()) / NS_PER_S
        if left_s is not None and left_s <= 0:
            return
        try:
            view = await asyncio.wait_for(waiting.get(), left_s)
        except TimeoutError:
            return
        name = type(view).__name__.removesuffix("View").lower()
        if not only or name in only:
            output.write_line(_line(name, view, jsonl))


def _line(name: str, view: View, jsonl: bool) -> str:
    if jsonl:
        return output.encode({"schema_version": output.SCHEMA_VERSION, "view": name, "body": view})
    fields = output.record(view)
    rest = (
        f"{key}={output.cell(value)}" for key, value in fields.items() if not isinstance(value, list | dict)
    )
    lengths = (f"{key}={len(value)}" for key, value in fields.items() if isinstance(value, list))
    return f"{iso_z(view.at_ns)} {name} {' '.join([*rest, *lengths])}"
