"""The console's action for arming; `console.actions` takes it into its table."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """The fields of one `Action`, in its order."""

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    screens: tuple[str, ...]
    danger: int
    cli: str
    is_priority: bool = False
    hint: int = 0


ARM = Row(
    "arm",
    ("M",),
    "arm",
    "arm for real money: a reason, then as another person the phrase; once armed: OFF",
    ("gates",),
    4,
    "interlock arm ask",
)
