"""A field that takes its editing keys in the order in which they were pressed."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

EDITING = {
    "backspace": "delete_left",
    "delete": "delete_right",
    "left": "cursor_left",
    "right": "cursor_right",
    "home": "home",
    "end": "end",
}
"""Key -> the input's own action."""


class Field(Input):
    """Textual's input; a letter acts at once, an editing key would first travel up to the app as a binding.

    In a fast hand, or over a slow line, the letter after a backspace would overtake it: in a price.
    """

    async def _on_key(self, event: events.Key) -> None:
        action = EDITING.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            getattr(self, f"action_{action}")()
