"""The price of an order as its venue tells it: shown where it is one, and no reason to lose the order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from venues.json_fields import price_named
from venues.kraken.translate import venue_order

DESCRIBED: dict[str, Any] = {"pair": "XBTUSD", "type": "buy", "price": "60000.0", "price2": "59900.0"}
NO_PRICES: tuple[Any, ...] = ("0", None, "", "+5%", "-5", "#3", "NaN", "Infinity", 64000, {"a": 1})
SAID: dict[str, Any] = {"status": "open", "vol": "0.1", "vol_exec": "0.0"}


@pytest.mark.parametrize(
    ("said", "price"),
    [("64000.5", "64000.5"), *((each, "0") for each in NO_PRICES)],
)
def test_what_is_no_price_is_none(said: object, price: str) -> None:
    assert price_named(said) == Decimal(price)


@pytest.mark.parametrize(
    ("kind", "price"),
    [
        *((kind, "60000") for kind in ("limit", "iceberg")),
        *((kind, "59900") for kind in ("stop-loss-limit", "take-profit-limit")),
        *((kind, "0") for kind in ("market", "stop-loss", "trailing-stop")),
    ],
)
def test_krakens_limit_is_not_what_sets_an_order_off(kind: str, price: str) -> None:
    found = venue_order("O1", {**SAID, "descr": {**DESCRIBED, "ordertype": kind}}, {"XBTUSD": "BTC-USD"})
    assert found.limit_price == Decimal(price)


def test_an_order_without_a_kind_is_still_an_order() -> None:
    assert venue_order("O1", {**SAID, "descr": DESCRIBED}, {}).limit_price == 0
