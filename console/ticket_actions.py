"""The console's actions on what waits and what is in doubt; `console.actions` takes them into its table."""

from __future__ import annotations

from console.arming_actions import Row

DEFER = Row(
    "defer",
    ("D",),
    "defer",
    "read others first: it expires when it would, and comes back in time to be read",
    ("tickets",),
    1,
    "interlock tickets defer",
    hint=4,
)
ASK_VENUE = Row(
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
