"""`interlock engine`: start, stop and look at the daemon of this home."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from console.cli import link, output
from console.cli.failure import Failure
from console.cli.guard import coded_failures
from console.cli.options import Json, Operator, operator_name
from engine.api import launch
from engine.api.commands import EngineStop, Health
from engine.api.endpoint import Endpoint, is_alive, live_endpoint
from engine.api.home import HomePaths, home_folder
from engine.api.views import HealthReport
from seams.clock import NS_PER_S, SystemClock, iso_z

app = typer.Typer(help="Start, stop and look at the engine daemon.")
STOP_S = 15.0
POLL_S = 0.05


@app.callback()
def room() -> None:
    """Start, stop and look at the engine daemon.

    Example: interlock engine start
    """


@app.command()
def start(as_json: Json = False) -> None:
    """Start the engine in the background and wait until it is ready.

    Example: interlock engine start
    """
    paths = HomePaths(home_folder())
    running = live_endpoint(paths)
    if running is not None:
        _show_endpoint(running, "the engine is already running", as_json)
        return
    with coded_failures():
        engine = asyncio.run(launch.start(paths))
    _show_endpoint(engine.endpoint, "the engine is ready", as_json)


@app.command()
def stop(operator: Operator = "", as_json: Json = False) -> None:
    """Stop the engine in order: sessions end with their evidence, the kill latch stays as it is.

    Example: interlock engine stop
    """
    paths = HomePaths(home_folder())
    endpoint = live_endpoint(paths)
    link.act(EngineStop(), object, operator=operator_name(operator), timeout_s=5.0)
    if endpoint is not None and not asyncio.run(_wait_gone(endpoint.pid)):
        raise Failure(
            "outcome_unknown",
            f"the engine (pid {endpoint.pid}) accepted the stop and still runs after {STOP_S:g} s",
            "read `interlock engine logs`",
        )
    output.show({"stopped": True}, "the engine has stopped", as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Say whether the engine answers, and how its parts are.

    Example: interlock engine status --json
    """
    endpoint = live_endpoint(HomePaths(home_folder()))
    report = link.ask(Health(), HealthReport)
    pid = 0 if endpoint is None else endpoint.pid
    payload = {"running": True, "pid": pid, "level": report.level, "parts": report.parts}
    text = output.table(report.parts, ("part", "state", "age_ms", "detail"), "no parts")
    output.show(payload, f"running, pid {pid}, level {report.level}\n{text}", as_json)


@app.command()
def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=10_000, help="How many.")] = 40,
    as_json: Json = False,
) -> None:
    """Show the end of the engine's log.

    Example: interlock engine logs -n 100
    """
    path = HomePaths(home_folder()).log
    if not path.exists():
        raise Failure("no_log", "this home has no engine log", "start one with `interlock engine start`")
    last = [output.safe_line(line) for line in launch.tail(path, lines)]
    output.show({"lines": last}, "\n".join(last), as_json)


async def _wait_gone(pid: int) -> bool:
    clock = SystemClock()
    deadline = clock.monotonic_ns() + round(STOP_S * NS_PER_S)
    while is_alive(pid):
        if clock.monotonic_ns() >= deadline:
            return False
        await clock.sleep(POLL_S)
    return True


def _show_endpoint(endpoint: Endpoint, sentence: str, as_json: bool) -> None:
    payload = {
        "pid": endpoint.pid,
        "epoch": endpoint.epoch,
        "engine_version": endpoint.engine_version,
        "started_at": iso_z(endpoint.started_at_ns),
    }
    output.show(payload, f"{sentence}: pid {endpoint.pid}, version {endpoint.engine_version}", as_json)
