"""`interlock drill`: perform and measure the severe paths; the evidence counts for a promotion."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import typer

from console.cli import diagnostics, output
from console.cli.exit_codes import ExitCode
from console.cli.guard import coded_failures
from console.cli.options import Json, Operator, Reason, operator_name
from engine.api.home import HomePaths, home_folder
from seams.clock import SystemClock, iso_z
from seams.disk import RealDisk

app = typer.Typer(help="Drills: perform the severe paths on a rehearsal desk, and keep the evidence.")


@app.callback()
def room() -> None:
    """Drills: perform the severe paths on a rehearsal desk, and keep the evidence.

    Example: interlock drill dead-man --reason "weekly"
    """


@app.command()
def kill(reason: Reason = "drill", operator: Operator = "", as_json: Json = False) -> None:
    """Kill by command while orders work: blocked, first cancel, verified, nothing sent after.

    Example: interlock drill kill --json
    """
    _perform("kill", operator, reason, as_json)


@app.command("dead-man")
def dead_man(reason: Reason = "drill", operator: Operator = "", as_json: Json = False) -> None:
    """Freeze the engine with orders on the book: its watchdog latches, cancels and verifies.

    Example: interlock drill dead-man
    """
    _perform("dead-man", operator, reason, as_json)


@app.command()
def flatten(reason: Reason = "drill", operator: Operator = "", as_json: Json = False) -> None:
    """Kill the engine with positions open and flatten without it, verified at the exchange.

    Example: interlock drill flatten
    """
    _perform("flatten", operator, reason, as_json)


@app.command()
def ls(as_json: Json = False) -> None:
    """List the drills of this home and what still blocks a promotion.

    Example: interlock drill ls --json
    """
    from engine.drill import KINDS, drill_key
    from engine.ops.drill_evidence import drill_blockers, drills_in, is_intact
    from native.identity import kernel_sha256

    home, disk = home_folder(), RealDisk()
    outputs = HomePaths(home).outputs
    with coded_failures():
        key = drill_key(home, dict(os.environ))
    rows = [
        {
            "file": name,
            "kind": "" if kept is None else kept.drill.kind,
            "at": "" if kept is None else iso_z(kept.drill.began_ns),
            "ok": kept is not None and kept.drill.ok,
            "intact": kept is not None and is_intact(kept, key),
            "signed": kept is not None and bool(kept.signature),
        }
        for name, kept in drills_in(outputs, disk)
    ]
    now_ns = SystemClock().now_ns()
    blockers = drill_blockers(outputs, disk, now_ns, kernel_sha256(), key, KINDS)
    text = output.table(rows, ("kind", "at", "ok", "intact", "signed", "file"), "no drills yet")
    said = f"blocks promotion: {' '.join(blockers)}" if blockers else "drills block nothing"
    output.show({"drills": rows, "blockers": blockers}, f"{text}\n{said}", as_json)


def _perform(kind: str, operator: str, reason: str, as_json: bool) -> None:
    """Perform a drill; exit 1 where a goal was missed."""
    from engine.drill import rehearse
    from engine.ops.drill_evidence import SealedDrill

    who = operator_name(operator)
    with coded_failures():
        path = asyncio.run(rehearse(home_folder(), dict(os.environ), kind, who, reason, diagnostics.say))
    kept = msgspec.json.decode(Path(path).read_bytes(), type=SealedDrill)
    drill = kept.drill
    table = output.table(drill.goals, ("name", "value", "at_most", "is_met"), "no figures")
    verdict = "passed" if drill.ok else f"FAILED {drill.problem}".rstrip()
    output.show({"evidence": str(path), "drill": kept}, f"{table}\n{kind} {verdict}: {path}", as_json)
    if not drill.ok:
        raise typer.Exit(ExitCode.REFUSED)
