"""`interlock config`, `check`, `doctor` and `runbook`: what can be known without an engine, and ticks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Annotated

import msgspec
import typer

from console.cli import diagnostics, facade, link, output
from console.cli.exit_codes import ExitCode
from console.cli.failure import Failure
from console.cli.guard import failures
from console.cli.options import Json, Operator, operator_name
from engine.api import research
from engine.api.corridor import RunbookSteps, RunbookTick
from engine.api.home import home_folder

LOCAL, SUBMITS = "engine.api.local", "engine.api.submits"
config = typer.Typer(help="Settings and where they come from.")
runbook = typer.Typer(help="Runbooks: list, show, steps, tick.")
PART_COLUMNS = ("part", "state", "detail")
KEY_COLUMNS = ("name", "reference", "age_days", "most_days", "state")
STEP_COLUMNS = ("step", "at", "by", "note", "said")
CHECK_COLUMNS = ("check", "result", "detail")


@config.callback()
def config_room() -> None:
    """Show the settings in force.

    Example: interlock config show --origin
    """


@config.command("show")
def show_config(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    symbol: Annotated[str, typer.Option("--symbol", help="With the overlay of this symbol.")] = "",
    as_json: Json = False,
) -> None:
    """Show every setting; secrets are never part of it.

    Example: interlock config show --origin --symbol BTC-PERP
    """
    with failures():
        loaded = research.load_config_with_origins(home_folder())
        settings = loaded.effective(symbol) if symbol else loaded.settings
    rows = list(_settings("", settings.model_dump(mode="json"), loaded.origins))
    columns = ("key", "value", "origin") if origin else ("key", "value")
    kept = [{name: row.get(name) for name in columns} for row in rows]
    output.show({"settings": kept}, output.table(kept, columns, "no settings"), as_json)


def _settings(
    prefix: str, tree: Mapping[str, object], origins: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """Yield each setting with its dotted key and its origin; a branch lends its origin to its leaves."""
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield from _settings(f"{key}.", value, origins)
        else:
            known = (origins[part] for part in _ancestors(key) if part in origins)
            yield {"key": key, "value": value, "origin": next(known, "defaults")}


def _ancestors(key: str) -> list[str]:
    """Return the key, then each shorter one above it."""
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def check(as_json: Json = False) -> None:
    """Check settings, folders, data and safety files of this home; exit 1 when one fails.

    Example: interlock check --json
    """
    rows = output.records(facade.function(LOCAL, "check")(home_folder()))
    failed = [row for row in rows if row.get("result") == "fail"]
    payload = {"passed": not failed, "checks": rows}
    output.show(payload, output.table(rows, CHECK_COLUMNS, "nothing to check"), as_json)
    if failed:
        raise typer.Exit(ExitCode.REFUSED)


def keys(as_json: Json = False) -> None:
    """Show every key that the settings name: where it is kept and how old it is; exit 1 for a missing one.

    Example: interlock keys --json
    """
    with failures():
        rows = output.records(facade.function(LOCAL, "key_rows")(home_folder()))
    output.show({"keys": rows}, output.table(rows, KEY_COLUMNS, "no key is configured"), as_json)
    if any(row.get("state") == "missing" for row in rows):
        raise typer.Exit(ExitCode.REFUSED)


def doctor(as_json: Json = False) -> None:
    """Examine this installation: import every library, look at disk, bus server and terminal.

    Exit 1 when a part failed; each failed part says what to do.

    Example: interlock doctor
    """
    rows = output.records(facade.function(LOCAL, "doctor")(home_folder(), tell=diagnostics.progress))
    is_healthy = all(row.get("state") in ("ok", "off", "slow") for row in rows)
    to_do = [f"to do, {row['part']}: {output.cell(row['correction'], output.MAX_FACT)}" for row in rows
             if row.get("correction")]  # fmt: skip
    text = "\n".join([output.table(rows, PART_COLUMNS, "no parts"), *to_do])
    output.show({"healthy": is_healthy, "parts": rows}, text, as_json)
    if not is_healthy:
        raise typer.Exit(ExitCode.REFUSED)


@runbook.callback()
def runbook_room() -> None:
    """Read what to do, no engine is needed; tick what was done for a corridor session.

    Example: interlock runbook ls
    """


@runbook.command("list", hidden=True)
@runbook.command("ls")
def list_runbooks(as_json: Json = False) -> None:
    """List the runbooks.

    Example: interlock runbook ls
    """
    rows = [{"name": name, "title": _text(name).partition("\n")[0].lstrip("# ")} for name in _names()]
    output.show({"runbooks": rows}, output.table(rows, ("name", "title"), "no runbooks"), as_json)


@runbook.command("show")
def show_runbook(name: str, as_json: Json = False) -> None:
    """Print one runbook.

    Example: interlock runbook show kill-and-resume
    """
    if name not in _names():
        raise Failure("not_found", f"there is no runbook {name!r}", "see `interlock runbook ls`")
    output.show({"name": name, "markdown": _text(name)}, _text(name), as_json)


@runbook.command("steps")
def runbook_steps(session_id: str, as_json: Json = False) -> None:
    """Show the steps of a corridor session's runbook: which were ticked, by whom, and what was seen.

    Example: interlock runbook steps X-01
    """
    with failures():
        found = output.record(facade.function(SUBMITS, "show_submit")(home_folder(), session_id))
    books = output.records(found["runbooks"])
    output.show({"runbooks": books}, "\n\n".join(map(_steps_text, books)), as_json)


@runbook.command("tick")
def tick_step(
    session_id: str,
    step: Annotated[int, typer.Argument(min=1, help="The step's number.")],
    reason: Annotated[str, typer.Option("--reason", help="What was done and seen: required.")] = "",
    book: Annotated[str, typer.Option("--book", help="Another runbook than the venue's.")] = "",
    operator: Operator = "",
    as_json: Json = False,
) -> None:
    """Tick a step of the runbook for a corridor session; it is kept with the session and on the record.

    Example: interlock runbook tick X-01 3 --reason "readiness is ok, the key cannot withdraw"
    """
    if not reason.strip():
        raise Failure("reason_required", "a tick is evidence", "say with --reason what was done and seen")
    body = RunbookTick(session_id=session_id, step=step, book=book)
    made = link.act(body, RunbookSteps, operator=operator_name(operator), reason=reason)
    found = output.record(msgspec.to_builtins(made))
    output.show({"runbook": found}, _steps_text(found), as_json)


def _steps_text(book: dict[str, object]) -> str:
    rows = [
        {**(output.record(row["tick"]) if row["tick"] else {}), "step": row["number"], "said": row["said"]}
        for row in output.records(book["steps"])
    ]
    done = sum(1 for row in rows if "at" in row)
    return f"{book['book']}: {done} of {len(rows)}\n{output.table(rows, STEP_COLUMNS, 'no steps')}"


def _names() -> list[str]:
    folder = resources.files("runbooks")
    return sorted(item.name.removesuffix(".md") for item in folder.iterdir() if item.name.endswith(".md"))


def _text(name: str) -> str:
    return resources.files("runbooks").joinpath(f"{name}.md").read_text(encoding="utf-8")
