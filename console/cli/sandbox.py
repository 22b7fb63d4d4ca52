"""`interlock sandbox`: the sandbox exchange, a venue to practise on whose account outlives the engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import coded_failures
from console.cli.options import Json
from engine.api.home import home_folder

app = typer.Typer(help="The sandbox exchange: a venue process to practise on.")
VENUES = ("exchange",)


@app.callback()
def room() -> None:
    """The sandbox exchange: a venue process to practise on.

    Example: interlock sandbox start --venue exchange
    """


@app.command()
def start(
    venue: Annotated[str, typer.Option("--venue", help="Which one: exchange.")] = "exchange",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")] = 0,
    scenario: Annotated[str, typer.Option("--scenario", help="How its market moves.")] = "sideways",
    seed: Annotated[int, typer.Option("--seed", help="The market's seed.")] = 1,
    bar_seconds: Annotated[float, typer.Option("--bar-seconds", min=0.05, help="A bar's length.")] = 1.0,
    record: Annotated[Path | None, typer.Option("--record", help="Keep every arriving order here.")] = None,
    as_json: Json = False,
) -> None:
    """Start the exchange in the background; print its address and the key files (0600) for it.

    Example: interlock sandbox start --venue exchange --port 0 --json
    """
    from engine.api import sandbox
    from venues.sandbox.scenarios import SCENARIOS
    from venues.sandbox.server import Market

    if venue not in VENUES:
        raise Failure("bad_parameter", f"there is no sandbox venue {venue!r}", "use exchange")
    if scenario not in SCENARIOS:
        raise Failure(
            "bad_parameter", f"there is no scenario {scenario!r}", f"one of: {', '.join(SCENARIOS)}"
        )
    market = Market(scenario=scenario, seed=seed, bar_s=bar_seconds)
    with coded_failures():
        ready = asyncio.run(sandbox.start(home_folder(), port, market, record))
    names = "\n".join(f"  {name:9} {path}" for name, path in ready.keys.items())
    text = f"exchange at {ready.url}, account {ready.account}, pid {ready.pid}; keys:\n{names}"
    payload = {"url": ready.url, "account": ready.account, "pid": ready.pid, "keys": ready.keys}
    output.show(payload, text, as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Say whether this home's exchange runs, and where.

    Example: interlock sandbox status --json
    """
    from engine.api import sandbox

    found = sandbox.running(home_folder())
    payload = {"running": found is not None, "exchange": found}
    output.show(
        payload, f"exchange at {found.url}, pid {found.pid}" if found else "no exchange runs", as_json
    )


@app.command()
def stop(as_json: Json = False) -> None:
    """Stop the exchange; its account and every order at it end with it.

    Example: interlock sandbox stop
    """
    from engine.api import sandbox

    was = asyncio.run(sandbox.stop(home_folder()))
    output.show({"stopped": was}, "the exchange has stopped" if was else "no exchange runs", as_json)
