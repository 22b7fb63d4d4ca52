"""The file of an order: one JSON object, read strictly."""

from __future__ import annotations

import json
from pathlib import Path

from console.cli.failure import Failure

MAX_BYTES = 65_536


def read_form(file: Path) -> dict[str, object]:
    """Read one JSON object strictly: no repeated keys, no NaN, no more than 64 KiB."""
    try:
        data = file.read_bytes()
        if len(data) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        tree = json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise Failure("bad_parameter", f"{file}: {error}", "give a file with one JSON object") from error
    if not isinstance(tree, dict):
        raise Failure("bad_parameter", f"{file} holds no JSON object", "give the order's fields in braces")
    return tree


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not a number")
