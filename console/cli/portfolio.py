"""`interlock portfolio`: forward sessions as one portfolio; it works with no engine."""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import output
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.headless import JsonRequest, SignalFile, read_request, signals
from console.cli.options import Json
from engine.api import forward
from engine.api.home import home_folder

app = typer.Typer(help="Portfolios over forward sessions: aggregate.")
MODES = ("raw_capital", "equal_weight", "custom_weight")
COLUMNS = ("mode", "initial_usd", "final_usd", "total_return", "sharpe_simple", "max_drawdown")
MEMBERS = ("session_id", "strategy", "ticker", "interval", "weight", "initial_usd", "pnl_usd", "trades")


@app.callback()
def room() -> None:
    """See forward sessions as one portfolio.

    Example: interlock portfolio aggregate --mode equal_weight
    """


@app.command("report", hidden=True)
@app.command()
def aggregate(
    sessions: Annotated[list[str] | None, typer.Argument(help="Forward sessions; all without any.")] = None,
    mode: Annotated[str, typer.Option("--mode", help=f"One of {', '.join(MODES)}.")] = "",
    weight: Annotated[
        list[str] | None, typer.Option("--weight", help="SESSION=SHARE; may be repeated; they sum to 1.")
    ] = None,
    top_n: Annotated[int, typer.Option("--top-n", min=0, help="Keep the best so many sessions.")] = 0,
    metric: Annotated[str, typer.Option("--metric", help="What is best for --top-n.")] = "",
    compares: Annotated[bool, typer.Option("--compare", help="Report the other modes beside it.")] = False,
    json_request: JsonRequest = None,
    signal_file: SignalFile = None,
    as_json: Json = False,
) -> None:
    """Aggregate forward sessions and write a report that states the mode.

    Example: interlock portfolio aggregate --mode equal_weight --top-n 3 --compare
    """
    asked = read_request(json_request, "portfolio", signal_file)
    given: dict[str, object] = {
        "sessions": tuple(sessions or ()),
        "mode": mode or ("custom_weight" if weight else ""),
        "weights": _weights(weight or []),
        "top_n": top_n,
        "metric": metric,
        "compares": compares,
    }
    fields = {**asked.params, **{key: value for key, value in given.items() if value}}
    fields["request_id"] = asked.request_id
    with signals(signal_file, "portfolio", asked.request_id) as sender, failures():
        made = forward.aggregate(fields, home_folder())
        report_path = f"{made.path}/portfolio_report.json"
        sender.send(
            "SESSION_COMPLETED",
            "success",
            run_id=made.portfolio_id,
            artifacts_path=made.path,
            report_path=report_path,
        )
    rows = [{**output.record(each), **each.metrics} for each in made.results]
    text = "\n\n".join(
        (
            f"mode {made.mode}; members: {made.selection}\n{made.path}",
            output.table(rows, COLUMNS, "nothing"),
            output.table(made.results[0].members, MEMBERS, "no members"),
        )
    )
    output.show({"portfolio": made}, text, as_json)


def _weights(pairs: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for pair in pairs:
        name, _, share = pair.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            name, value = "", 0.0
        if not name or name in found:
            raise Failure(
                "bad_parameter", f"{pair!r} is not SESSION=SHARE, once each", "write --weight ID=0.5"
            )
        found[name] = value
    return found
