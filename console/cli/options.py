"""Options that many commands share, and the words that guard the severe ones."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Annotated

import typer

from console.cli.failure import Failure
from seams.clock import utc_ns

Json = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]
Operator = Annotated[
    str,
    typer.Option("--operator", envvar="INTERLOCK_OPERATOR", help="Who acts (default: the login name)."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; written to the audit log.")]
Confirm = Annotated[str, typer.Option("--confirm", help="The word that confirms it.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="A parameter as name=value; may be repeated.")]

Funding = Annotated[
    bool, typer.Option("--funding", help="Pay the stored funding of the data's venue and symbol.")
]
FundingFrom = Annotated[str, typer.Option("--funding-from", help="Or of this VENUE/SYMBOL.")]
FundingMarks = Annotated[
    str, typer.Option("--funding-marks", help="Bars of mark prices, VENUE/SYMBOL/INTERVAL.")
]
MaxMissing = Annotated[
    int, typer.Option("--max-missing-funding", min=0, help="How many payments may be missing.")
]
First = Annotated[str, typer.Option("--start", help="The first date or UTC time.")]
End = Annotated[str, typer.Option("--end", help="The date or UTC time before which it ends.")]
InitState = Annotated[
    str, typer.Option("--init-state", help="Start from a state: a file, or an imported one's name.")
]
MaxStateGap = Annotated[
    int, typer.Option("--max-state-gap", min=0, help="How many bars may be missing after the state's last.")
]


def instant(text: str) -> int:
    """Return UTC nanoseconds of a date or an ISO time; a time without a zone is UTC."""
    try:
        return utc_ns(text)
    except ValueError:
        raise Failure(
            "bad_parameter", f"{text!r} is not a date", "write 2024-05-01 or 2024-05-01T12:00"
        ) from None


def last_instant(text: str) -> int:
    """As `instant`; a date is its last nanosecond."""
    is_date = len(text) == len("2024-05-01")
    return instant(text) + (86_400 * 10**9 - 1 if is_date else 0)


def operator_name(given: str) -> str:
    """Return who acts: the option or `INTERLOCK_OPERATOR`, else the login name.

    The variable is read here too: `interlock` alone opens the console with no options parsed for it.
    """
    who = given.strip() or os.environ.get("INTERLOCK_OPERATOR", "").strip()
    if who:
        return who
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise Failure(
            "operator_required", "no operator is named", "pass --operator or set INTERLOCK_OPERATOR"
        ) from None


def demand_word(given: str, word: str, act: str) -> str:
    """Return `word` when it was given, or typed at a terminal; never assume it."""
    if not given:
        if not sys.stdin.isatty():
            raise Failure("confirmation_required", f"{act} needs its word", f"pass --confirm {word}")
        given = str(typer.prompt(f"{act}: type {word}", err=True))
    if given != word:
        raise Failure("bad_confirmation", f"{act} was not confirmed", f"the word is {word}")
    return word


def parameters(sets: list[str] | None) -> dict[str, float | str]:
    """Read `--set name=value` pairs: numbers, or names of choices, which the strategy judges."""
    read: dict[str, float | str] = {}
    for pair in sets or []:
        name, separator, value = pair.partition("=")
        if not separator or not name.isidentifier():
            raise Failure("bad_parameter", f"{pair!r} is not name=value", "write --set fast=9")
        if name in read:
            raise Failure("bad_parameter", f"{name} is given twice", "give each parameter once")
        try:
            read[name] = float(value)
        except ValueError:
            if not value.isidentifier():
                message = f"{name}={value!r} is neither a number nor a name"
                raise Failure("bad_parameter", message, "write --set fast=9") from None
            read[name] = value
    return read


def beside(
    has_funding: bool, source: str, marks: str, max_missing: int, first: str, end: str
) -> dict[str, object]:
    """Return a request's window and funding as it names them; what was not asked for is left out."""
    given: dict[str, object] = {
        "start_ns": instant(first) if first else None,
        "end_ns": instant(end) if end else None,
        "funding": source or ("data" if has_funding else ""),
        "funding_marks": marks,
        "max_missing_funding": max_missing,
    }
    return {name: value for name, value in given.items() if value}
