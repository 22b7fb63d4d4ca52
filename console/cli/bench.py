"""`interlock bench`: what the kernel does in a second, beside a plain C loop of the same work."""

from __future__ import annotations

import importlib
import sys
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from console.cli import diagnostics, output
from console.cli.failure import Failure
from console.cli.options import Json

COLUMNS = ("name", "unit", "ours", "c", "ratio")
ROOT = Path(__file__).resolve().parents[2]


class Bench(StrEnum):
    """What can be measured."""

    KERNEL = "kernel"
    SWEEP = "sweep"
    PORTFOLIO = "portfolio"
    BOOK = "book"


def bench(
    name: Annotated[Bench, typer.Argument(help="What to measure.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Measure ours and a plain C loop in turn on this machine, and check that both give the same results.

    The C loops are compiled from the checkout's benchmarks folder; a wheel does not carry them.

    Example: interlock bench sweep --json
    """
    module = _module(name.value)
    diagnostics.say(f"measuring {name.value}: some ten seconds, longer on a busy machine")
    try:
        rows, is_equal = module.rows()
    except FileNotFoundError as error:
        if error.filename not in (None, "gcc"):
            raise Failure(
                "not_found", f"there is no {error.filename}", "set INTERLOCK_SHARED to the data folder"
            ) from error
        is_compiler = str(error.filename).endswith("gcc")
        correction = "install gcc" if is_compiler else "set INTERLOCK_SHARED to the shared material"
        raise Failure("not_installed", f"{error.filename or error} is not here", correction) from error
    if not is_equal:
        raise Failure(
            "checks_failed", f"{name.value}: ours and the C loop's results differ", "do not use this build"
        )
    found = [{column: getattr(row, column) for column in COLUMNS} for row in rows]
    output.show({"bench": name.value, "rows": found}, output.table(found, COLUMNS, "no rows"), as_json)


def _module(name: str) -> ModuleType:
    """Import the checkout's `benchmarks.NAME`. Raises `Failure` where it is not there."""
    if not (ROOT / "benchmarks" / f"{name}.py").is_file():
        raise Failure(
            "not_installed",
            f"benchmarks/{name}.py is not here: an installed wheel has no benchmarks",
            "run the command from a checkout: the C loops are compiled there",
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(f"benchmarks.{name}")
