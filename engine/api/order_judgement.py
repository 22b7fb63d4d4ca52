"""An order by hand, judged while it is written: a question, from which nothing follows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.api.ticket_views import CheckRow
from venues.types import Record


class OrderJudge(Record, tag="order_judge"):
    """Ask what the pre-trade table says of an order now. `order` is the form of `docs/policy.md`, which need
    not be finished; nothing is recorded, and no ticket or session is made."""

    order: dict[str, Any]
    session_id: str = ""
    """Empty: the only session that trades the symbol."""


class FieldSaid(Record):
    """What to correct: a reason code, what to do about it, and the field it is about (empty: the desk)."""

    field: str
    code: str
    said: str


class OrderJudged(Record):
    """The verdict. `goes` is what sending it would make: a `ticket`, or a `corridor` session.

    Without checks the form is not finished, or nobody trades the symbol: `said` tells.
    """

    at_ns: int
    goes: str
    venue: str
    account: str
    session_id: str
    can_submit: bool
    worst: str
    """ok, warn, fail, or empty where nothing was judged."""
    notional_usd: Decimal | None
    mark_price: Decimal | None
    checks: tuple[CheckRow, ...]
    said: tuple[FieldSaid, ...]
