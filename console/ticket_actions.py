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
ORDER_FORM = Action(
    "order_form",
    ("N",),
    "new order",
    "an order by hand, judged while it is typed: it makes a ticket, or a corridor session in live",
    (),
    0,
    "interlock tickets submit",
)
SUBMIT_ORDER = Action(
    "submit_order",
    ("ctrl+s",),
    "send",
    "make a ticket or a corridor session of exactly what was judged; then y",
    ("order_form",),
    2,
    "interlock tickets submit",
    hint=2,
)
CLEAR_ORDER = Action(
    "clear_order",
    ("ctrl+r",),
    "clear",
    "empty the form",
    ("order_form",),
    1,
    "interlock tickets submit",
    hint=3,
)
ROWS = (DEFER, ASK_VENUE, ORDER_FORM, SUBMIT_ORDER, CLEAR_ORDER)
