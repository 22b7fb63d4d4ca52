"""The catalogue of planted bugs, by the part of our code that each breaks."""

from __future__ import annotations

from tests.simulation.planted import account, orders, policy, record, switch, wire
from tests.simulation.planted.plant import Plant

PLANTS: tuple[Plant, ...] = (
    *wire.PLANTS,
    *orders.PLANTS,
    *account.PLANTS,
    *switch.PLANTS,
    *policy.PLANTS,
    *record.PLANTS,
)
"""The bugs, in the order of the parts that they break."""
