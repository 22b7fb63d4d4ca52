"""An account as people are shown it: its orders, its ledger, and whether its venue answers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from engine.trading.custody import Custody
from engine.trading.ledger import Ledger
from engine.trading.orders import OrderManager


class Account(NamedTuple):
    """One account; `marks` (USD) are its venue's own, for what no session watches."""

    orders: OrderManager
    ledger: Ledger
    name: str
    is_in_touch: bool = True
    marks: Mapping[str, Decimal] = {}


def account_in(custody: Custody) -> Account:
    """Return the account that outlives the sessions on it."""
    return Account(custody.orders, custody.ledger, custody.account, custody.is_in_touch(), custody.marks)
