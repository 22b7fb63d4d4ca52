"""`interlock replay`: execute a record again and hold it against itself, decision by decision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.exit_codes import ExitCode
from console.cli.guard import failures
from console.cli.options import Json
from engine.api import parity
from engine.api.home import home_folder

COLUMNS = ("cause", "table", "row", "field", "recorded", "replayed", "delta")
FACTS = ("subject", "kind", "verdict", "is_evidence", "reason_codes", "is_bit_equal", "recorded", "replayed",
         "counts", "path")  # fmt: skip


def replay(
    subject: Annotated[str, typer.Argument(help="A run or a paper session.")],
    data: Annotated[str, typer.Option("--data", help="The record's bars; or a portfolio's folder.")] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="The record's strategy file, if any.")] = "",
    allow_hash_mismatch: Annotated[
        bool, typer.Option("--allow-hash-mismatch", help="Replay another kernel's record; no evidence then.")
    ] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Where the report is written.")] = None,
    as_json: Json = False,
) -> None:
    """Execute a record again and compare it, decision by decision; exit 2 where anything differs.

    Example: interlock replay 20260101_120000_run_ab12cd3
    """
    with failures():
        made = parity.replay(
            home_folder(),
            subject,
            data=data,
            strategy=strategy,
            allows_other_kernel=allow_hash_mismatch,
            report_path=report,
            on_progress=lambda done, total: diagnostics.progress(done, total, "bars"),
        )
    found = output.record(made)
    text = output.facts({name: found[name] for name in FACTS})
    table = output.table(output.records(found["differences"]), COLUMNS, "no differences")
    output.show({"replay": made}, f"{text}\n\n{table}", as_json)
    if found["verdict"] != "pass":
        raise typer.Exit(ExitCode.USAGE)
