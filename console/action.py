"""One action of the console, as a row of the tables that list them."""

from __future__ import annotations

from dataclasses import dataclass

ANYWHERE: tuple[str, ...] = ()
PAST = "past"
"""No screen of its own: every screen, while the record is looked at (`interlock past open`)."""


@dataclass(frozen=True)
class Action:
    """One thing an operator can do.

    `danger`: 0 looks only; 1 reversible and audited; 2 consequential; 3 emergency; 4 restores risk.
    `screens`: where the key means this; empty is everywhere. `cli` is the equivalent subcommand.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    screens: tuple[str, ...] = ANYWHERE
    danger: int = 0
    cli: str = ""
    is_priority: bool = False
    hint: int = 0
    """How early the key line shows it: 1 first, 0 never."""
