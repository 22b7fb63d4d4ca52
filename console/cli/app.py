"""The root of the command line: finds the noun, loads only its module, turns failures into exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from console.cli import diagnostics, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.origin import demand_one_root


class Noun(NamedTuple):
    """Where a noun's commands live: a typer app (a group), or one function (a command)."""

    module: str
    attribute: str
    is_group: bool = False
    is_alias: bool = False


NOUNS: dict[str, Noun] = {
    "console": Noun("desk", "console"),
    "tui": Noun("desk", "console", is_alias=True),
    "demo": Noun("desk", "demo"),
    "simulate": Noun("trial", "simulate"),
    "sim": Noun("sim", "app", is_group=True),
    "drill": Noun("drill", "app", is_group=True),
    "watchdog": Noun("watchdog", "app", is_group=True),
    "sandbox": Noun("sandbox", "app", is_group=True),
    "backtest": Noun("trial", "backtest"),
    "dry-run": Noun("dry_run", "app", is_group=True),
    "status": Noun("status", "status"),
    "health": Noun("status", "health"),
    "watch": Noun("status", "watch"),
    "gates": Noun("gates", "app", is_group=True),
    "events": Noun("status", "events"),
    "limits": Noun("limits", "limits", is_group=True),
    "policy": Noun("limits", "policy", is_group=True),
    "risk": Noun("risk", "app", is_group=True),
    "rollback": Noun("rollback", "rollback"),
    "kill": Noun("kill", "kill"),
    "resume": Noun("kill", "resume"),
    "flatten": Noun("kill", "flatten"),
    "flat-now": Noun("kill", "flatten", is_alias=True),
    "tickets": Noun("tickets", "app", is_group=True),
    "lease": Noun("lease", "app", is_group=True),
    "approvals": Noun("approvals", "app", is_group=True),
    "arm": Noun("arming", "app", is_group=True),
    "venue": Noun("venue", "app", is_group=True),
    "operator": Noun("operators", "app", is_group=True),
    "orders": Noun("trading", "orders", is_group=True),
    "positions": Noun("trading", "positions"),
    "reconcile": Noun("reconcile", "app", is_group=True),
    "alarms": Noun("alarms", "app", is_group=True),
    "evidence": Noun("submit", "evidence", is_group=True),
    "submit": Noun("submit", "app", is_group=True),
    "incidents": Noun("incidents", "app", is_group=True),
    "paper": Noun("paper", "app", is_group=True),
    "run": Noun("run", "app", is_group=True),
    "runs": Noun("run", "app", is_group=True, is_alias=True),
    "strategy": Noun("strategy", "app", is_group=True),
    "strategies": Noun("strategy", "app", is_group=True, is_alias=True),
    "sweep": Noun("sweep", "app", is_group=True),
    "sweeps": Noun("sweep", "app", is_group=True, is_alias=True),
    "walkforward": Noun("walkforward", "app", is_group=True),
    "forward": Noun("forward", "app", is_group=True),
    "portfolio": Noun("portfolio", "app", is_group=True),
    "crucible": Noun("crucible", "app", is_group=True),
    "job": Noun("job", "app", is_group=True),
    "schedule": Noun("schedule", "app", is_group=True),
    "forge": Noun("forge", "app", is_group=True),
    "verify": Noun("forge", "verify"),
    "validate": Noun("validate", "validate"),
    "replay": Noun("replay", "replay"),
    "past": Noun("past", "app", is_group=True),
    "drift": Noun("drift", "drift"),
    "state": Noun("state", "app", is_group=True),
    "dump-indicators": Noun("indicators", "dump_indicators"),
    "data": Noun("data", "app", is_group=True),
    "feed": Noun("feed", "app", is_group=True),
    "book": Noun("book", "app", is_group=True),
    "engine": Noun("engine", "app", is_group=True),
    "config": Noun("evidence", "config", is_group=True),
    "bench": Noun("bench", "bench"),
    "check": Noun("evidence", "check"),
    "keys": Noun("evidence", "keys"),
    "doctor": Noun("evidence", "doctor"),
    "audit": Noun("audit", "app", is_group=True),
    "runbook": Noun("evidence", "runbook", is_group=True),
    "runbooks": Noun("evidence", "runbook", is_group=True, is_alias=True),
}
GLOBALS_WITH_VALUE = ("--home",)


def main() -> None:
    """Run the command line and leave with its exit code."""
    if not sys.stdout.isatty():
        os.environ.setdefault("TYPER_USE_RICH", "0")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code. Writes to stdout and stderr."""
    as_json = "--json" in arguments or "--jsonl" in arguments
    try:
        demand_one_root()
        command = build(noun_of(arguments))
        result = command(args=list(arguments), prog_name="interlock", standalone_mode=False)
        return int(result) if isinstance(result, int) else int(ExitCode.OK)
    except Failure as failure:
        return _end(failure, as_json)
    except (typer.Abort, KeyboardInterrupt):
        return _end(Failure("interrupted", "interrupted; a command already sent was not taken back"), as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.REFUSED)
    except typer.TyperException as wrong:
        return _end(_usage(wrong), as_json)


def build(noun: str | None = None) -> typer.Typer:
    """Return the command tree: the whole of it, or only the named noun's part."""
    markup = "rich" if sys.stdout.isatty() else None
    tree = typer.Typer(
        name="interlock",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=markup,  # type: ignore[arg-type]  # a literal type of typer's own
        context_settings={"help_option_names": ["-h", "--help"]},
        invoke_without_command=True,
    )
    tree.callback()(root)
    for name, place in NOUNS.items():
        if noun not in (None, name):
            continue
        found = getattr(importlib.import_module(f"console.cli.{place.module}"), place.attribute)
        if place.is_group:
            tree.add_typer(found, name=name, hidden=place.is_alias)
        else:
            tree.command(name, hidden=place.is_alias)(found)
    return tree


def noun_of(arguments: Sequence[str]) -> str | None:
    """Return the noun among the arguments; None where there is none, or none we know."""
    words = iter(arguments)
    for word in words:
        if word in GLOBALS_WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return word if word in NOUNS else None
    return None


def root(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option("--home", help="The desk's folder (INTERLOCK_HOME).")] = None,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Examine the installation; JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Interlock: supervised systematic trading from the terminal. Alone, it opens the console.

    Example: interlock demo
    """
    if home is not None:
        os.environ["INTERLOCK_HOME"] = str(home)
    if show_version:
        raise typer.Exit(_version(as_json))
    if check:
        raise typer.Exit(_check())
    if context.invoked_subcommand is None:
        _open_console()(as_json=as_json)


def _open_console() -> Callable[..., None]:
    from console.cli.desk import console

    return console


def _version(as_json: bool) -> int:
    from console.cli.installation import version

    output.show({"version": version(), "protocol": output.SCHEMA_VERSION}, f"interlock {version()}", as_json)
    return int(ExitCode.OK)


def _check() -> int:
    from console.cli.installation import report

    found = report()
    output.write_line(output.encode(found))
    return int(ExitCode.OK if found["status"] == "ok" else ExitCode.USAGE)


def _usage(wrong: typer.TyperException) -> Failure:
    """Turn typer's complaint into ours; it knows which option and which value."""
    say = getattr(wrong, "format_message", None)
    message = str(say()) if callable(say) else str(wrong)
    return Failure("usage", message or "the command is not complete", "see --help of the command")


def _end(failure: Failure, as_json: bool) -> int:
    if as_json:
        output.show_failure(failure)
    else:
        diagnostics.complain(failure)
    return int(failure.exit_code)
