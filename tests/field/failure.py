"""One failure of the field as a record, and the forms that its orders have."""

from __future__ import annotations

from typing import NamedTuple

from tests.field.play import Act

HL, KR = "hyperliquid", "kraken"
BOTH = (HL, KR)
FILLS = {"limit_price": "60020"}
"""A form that executes at once; without it the order rests below the market."""


class Failure(NamedTuple):
    """What happened, where it was told, what the double does, and how it must end."""

    name: str
    venues: tuple[str, ...]
    field: str
    source: str
    script: tuple[Act, ...]
    verdict: str
    order: str
    """What our record says of the order at the end; `none`: it was never made."""
