"""Who is told about an order: the session that it belongs to, and the account's own ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.trading.working import ManagedOrder
from venues.types import Fill, OrderEvent

FillListener = Callable[[ManagedOrder, Fill], None]
EndListener = Callable[[ManagedOrder], None]
ForeignListener = Callable[[OrderEvent], None]


class Owner(NamedTuple):
    """The session that an order belongs to, while it runs."""

    run_fingerprint: str
    on_fill: FillListener
    on_end: EndListener
