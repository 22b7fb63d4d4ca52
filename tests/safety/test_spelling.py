"""A market that is not listed: its neighbours are named, and nothing is guessed."""

from __future__ import annotations

import pytest

from safety.spelling import nearest, unlisted

KRAKEN = ("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD")
PERPS = ("BTC-PERP", "ETH-PERP", "SOL-PERP", "XRP-PERP")


@pytest.mark.parametrize(
    ("wanted", "listed", "meant"),
    [
        ("BTC-USD", PERPS, ("BTC-PERP",)),
        ("BTC", PERPS, ("BTC-PERP",)),
        ("btc-perp", PERPS, ("BTC-PERP",)),
        ("BTCPERP", PERPS, ("BTC-PERP",)),
        ("BTC/USD", KRAKEN, ("BTC-USD",)),
        ("XBT/USD", KRAKEN, ("BTC-USD",)),
        ("XXBTZUSD", KRAKEN, ("BTC-USD",)),
        ("XETHZUSD", KRAKEN, ("ETH-USD",)),
        ("BTCUSDT", KRAKEN, ("BTC-USD",)),
        ("BTC", ("BTC-EUR", "BTC-USD", "ETH-USD"), ("BTC-EUR", "BTC-USD")),
        ("BTC/EUR", ("BTC-USD", "BTC-EUR"), ("BTC-EUR", "BTC-USD")),
        ("ETH-PREP", ("ETH2-PERP", "SOL-PERP"), ("ETH2-PERP",)),
        ("DOGE-USD", ("BTC-USD", "XRP-EUR"), ()),
        ("", PERPS, ()),
        ("USD", PERPS, ()),
        ("-", PERPS, ()),
    ],
)
def test_the_nearest_markets_are_found_best_first(
    wanted: str, listed: tuple[str, ...], meant: tuple[str, ...]
) -> None:
    assert nearest(wanted, listed) == meant


def test_what_was_meant_stands_in_the_sentence() -> None:
    assert unlisted("BTC-USD", "hyperliquid", PERPS) == (
        "hyperliquid has no market BTC-USD; did you mean BTC-PERP?"
    )
    assert unlisted("BTC", "kraken", ("BTC-USD", "BTC-EUR")).endswith("did you mean BTC-EUR or BTC-USD?")


def test_where_none_comes_near_the_list_is_shown_and_bounded() -> None:
    assert unlisted("QQQ", "kraken", KRAKEN).endswith(f"it has {', '.join(KRAKEN)}")
    many = [f"A{number:03d}-PERP" for number in range(300)]
    said = unlisted("QQQ\x1b[2J" + "Q" * 500, "hyperliquid", many)
    assert said.endswith("and 292 more") and len(said) < 200 and "\x1b" not in said
    assert unlisted("BTC", "hyperliquid", ()).endswith("it has listed none yet")
