"""`interlock paper health|alerts|promotion|export|lineage`: paper sessions as evidence, with no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import paper, research
from engine.api.home import home_folder

app = typer.Typer()
ALERT_COLUMNS = ("alert_code", "severity", "session_id", "status", "age_minutes", "message")
READY_COLUMNS = ("session_id", "finished_at", "strategies")
BLOCKED_COLUMNS = ("session_id", "status", "blockers")
SIGNAL_COLUMNS = ("name", "ok", "evidence")
TRADE_COLUMNS = ("at_ns", "symbol", "action", "side", "quantity", "price", "pnl_usd", "decision_id",
                 "decision_reason", "entry_decision_id", "entry_reason")  # fmt: skip
STATES = ("running", "success", "failed", "aborted", "stale")


@app.command()
def health(as_json: Json = False) -> None:
    """Summarise all sessions, counted from their folders; fails when one failed or went stale.

    Example: interlock paper health
    """
    summary = research.session_health(home_folder())
    counts = {state: summary.status_counts.get(state, 0) for state in STATES}
    is_healthy = counts["failed"] == 0 and counts["stale"] == 0
    facts = {name: value for name, value in output.record(summary).items() if name != "status_counts"}
    payload = {"healthy": is_healthy, "counts": counts, **output.record(summary)}
    output.show(payload, f"{output.facts(counts)}\n\n{output.facts(facts)}", as_json)
    if not is_healthy:
        raise typer.Exit(1)


@app.command()
def alerts(
    stale_minutes: Annotated[
        float, typer.Option("--stale-minutes", min=0.1, help="Without progress for so long: stale.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Show the alerts of all sessions: failed, aborted, stale; fails when one is critical.

    Example: interlock paper alerts --json
    """
    found = research.session_alerts(home_folder(), stale_minutes)
    output.show(output.record(found), output.table(found.alerts, ALERT_COLUMNS, "no alerts"), as_json)
    if found.alert_status == "critical":
        raise typer.Exit(1)


@app.command()
def promotion(as_json: Json = False) -> None:
    """Show which sessions may count towards promotion, and what blocks each other; fails when none may.

    Example: interlock paper promotion --json
    """
    report = paper.promotion(home_folder())
    parts = (
        ("ready", report.ready_candidates, READY_COLUMNS),
        ("blocked", report.blocked_sessions, BLOCKED_COLUMNS),
        ("signals", report.signals, SIGNAL_COLUMNS),
    )
    text = "\n\n".join(f"{name}\n{output.table(rows, columns, 'none')}" for name, rows, columns in parts)
    output.show(output.record(report), text, as_json)
    if not report.ready_candidates or not all(signal.ok for signal in report.signals):
        raise typer.Exit(1)


@app.command()
def export(
    session_id: str,
    out: Annotated[Path, typer.Option("--out", help="A new file; what is there is never replaced.")],
    form: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
    as_json: Json = False,
) -> None:
    """Write everything that a session did to a file: wishes, tickets, orders, fills, in order.

    Example: interlock paper export PS-00001 --out actions.jsonl
    """
    if form not in paper.FORMATS:
        raise Failure("bad_parameter", f"--format {form!r}", f"one of {', '.join(paper.FORMATS)}")
    with failures():
        done = paper.export(home_folder(), session_id, out, form)
    output.show({"exported": done}, f"{done.rows} actions of {session_id} are in {done.path}", as_json)


@app.command()
def lineage(
    session_id: Annotated[str, typer.Argument(help="One session; left out: all.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """Show trades, newest first, each back to its decision, its ticket and the entry it belongs to.

    Example: interlock paper lineage --limit 10 --json
    """
    with failures():
        found = paper.lineage(home_folder(), session_id, limit)
    output.show({"lineage": found}, output.table(found, TRADE_COLUMNS, "no trades"), as_json)
