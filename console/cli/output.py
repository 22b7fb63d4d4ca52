"""The only writer of stdout: data, as text for people or as one JSON object for programs.

JSON is pure ASCII, so nothing from outside can reach a terminal as a control or direction character;
in text every cell is cleaned.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from console.cli.failure import Failure
from engine.api.figures import written
from safety.text import clean
from seams.clock import iso_z

SCHEMA_VERSION = 1
MAX_CELL = 66
MAX_LAST = 120
"""The last column may be longer: nothing stands behind it."""
MAX_FACT = 400
MAX_LISTED = 12
EPOCH_NS = 10**17
"""Nanoseconds above this are a time of day since 1973, below it a duration."""


def show(payload: Mapping[str, object], text: str, as_json: bool) -> None:
    """Write a command's result: `payload` for programs, `text` for people."""
    write_line(encode({"schema_version": SCHEMA_VERSION, "ok": True, **payload}) if as_json else text)


def show_failure(failure: Failure) -> None:
    """Write a failure as JSON (the text form goes to stderr)."""
    body = {
        "schema_version": SCHEMA_VERSION,
        "ok": False,
        "code": failure.code,
        "message": failure.message,
        "correction": failure.correction,
    }
    write_line(encode(body))


def write_line(text: str) -> None:
    """Write text that is already clean, with a line end; silent when there is nothing to say."""
    if text:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()


def encode(payload: object) -> str:
    """Return one line of strict ASCII JSON; decimals become strings, NaN becomes null."""
    return json.dumps(_plain(msgspec.to_builtins(payload)), allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def cell(value: object, width: int = MAX_CELL, name: str = "") -> str:
    """Return one value as clean text on one line of at most `width` characters; numbers by `name`'s unit."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_ns") and value > EPOCH_NS:
        return iso_z(value)
    if isinstance(value, int | float):
        return written(name, value)
    if isinstance(value, dict):
        return clean(", ".join(f"{key} {cell(item, width, str(key))}" for key, item in value.items()), width)
    if isinstance(value, list | tuple):
        parts = [cell(item, width) for item in value[:MAX_LISTED]]
        parts += [f"and {len(value) - MAX_LISTED} more"] if len(value) > MAX_LISTED else []
        separator = "; " if any(" " in part for part in parts) else " "
        return clean(separator.join(parts), width) or "-"
    return clean(str(value), width) or "-"


def record(value: object) -> dict[str, object]:
    """Return a façade's record as plain fields."""
    fields = msgspec.to_builtins(value)
    assert isinstance(fields, dict), "a façade returned something that is not a record"
    return fields


def records(value: object) -> list[dict[str, object]]:
    """Return a façade's sequence of records as plain fields."""
    assert isinstance(value, list | tuple), "a façade returned something that is not a sequence"
    return [record(item) for item in value]


def safe_line(line: str) -> str:
    """Return one line of a log, made safe to print."""
    return clean(line, 400)


def table(rows: Iterable[object], columns: Sequence[str], empty: str) -> str:
    """Return records as an aligned table of the named fields, or the `empty` sentence."""
    found = [record(row) for row in rows]
    if not found:
        return empty
    cells = [
        [cell(fields.get(name), MAX_LAST if name == columns[-1] else MAX_CELL, name) for fields in found]
        for name in columns
    ]
    numeric = [_is_numeric(fields.get(name) for fields in found) for name in columns]
    return aligned(
        [list(columns), *(list(line) for line in zip(*cells, strict=True))],
        {place for place, is_right in enumerate(numeric) if is_right},
    )


def aligned(lines: Sequence[Sequence[str]], right: Set[int]) -> str:
    """Return lines of cells in columns as wide as their longest cell; those in `right` end alike."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if place in right else text.ljust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _is_numeric(values: Iterable[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in known)


def facts(value: object) -> str:
    """Return a record's scalar fields as aligned `name  value` lines; lists and records are counted."""
    fields = record(value)
    width = max((len(str(name)) for name in fields), default=0)
    return "\n".join(f"{name!s:<{width}}  {_summary(item, str(name))}" for name, item in fields.items())


def _summary(value: object, name: str) -> str:
    if isinstance(value, dict):
        return cell(
            ", ".join(f"{key}={cell(item, MAX_FACT, str(key))}" for key, item in value.items()), MAX_FACT
        )
    if isinstance(value, list | tuple) and any(isinstance(item, dict | list | tuple) for item in value):
        return f"{len(value)} entries (use --json)"
    return cell(value, MAX_FACT, name)
