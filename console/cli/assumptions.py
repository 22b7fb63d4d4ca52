"""The options that switch assumptions on, made from the table of `engine.api.switches`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from engine.api.switches import BY_NAME, SWITCHES, Switch

PARAMETER = "assumed"
"""A command takes its switches as this mapping: names to what was asked for, the others left out."""
ALL = tuple(BY_NAME)
TYPES: dict[str, type] = {"number": float, "whole": int, "word": str, "tiers": str}


def with_switches(names: Iterable[str] = ALL) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each named switch, before its own last ones."""
    chosen = set(names)
    rows = [row for row in SWITCHES if row.name in chosen]

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.name != PARAMETER]
        assert not {each.name for each in own} & chosen, "an option stands twice"
        made = [_parameter(row) for row in rows]
        at = next((at for at, each in enumerate(own) if each.name == "json_request"), len(own) - 1)

        @functools.wraps(command)
        def run(**given: Any) -> None:
            asked = {row.name: given.pop(row.name) for row in rows}
            # By identity: a fee of 0 is asked for, and equals False.
            assumed = {name: value for name, value in asked.items() if not (value is None or value is False)}
            command(**given, **{PARAMETER: assumed})

        parameters = [*own[:at], *made, *own[at:]]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
        return run

    return wrap


def _parameter(row: Switch) -> inspect.Parameter:
    words = row.doc if row.off in (None, "", False) else f"{row.doc} [{row.off}]"
    option = typer.Option(row.option, help=f"{words}.")
    kind: Any = bool if row.kind == "flag" else TYPES[row.kind] | None
    return inspect.Parameter(
        row.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=False if row.kind == "flag" else None,
        annotation=Annotated[kind, option],
    )
