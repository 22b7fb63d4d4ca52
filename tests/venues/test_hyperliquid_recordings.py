"""Messages recorded from the real Hyperliquid are read, refused aloud where a field is missing, and the
loopback exchange answers with the same fields."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.venues.hyperliquid_desk import CLOID, MASTER, Desk
from venues.hyperliquid import translate
from venues.hyperliquid.cloids import Cloids
from venues.hyperliquid.precision import MarketKind, is_price
from venues.types import Accepted, Fill, Forced, OrderStatus, Rejected, Side

ROOT = Path(__file__).resolve().parents[2]
SHARED = (ROOT / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
FOLDER = SHARED / "recordings/hyperliquid"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="INTERLOCK_SHARED has no recordings of hyperliquid"),
]
IDS = Cloids("recordings")
USER = MASTER.address.lower()


def cassette(name: str) -> Any:
    """Return the body of the last answer of a recorded SDK call."""
    return msgspec.json.decode((FOLDER / f"sdk_cassettes/test_{name}.json").read_bytes())[-1]["response"][
        "body"
    ]


def nautilus(name: str) -> Any:
    return msgspec.json.decode((FOLDER / f"nautilus/{name}.json").read_bytes())


def pushed(name: str) -> Any:
    """Return the first pushed message of a recorded subscription."""
    text = (FOLDER / f"jkorf/Subscriptions/{name}.txt").read_text().split("\n= ", 1)[1]
    return msgspec.json.decode(text.split("\n= ")[0].strip())


def answered(name: str) -> Any:
    """Return the body of a recorded endpoint: after method, path and whether it is signed."""
    return msgspec.json.decode((FOLDER / f"jkorf/Endpoints/{name}.txt").read_text().split("\n", 3)[3])


def desk() -> Desk:
    made = Desk()
    made.user.leverages["BTC"] = (10, False)
    made.order("59000", cloid=CLOID)
    made.order("60010", "0.01")
    return made


# --- read --------------------------------------------------------------------------------------------


def test_recorded_orders_each_end_in_a_known_status() -> None:
    entries = cassette("historical_orders")
    assert len(entries) == 5
    found = [translate.venue_order(each["order"], each["status"], IDS) for each in entries]
    statuses = {each["status"]: order.status for each, order in zip(entries, found, strict=True)}
    expected = {
        "open": OrderStatus.OPEN,
        "filled": OrderStatus.FILLED,
        "canceled": OrderStatus.CANCELLED,
        "iocCancelRejected": OrderStatus.REJECTED,
        "badAloPxRejected": OrderStatus.REJECTED,
    }
    assert statuses.items() <= expected.items(), statuses
    assert all(order.client_order_id.startswith("hl:") for order in found), "nobody's here is ours"
    assert all(0 <= order.filled <= order.quantity for order in found)


def test_an_order_update_is_read() -> None:
    (update,) = pushed("Order")["data"]
    event = translate.order_event(update, IDS)
    assert isinstance(event, Accepted) and event.at_ns == 1764843090519 * 1_000_000
    refused = translate.order_event({**update, "status": "tickRejected"}, IDS)
    assert isinstance(refused, Rejected) and refused.code == "bad_price"
    assert refused.message == "the venue lists it as tickRejected"
    with pytest.raises(ValueError, match="nobody knows"):
        translate.order_event({**update, "status": "teleported"}, IDS)


def test_fills_are_read_with_their_fees_in_dollars() -> None:
    (counterparty,) = nautilus("ws_user_fill_liquidation")["data"]["fills"]
    fill = translate.fill(counterparty, IDS, USER)
    assert (fill.symbol, fill.side, fill.is_maker, fill.fee) == (
        "BTC-PERP",
        Side.SELL,
        True,
        Decimal("0.009997"),
    )
    assert fill.forced is Forced.NOT, "the other side was liquidated"
    taken = counterparty["liquidation"]["liquidatedUser"]
    assert translate.fill(counterparty, IDS, taken.upper()).forced is Forced.LIQUIDATION
    (spot,) = pushed("UserEventTrade")["data"]["fills"]
    bought = translate.fill(spot, IDS, USER)
    assert bought.symbol == "@107" and bought.fee == Decimal("0.00031499") * Decimal("34.895")
    dust = [translate.fill(each, IDS, USER) for each in nautilus("http_user_fills_dust_conversion")]
    assert len({each.fill_id for each in dust}) == len(dust) and all(isinstance(each, Fill) for each in dust)


def test_fills_of_years_ago_lack_their_name_and_are_refused_aloud() -> None:
    for each in cassette("get_user_fills")[:20]:
        with pytest.raises(ValueError, match="tid"):
            translate.fill(each, IDS, USER)


def test_recorded_funding_is_cash_with_a_name() -> None:
    entries = cassette("user_funding_history_with_end_time")
    found = [translate.funding(each) for each in entries]
    assert len({each.event_id for each in found}) == len(entries) > 1
    assert found[0].amount_usd == Decimal("0.145796") and found[0].symbol == "APE-PERP"


def test_account_states_are_read_or_refused() -> None:
    account = translate.account(answered("Futures/Account/GetAccountInfo"), USER)
    assert account.equity_usd == Decimal("83.307638") and account.cash_usd == Decimal("83.313638")
    assert [(p.symbol, p.quantity, p.mark_price) for p in account.positions] == [
        ("HYPE-PERP", Decimal(2), Decimal("37.826"))
    ]
    with pytest.raises(ValueError, match="time"):
        translate.account(cassette("get_user_state"), USER)
    with pytest.raises(KeyError):
        translate.account(nautilus("http_clearinghouse_state_negative_total_raw_usd"), USER)


def test_market_lists_are_read_nulls_and_all() -> None:
    old = translate.markets(cassette("get_info"))
    assert [old[coin].asset for coin in ("BTC", "ETH")] == [0, 1] and len(old) > 20
    sparse = translate.markets(nautilus("http_meta_perp_sample"))
    assert not any(market.is_delisted for market in sparse.values())
    full = translate.markets(answered("Futures/ExchangeData/GetExchangeInfo"))
    assert all(market.sz_decimals >= 0 for market in full.values())


def test_every_recorded_price_lies_on_the_grid_that_we_compute() -> None:
    markets = translate.markets(cassette("get_info"))
    levels = [level for side in cassette("get_l2_snapshot")["levels"] for level in side]
    decimals = markets["DYDX"].sz_decimals
    assert len(levels) > 20
    assert all(is_price(Decimal(level["px"]), decimals, MarketKind.PERP) for level in levels)
    btc = [level for side in nautilus("http_l2_book_btc")["levels"] for level in side]
    assert all(is_price(Decimal(level["px"]), 5, MarketKind.PERP) for level in btc)


def test_a_pushed_best_price_is_read() -> None:
    quote = translate.quote(pushed("BookTicker")["data"])
    assert quote is not None and 0 < quote.bid < quote.ask
    empty = {**pushed("BookTicker")["data"], "bbo": [None, None]}
    assert translate.quote(empty) is None


# --- reproduced ----------------------------------------------------------------------------------------


def shape(value: Any) -> Any:
    """Return the fields of a message: of a list, those of its first element."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__ if value is not None else "?"


