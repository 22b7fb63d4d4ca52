"""`interlock sandbox`: loopback exchanges, venues to practise on whose accounts outlive the engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import coded_failures
from console.cli.options import Json
from engine.api.home import home_folder

app = typer.Typer(help="Loopback exchanges: venue processes to practise on.")
Venue = Annotated[str, typer.Option("--venue", help="Which one: exchange, hyperliquid or kraken.")]


@app.callback()
def room() -> None:
    """Loopback exchanges: venue processes to practise on, with money that is not real.

    Example: interlock sandbox start --venue exchange
    """


@app.command()
def start(
    venue: Venue = "exchange",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")] = 0,
    scenario: Annotated[str, typer.Option("--scenario", help="How its market moves.")] = "sideways",
    seed: Annotated[int, typer.Option("--seed", help="The market's seed.")] = 1,
    bar_seconds: Annotated[
        float | None,
        typer.Option(
            "--bar-seconds", min=0.05, help="A bar's length: 60, for exchange 1; less hurries prices."
        ),
    ] = None,
    record: Annotated[Path | None, typer.Option("--record", help="Keep every arriving order here.")] = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="What goes wrong there: a JSON list; not for exchange.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start one in the background; print its addresses, its funded throw-away accounts and their keys.

    `exchange` is our own and simple; `hyperliquid` and `kraken` speak those venues' real wire formats.

    Example: interlock sandbox start --venue hyperliquid --port 0 --json
    """
    from engine.api import sandbox
    from venues.sandbox.scenarios import SCENARIOS
    from venues.sandbox.server import Market

    _demand(venue)
    if scenario not in SCENARIOS:
        raise Failure(
            "bad_parameter", f"there is no scenario {scenario!r}", f"one of: {', '.join(SCENARIOS)}"
        )
    if faults is not None and venue == "exchange":
        raise Failure("bad_parameter", f"{venue} takes no --faults", "leave it out, or use another --venue")
    if faults is not None and not faults.is_file():
        raise Failure("bad_parameter", f"there is no file {faults}", "name a JSON list of faults")
    known = sandbox.running_venue(home_folder(), venue)
    if known is not None and (faults is not None or record is not None):
        raise Failure(
            "already_running",
            f"{venue} runs already at {known.url}, pid {known.pid}, without this --faults or --record",
            f"interlock sandbox stop --venue {venue}, then start it again; its accounts end with it",
        )
    bar_s = sandbox.BAR_S.get(venue, sandbox.VENUE_BAR_S) if bar_seconds is None else bar_seconds
    market = Market(scenario=scenario, seed=seed, bar_s=bar_s)
    with coded_failures():
        if faults is not None:
            sandbox.judge_faults(venue, faults)
        ready = asyncio.run(sandbox.start_venue(home_folder(), venue, port, market, record, faults))
    names = "\n".join(f"  {name:16} {path}" for name, path in ready.keys.items())
    runs = "at" if known is None else "runs already at"
    text = f"{venue} {runs} {ready.url}, pid {ready.pid}; key files:\n{names}"
    output.show(msgspec.to_builtins(ready) | {"was_running": known is not None}, text, as_json)


@app.command()
def status(venue: Venue = "exchange", as_json: Json = False) -> None:
    """Say whether this home's loopback exchange runs, and where.

    Example: interlock sandbox status --venue kraken --json
    """
    from engine.api import sandbox

    _demand(venue)
    found = sandbox.running_venue(home_folder(), venue)
    payload = {"running": found is not None, "exchange": found}
    text = f"{venue} at {found.url}, pid {found.pid}" if found else f"no {venue} runs"
    output.show(payload, text, as_json)


@app.command()
def stop(venue: Venue = "exchange", as_json: Json = False) -> None:
    """Stop a loopback exchange; its accounts and every order at it end with it.

    Example: interlock sandbox stop --venue kraken
    """
    from engine.api import sandbox

    _demand(venue)
    was = asyncio.run(sandbox.stop(home_folder(), venue))
    output.show({"stopped": was}, f"{venue} has stopped" if was else f"no {venue} runs", as_json)


def _demand(venue: str) -> None:
    from engine.api.sandbox import PROGRAMS

    if venue not in PROGRAMS:
        known = ", ".join(PROGRAMS)
        raise Failure("bad_parameter", f"there is no loopback exchange {venue!r}", f"one of: {known}")
