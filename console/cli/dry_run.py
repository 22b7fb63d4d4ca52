"""`interlock dry-run`: judge an order that nobody sends, and look at the registry of those that were not."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from console.cli import facade, output
from console.cli.exit_codes import ExitCode
from console.cli.guard import failures
from console.cli.options import Json
from engine.api.home import home_folder

LOCAL, DRY_RUNS = "engine.api.local", "engine.api.dry_runs"
CHECK_COLUMNS = ("name", "now", "after", "limit", "result", "reason")
COLUMNS = ("dry_run_id", "generated_at", "adapter_name", "symbol", "side", "quantity", "state", "reasons")
FACTS = ("adapter_name", "generated_at", "state", "reasons", "said", "payload_sha256")
app = typer.Typer(help="Orders that are judged and never sent: order, list, show, index.")


@app.callback()
def room() -> None:
    """Judge an order without sending it, and look at what a dry-run engine (mode dry_live) would have sent.

    Example: interlock dry-run list
    """


@app.command("order")
def judge_order(
    symbol: Annotated[str, typer.Option("--symbol", help="Such as BTC-PERP.")] = "",
    side: Annotated[str, typer.Option("--side", help="buy or sell.")] = "",
    quantity: Annotated[str, typer.Option("--quantity", help="A positive multiple of the lot.")] = "",
    limit_price: Annotated[str, typer.Option("--limit-price", help="The worst acceptable price.")] = "",
    stop_loss: Annotated[str, typer.Option("--stop-loss", help="The protective stop.")] = "",
    mark_price: Annotated[
        str, typer.Option("--mark-price", help="The market's price (default: the limit).")
    ] = "",
    order_type: Annotated[str, typer.Option("--type", help="market or limit.")] = "limit",
    time_in_force: Annotated[str, typer.Option("--tif", help="ioc, gtc or post_only.")] = "gtc",
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Close only; needs no stop.")] = False,
    as_json: Json = False,
) -> None:
    """Judge one order, write the audit artifact, send nothing; exit 1 where it is refused.

    Example: interlock dry-run order --symbol BTC-PERP --side buy --quantity 1 --limit-price 64 --stop-loss 63
    """
    raw: dict[str, object] = {
        "symbol": symbol,
        "side": side,
        "quantity": quantity,
        "limit_price": limit_price,
        "stop_loss": stop_loss,
        "mark_price": mark_price,
        "order_type": order_type,
        "time_in_force": time_in_force,
        "reduce_only": reduce_only,
    }
    made = output.record(facade.function(LOCAL, "run_dry")(raw, home_folder(), dict(os.environ)))
    if "error_code" in made:
        output.show({"feedback": made}, output.facts(made), as_json)
        raise typer.Exit(ExitCode.USAGE)
    verdict = output.record(made["preflight"])
    checks = output.table(output.records(verdict["checks"]), CHECK_COLUMNS, "no checks")
    word = "allowed" if verdict["allowed"] else f"refused: {output.cell(verdict['reasons'], 400)}"
    word += f"\n{output.safe_line(str(made['said']))}" if made["said"] else ""
    output.show({"dry_run": made}, f"{checks}\n\n{word}\n{made['path']}", as_json)
    if not verdict["allowed"]:
        raise typer.Exit(ExitCode.REFUSED)


@app.command("list")
def list_dry_runs(as_json: Json = False) -> None:
    """List dry runs, newest first; no engine is needed.

    Example: interlock dry-run list --json
    """
    with failures():
        rows = output.records(facade.function(DRY_RUNS, "list_dry_runs")(home_folder()))
    output.show({"dry_runs": rows}, output.table(rows, COLUMNS, "no dry runs"), as_json)


@app.command()
def show(dry_run_id: str, as_json: Json = False) -> None:
    """Show one dry run: intent, checks, and the payload that was not sent.

    Example: interlock dry-run show O-1-0001 --json
    """
    with failures():
        found = output.record(facade.function(DRY_RUNS, "show_dry_run")(home_folder(), dry_run_id))
    verdict = output.record(found["preflight"])
    checks = output.table(output.records(verdict["checks"]), CHECK_COLUMNS, "no checks")
    facts = {
        name: found[name] for name in ("adapter_name", "generated_at", "state", "said", "payload_sha256")
    }
    output.show({"dry_run": found}, f"{output.facts(facts)}\n\n{checks}\n{found['path']}", as_json)
    if found["state"] != "would":
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def index(as_json: Json = False) -> None:
    """Write the registry's index (json, csv, md) from the folders; the same every time they are the same.

    Example: interlock dry-run index
    """
    with failures():
        found = output.record(facade.function(DRY_RUNS, "index_dry_runs")(home_folder()))
    text = f"{found['n_dry_runs']} dry runs: {found['state_counts']}"
    output.show({"index": found}, text, as_json)
