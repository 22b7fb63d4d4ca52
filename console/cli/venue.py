"""`interlock venue`: what the adapters can do, and how the engine stands with its venue."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
import typer

from console.cli import facade, link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from engine.api.home import home_folder
from engine.api.venues import BAD_KEYS, FINE_KEYS, VenueShow, VenueView, key_said

app = typer.Typer(help="Venues: list, show, check, account, keys, limits, dead-man, calls.")
KNOWN, CALLS = "engine.api.known_venues", "engine.api.venue_calls"
LIST_COLUMNS = ("venue", "environments", "is_configured")
KEY_COLUMNS = ("name", "role", "public", "days_left", "can_withdraw", "state", "refused", "may")
BUDGET_COLUMNS = ("name", "unit", "used", "cap", "left", "reserve", "state")
CALL_COLUMNS = ("ts", "request_id", "asked", "outcome", "status", "waited_ms", "took_ms", "said")
POSITION_COLUMNS = ("symbol", "quantity", "entry_price", "mark_price")
ASK_S = 20.0


@app.callback()
def room() -> None:
    """Look at venues; nothing here trades.

    Example: interlock venue check
    """


@app.command("list")
def list_venues(as_json: Json = False) -> None:
    """List the venues that this build has adapters for; no engine is needed.

    Example: interlock venue list --json
    """
    rows = _known()
    output.show({"venues": rows}, output.table(rows, LIST_COLUMNS, "no venues"), as_json)


@app.command()
def show(
    venue: Annotated[str, typer.Option("--venue", help="Which one: hyperliquid or kraken.")],
    as_json: Json = False,
) -> None:
    """Show what one venue can do natively; what it cannot is done by the engine. No engine is needed.

    Example: interlock venue show --venue kraken
    """
    rows = {str(row["venue"]): row for row in _known()}
    if venue not in rows:
        raise Failure("bad_parameter", f"there is no adapter of {venue!r}", f"one of: {', '.join(rows)}")
    found = rows[venue]
    output.show({"venue": found}, output.facts(output.record(found["capabilities"])), as_json)


@app.command()
def check(as_json: Json = False) -> None:
    """Ask the engine's venue now: link, keys, budgets, books; exit 1 where something is wrong.

    Example: interlock venue check --json
    """
    view = _fresh()
    facts = {
        "venue": f"{view.venue} {view.environment}, {view.mode}",
        "account": view.account,
        "state": view.state,
        "custody": view.custody,
        "markets": f"{view.markets} listed",
        "keys": ", ".join(key_said(key) for key in view.keys) or "none asked",
        "budgets": ", ".join(f"{each.name} {each.left:.0%} left" for each in view.budgets) or "none",
        "dead man": f"{view.dead_man.state}: {view.dead_man.said}",
        "warnings": "; ".join(view.warnings) or "none",
        "problems": "; ".join(view.problems) or "none",
    }
    output.show({"venue": view}, output.facts(facts), as_json)
    is_bad = view.problems or view.state != "up" or any(key.state in BAD_KEYS for key in view.keys)
    if is_bad:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def account(as_json: Json = False) -> None:
    """Show the account as the venue states it now; exit 1 where it did not say.

    Example: interlock venue account --json
    """
    view = _fresh()
    snapshot = view.snapshot
    if snapshot is None:
        raise Failure("venue_unreachable", "; ".join(view.problems) or "the venue did not say", "try again")
    text = (
        f"{view.venue} {snapshot.account_id}: cash {snapshot.cash_usd} USD, equity {snapshot.equity_usd} USD"
    )
    rows = [msgspec.to_builtins(each) for each in snapshot.positions]
    table = output.table(rows, POSITION_COLUMNS, "no positions")
    output.show({"account": snapshot}, f"{text}\n\n{table}", as_json)


@app.command()
def keys(as_json: Json = False) -> None:
    """Show our keys as the venue sees them: until when, and what they may; exit 1 for one that must go.

    An end that the venue does not tell (an agent without a name) is a warning; arming refuses it.

    Example: interlock venue keys
    """
    view = _fresh()
    lines = [output.table(view.keys, KEY_COLUMNS, "no keys")]
    lines += [output.safe_line(f"warning: {each}") for each in view.warnings]
    lines += [output.safe_line(f"problem: {each}") for each in view.problems]
    body = {"keys": view.keys, "warnings": view.warnings, "problems": view.problems}
    output.show(body, "\n".join(lines), as_json)
    if view.problems or any(key.state not in FINE_KEYS for key in view.keys):
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def limits(as_json: Json = False) -> None:
    """Show the venue's rate budgets: used, left, and what is kept for cancels; exit 1 at that.

    Example: interlock venue limits --json
    """
    view = _fresh()
    output.show({"budgets": view.budgets}, output.table(view.budgets, BUDGET_COLUMNS, "no limits"), as_json)
    if any(each.state != "ok" for each in view.budgets):
        raise typer.Exit(ExitCode.REFUSED)


@app.command("dead-man")
def dead_man(as_json: Json = False) -> None:
    """Show the venue's own dead man's switch; armed only where the venue said so. Exit 1 where it refused.

    Example: interlock venue dead-man
    """
    row = link.ask(VenueShow(), VenueView).dead_man
    left = f", {row.left_s} s left" if row.left_s else ""
    output.show({"dead_man": row}, f"{row.state.upper()}: {row.said}{left}", as_json)
    if row.state == "refused":
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def calls(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest so many.")] = 50,
    about: Annotated[str, typer.Option("--about", help="Only what asks this, such as orderStatus.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only those without a readable 200.")] = False,
    as_json: Json = False,
) -> None:
    """List what was asked of the venue, newest first: when, what, how it ended and how long it took.

    No engine is needed, and no key, signature or body stands in it.

    Example: interlock venue calls --about AddOrder --failed
    """
    with failures():
        found = facade.function(CALLS, "venue_calls")(home_folder(), limit, about, failed)
    rows = output.records(found)
    output.show({"calls": rows}, output.table(rows, CALL_COLUMNS, "no calls"), as_json)


def _known() -> list[dict[str, object]]:
    with failures():
        return output.records(facade.function(KNOWN, "known_venues")(home_folder(), dict(os.environ)))


def _fresh() -> VenueView:
    return link.ask(VenueShow(is_fresh=True), VenueView, timeout_s=ASK_S)
