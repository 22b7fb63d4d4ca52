"""The console's actions on what waits and what is in doubt."""

from __future__ import annotations

from console.action import Action

DEFER = Action(
    "defer",
    ("D",),
    "defer",
    "read others first: it expires when it would, and comes back in time to be read",
    ("tickets",),
    1,
    "interlock tickets defer",
    hint=4,
)
ASK_VENUE = Action(
    "ask_venue",
    ("v",),
    "ask venue",
    "ask the venue again about exactly this order; nothing is sent or signed again",
    ("tickets", "orders"),
    1,
    "interlock orders ask",
    hint=4,
)
ROWS = (DEFER, ASK_VENUE)
