"""`interlock watchdog`: the process that watches whether the engine makes progress."""

from __future__ import annotations

import asyncio
import os

import typer

from console.cli import diagnostics, output
from console.cli.guard import coded_failures
from console.cli.options import Json
from engine.api.home import HomePaths, home_folder
from seams.clock import NS_PER_MS, SystemClock

app = typer.Typer(help="The watchdog: sees whether the engine makes progress, and cancels when not.")

SILENT_AFTER_MS = 5_000
"""What has not beaten for so long is frozen or dead, whatever its last beat said of it."""


@app.callback()
def room() -> None:
    """The watchdog: sees whether the engine makes progress, and cancels when not.

    Example: interlock watchdog run
    """


@app.command()
def run(as_json: Json = False) -> None:
    """Watch the engine of this home until interrupted; keep it under the service manager.

    Its own key comes from `watchdog.key_file` of the configuration.

    Example: interlock watchdog run
    """
    from engine.watching import run_watchdog
    from safety.hardening import close_memory

    diagnostics.say("watching; the engine's silence latches close_only, then cancels all and pages")
    os.umask(0o077)
    close_memory()
    with coded_failures():
        asyncio.run(run_watchdog(home_folder(), dict(os.environ)))
    output.show({"watchdog": {"state": "ended"}}, "the watchdog has ended; nobody watches now", as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Show the last beat of the engine and of the watchdog; `silent` is one that does not beat any more.

    Example: interlock watchdog status --json
    """
    from safety.beat import BEAT_FILE, WATCHDOG_BEAT_FILE, BeatPage, BeatState

    folder, now_ns = HomePaths(home_folder()).safety, SystemClock().monotonic_ns()
    rows: list[dict[str, object]] = []
    for name, file in (("engine", BEAT_FILE), ("watchdog", WATCHDOG_BEAT_FILE)):
        beat = BeatPage.shared(folder / file).read()
        if beat is None:
            rows.append({"process": name, "state": "torn", "age_ms": None, "count": None, "pid": None})
            continue
        age_ms = (now_ns - beat.at_ns) // NS_PER_MS if beat.at_ns else None
        is_silent = beat.state is BeatState.RUNNING and (age_ms or 0) > SILENT_AFTER_MS
        state = "silent" if is_silent else beat.state.name.lower()
        rows.append({"process": name, "state": state, "age_ms": age_ms, "count": beat.count, "pid": beat.pid})
    text = output.table(rows, ("process", "state", "age_ms", "count", "pid"), "no beats")
    output.show({"beats": rows}, text, as_json)
