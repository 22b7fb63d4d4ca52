"""The orders in memory, and which of them may still act: asked many times an order, and most have ended."""

from __future__ import annotations

from engine.trading.working import ManagedOrder


class Shelf(dict[str, ManagedOrder]):
    """Orders by their id, in the order in which they were put there."""

    def __init__(self) -> None:
        super().__init__()
        self._alive: dict[str, ManagedOrder] = {}

    def __setitem__(self, order_id: str, order: ManagedOrder) -> None:
        is_new = order_id not in self
        super().__setitem__(order_id, order)
        if is_new and order.is_alive:
            self._alive[order_id] = order  # the newest on the shelf is the newest of those that are alive
        else:
            self._sort()

    def __delitem__(self, order_id: str) -> None:
        super().__delitem__(order_id)
        self._alive.pop(order_id, None)

    def clear(self) -> None:
        """Forget every order."""
        super().clear()
        self._alive.clear()

    def noted(self, order: ManagedOrder) -> None:
        """Take over an order's status; called after each change of it."""
        if not order.is_alive:
            self._alive.pop(order.order_id, None)
        elif order.order_id not in self._alive:
            self._sort()  # it had ended, and is alive after all: back in its place

    def alive(self) -> list[ManagedOrder]:
        """Return the orders that may still act, oldest on the shelf first."""
        return list(self._alive.values())

    def _sort(self) -> None:
        self._alive = {order_id: order for order_id, order in self.items() if order.is_alive}
