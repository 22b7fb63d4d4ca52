"""What the loopback Kraken lets through while it, or a pair of it, is not online (venues.md 5.10)."""

from __future__ import annotations

from venues.sandbox.kraken.books import KrakenError, NewOrder

MAINTENANCE = "maintenance"
SYSTEMS = ("online", "post_only", "limit_only", "cancel_only", MAINTENANCE)


def demand_up(system: str) -> None:
    """Refuse everything in maintenance, cancels too. Raises `KrakenError`."""
    if system == MAINTENANCE:
        raise KrakenError("EService:Unavailable")


def demand_open(asked: NewOrder, system: str, pair_status: str) -> None:
    """Refuse an order that the state of the system or of its pair keeps out. Raises `KrakenError`."""
    demand_up(system)
    for status in (system, pair_status):
        allowed = {
            "online": True,
            "post_only": asked.is_post_only,
            "limit_only": asked.is_limit,
            "cancel_only": False,
            "reduce_only": False,
        }
        if not allowed.get(status, False):
            raise KrakenError(f"EService:Market in {status} mode")
