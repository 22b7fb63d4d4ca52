"""Maintenance rates out of `meta`: by the venue's tiers, and unknown where it does not tell them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.venues.hyperliquid_desk import Desk
from venues.hyperliquid.translate import markets


def meta(**market: Any) -> dict[str, Any]:
    tiers = [{"lowerBound": "0.0", "maxLeverage": 40}, {"lowerBound": "150000000.0", "maxLeverage": 20}]
    universe = [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40, **market}]
    return {"universe": universe, "marginTables": [[56, {"description": "tiered 40x", "marginTiers": tiers}]]}


def test_a_tier_counts_from_its_lower_bound_on() -> None:
    btc = markets(meta(marginTableId=56))["BTC"]
    assert btc.maintenance_rate(Decimal(100)) == Decimal(1) / 80
    assert btc.maintenance_rate(Decimal("149999999.99")) == Decimal(1) / 80
    assert btc.maintenance_rate(Decimal(150_000_000)) == Decimal(1) / 40


@pytest.mark.parametrize(
    ("given", "rate"), [({}, 80), ({"marginTableId": 40}, 80), ({"marginTableId": 7}, 0)]
)
def test_without_its_table_a_market_has_one_tier_or_none(given: dict[str, int], rate: int) -> None:
    found = markets(meta(**given))["BTC"].maintenance_rate(Decimal(100))
    assert found == (Decimal(1) / rate if rate else None)


@pytest.mark.parametrize("tiers", [[], [{"lowerBound": "0.0"}], [{"lowerBound": "x", "maxLeverage": 3}]])
def test_a_table_that_cannot_be_read_is_no_market(tiers: list[dict[str, Any]]) -> None:
    said = meta(marginTableId=56)
    said["marginTables"] = [[56, {"marginTiers": tiers}]]
    if not tiers:
        assert markets(said)["BTC"].maintenance_rate(Decimal(100)) is None
        return
    with pytest.raises(ValueError, match=r".+"):
        markets(said)


def test_the_doubles_tables_are_the_ones_it_liquidates_by() -> None:
    found = markets(Desk().ask("meta"))
    for coin, leverage in (("BTC", 40), ("ETH", 25), ("SOL", 20)):
        assert found[coin].maintenance_rate(Decimal(100)) == Decimal(1) / (2 * leverage)