def lacks(recorded: Any, made: Any, at: str = "") -> list[str]:
    """Return the fields that the recording has and our answer has not, or has of another kind."""
    if isinstance(recorded, dict):
        if not isinstance(made, dict):
            return [at]
        return [
            line
            for name, each in recorded.items()
            for line in ([f"{at}.{name}"] if name not in made else lacks(each, made[name], f"{at}.{name}"))
        ]
    if isinstance(recorded, list) and recorded and isinstance(made, list) and made:
        return lacks(recorded[0], made[0], f"{at}[]")
    is_same = (
        "?" in (recorded, made) or recorded == made or (isinstance(recorded, list) and isinstance(made, list))
    )
    return [] if is_same else [at]


REPRODUCED = {
    "historicalOrders": lambda: cassette("historical_orders"),
    "userRateLimit": lambda: cassette("user_rate_limit"),
    "extraAgents": lambda: cassette("extra_agents"),
    "clearinghouseState": lambda: answered("Futures/Account/GetAccountInfo"),
    "userFills": lambda: nautilus("ws_user_fill_liquidation")["data"]["fills"],
    "spotClearinghouseState": lambda: nautilus("http_spot_clearinghouse_state"),
    "frontendOpenOrders": lambda: cassette("get_frontend_open_orders"),
    "meta": lambda: cassette("get_info"),
}


@pytest.mark.parametrize("kind", sorted(REPRODUCED))
def test_the_loopback_answers_with_the_recorded_fields(kind: str) -> None:
    made = desk().ask(kind, user=USER)
    missing = lacks(shape(REPRODUCED[kind]()), shape(made))
    assert [line for line in missing if not line.startswith(("[].liquidation", "[].cloid"))] == []


def test_books_candles_and_contexts_have_the_recorded_fields() -> None:
    made = desk()
    assert lacks(shape(cassette("get_l2_snapshot")), shape(made.ask("l2Book", coin="BTC"))) == []
    request = {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": made.exchange.now_ms()}
    assert (
        lacks(shape(cassette("get_candles_snapshot")), shape(made.ask("candleSnapshot", req=request))) == []
    )
    contexts = nautilus("ws_all_dexs_asset_ctxs")["data"]["ctxs"][0][1]
    assert lacks(shape(contexts), shape(made.ask("metaAndAssetCtxs")[1])) == []


def test_pushes_have_the_recorded_fields() -> None:
    made = desk()
    ear = made.listen(
        {"type": "orderUpdates", "user": USER},
        {"type": "userEvents", "user": USER},
        {"type": "bbo", "coin": "BTC"},
        {"type": "trades", "coin": "BTC"},
    )
    made.order("59000")
    made.order("60010", "0.01")
    recorded = {"orderUpdates": "Order", "bbo": "BookTicker", "user": "UserEventTrade", "trades": "Trades"}
    for channel, name in recorded.items():
        assert lacks(shape(pushed(name)["data"]), shape(ear.on(channel)[0])) == [], channel
