"""The keys of the registry as Textual's bindings, and what moving keys mean."""

from __future__ import annotations

from textual.binding import Binding

from console import actions

MOVES = {
    "down": (1, False),
    "up": (-1, False),
    "page_down": (1, True),
    "page_up": (-1, True),
    "first": (-(10**9), False),
    "last": (10**9, False),
}
"""Action -> how far the cursor goes, and whether that counts pages."""
REPEAT_GAP_MS = 150
"""A consequential key that comes again sooner than this is the keyboard repeating, not a decision."""


def bindings() -> list[Binding]:
    """Make one binding of each key of the registry; what it means is looked up when it is pressed."""
    priority = {key for action in actions.ACTIONS if action.is_priority for key in action.keys}
    keys = dict.fromkeys(key for action in actions.ACTIONS for key in action.keys)
    return [Binding(key, f"press({key!r})", show=False, priority=key in priority) for key in keys]
