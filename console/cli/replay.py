"""`interlock replay`: execute a record again and hold it against itself, decision by decision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json
from console.cli.past import OfIncident, OfSession, open_past, show
from engine.api import parity
from engine.api.home import home_folder

COLUMNS = ("cause", "table", "row", "field", "recorded", "replayed", "delta")
FACTS = ("subject", "kind", "verdict", "is_evidence", "reason_codes", "is_bit_equal", "trusted", "recorded",
         "replayed", "counts", "ledger_path", "path")  # fmt: skip
LEDGER = (
    "status", "cause", "rank", "config_id", "axis_path", "sample_value", "trade_delta", "balance_delta",
    "pnl_delta", "is_bit_equal",
)  # fmt: skip
SHOWN_ROWS = 20


def replay(
    subject: Annotated[
        list[str] | None,
        typer.Argument(help="A run, a sweep or a paper session; or parity ledgers (.jsonl)."),
    ] = None,
    top: Annotated[
        int,
        typer.Option("--top", min=1, max=10_000, help="A sweep: so many of its best, and its shortlist."),
    ] = parity.TOP,
    data: Annotated[str, typer.Option("--data", help="The record's bars, where they are not found.")] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="The record's strategy file, if any.")] = "",
    allow_hash_mismatch: Annotated[
        bool, typer.Option("--allow-hash-mismatch", help="Replay another kernel's record; no evidence then.")
    ] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Where the report is written.")] = None,
    at: Annotated[
        str, typer.Option("--at", help="Instead: open the desk as it was (`interlock past`).")
    ] = "",
    incident: OfIncident = "",
    session: OfSession = "",
    as_json: Json = False,
) -> None:
    """Execute a record again and compare it, decision by decision; exit 2 where anything differs.

    A sweep's candidates go into a parity ledger, one line for each value on each axis. With --at, --incident
    or --session nothing is executed: the desk is looked at as it was, like `interlock past open` (or `show`).

    Example: interlock replay 20260101_120000_run_ab12cd3
    """
    if not subject:
        if not (at or incident or session):
            raise Failure("usage", "no record is named", "name a run, or an instant with --at")
        (show if as_json else open_past)(at=at, incident=incident, session=session, as_json=as_json)
        return
    if at or incident or session:
        raise Failure("usage", "a record and an instant are named", "name one of them")
    if all(name.endswith(".jsonl") for name in subject):
        _judge([Path(name) for name in subject], as_json)
        return
    if len(subject) > 1:
        raise Failure(
            "bad_parameter", f"{len(subject)} records are named", "name one; ledgers may be several"
        )
    with failures():
        made = parity.replay(
            home_folder(),
            subject[0],
            data=data,
            strategy=strategy,
            allows_other_kernel=allow_hash_mismatch,
            top=top,
            report_path=report,
            on_progress=lambda done, total: diagnostics.progress(done, total, "bars or candidates"),
        )
        rows = parity.read_ledger(Path(made.ledger_path)) if made.ledger_path else ()
    found = output.record(made)
    text = output.facts({name: found[name] for name in FACTS})
    tables = [output.table(output.records(found["differences"]), COLUMNS, "no differences")]
    if made.ledger_path:
        tables.append(output.table(rows[:SHOWN_ROWS], LEDGER, "no candidate was compared"))
    tables.append(f"trusted where they disagree: {parity.trust_order()}")
    body = {"replay": made, "ledger": rows} if made.ledger_path else {"replay": made}
    output.show(body, "\n\n".join((text, *tables)), as_json)
    if found["verdict"] != "pass":
        raise typer.Exit(ExitCode.USAGE)


def _judge(paths: list[Path], as_json: bool) -> None:
    """Judge ledgers as they lie there, together; exit 2 unless every row passed under one contract."""
    try:
        found = parity.judge_ledgers(paths)
    except OSError as error:
        raise Failure("not_found", f"{error.filename}: {error.strerror}", "name a ledger") from error
    except ValueError as error:
        raise Failure(
            "bad_parameter", str(error), "name files that `interlock replay SWEEP` wrote"
        ) from error
    if found.verdict == "mixed_contract":
        raise Failure(
            "mixed_contract",
            f"the rows are of {len(found.contract_hashes)} contracts: the whole ledger is invalid",
            "judge ledgers of one data window, kernel, cost model and candidate set together",
        )
    output.show({"ledger": found}, output.facts(found), as_json)
    if found.verdict != "pass":
        raise typer.Exit(ExitCode.USAGE)
