"""Where an order stands: the venue's number of its market, which every cancel must name.

An earlier process may have been told the numbers, and its orders work on: a cancel must not wait until the
venue answers questions again (it answers none for a minute once the request budget is used up).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from venues.hyperliquid.translate import SUFFIX, Market
from venues.types import OrderRequest

MAX_ORDERS = 10_000


class Places:
    """The markets' numbers, and the markets of orders; without `remember` only this process knows."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._coins: dict[str, str] = {}
        self._keep: Callable[[Mapping[str, int]], None] | None = None

    def remember(self, numbers: Mapping[str, int], keep: Callable[[Mapping[str, int]], None]) -> None:
        """Begin with the numbers of an earlier process (coin -> number), and tell `keep` (durable, never
        raises) where the venue lists others."""
        self._numbers, self._keep = dict(numbers), keep

    def listed(self, markets: Mapping[str, Market]) -> None:
        """Take what the venue lists: it alone holds from now on."""
        numbers = {coin: market.asset for coin, market in markets.items()}
        if numbers and numbers != self._numbers:
            self._numbers = numbers
            if self._keep is not None:
                self._keep(numbers)

    def note(self, request: OrderRequest) -> None:
        """Know an order's market."""
        self._coins[request.client_order_id] = request.symbol.removesuffix(SUFFIX)
        while len(self._coins) > MAX_ORDERS:
            del self._coins[next(iter(self._coins))]

    def number_of(self, client_order_id: str) -> int | None:
        """Return the number of an order's market; None where one of both is not known."""
        return self._numbers.get(self._coins.get(client_order_id, ""))
