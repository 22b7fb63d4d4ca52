"""Kraken against known answers: signatures, checksums, outcomes, form bodies, and recorded messages.

The vectors come from the file named by `INTERLOCK_VECTORS`; another file of the same form can be tried.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from seams.clock import NS_PER_S
from seams.http import Response, decode_request
from venues.hyperliquid.outcomes import of_exception
from venues.kraken import translate
from venues.kraken.book import KrakenBook, book_crc32
from venues.kraken.outcomes import Submitted, envelope_outcome, read, submitted
from venues.kraken.signing import api_sign, private_request
from venues.sandbox.kraken import channels, keys
from venues.sandbox.kraken.listing import PAIRS

ROOT = Path(__file__).resolve().parents[2]
SHARED = (ROOT / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
FILE = Path(os.environ.get("INTERLOCK_VECTORS", SHARED / "vectors/venues.json"))
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FILE.is_file(), reason="INTERLOCK_VECTORS names no file"),
]


def vectors(*kinds: str) -> list[Any]:
    if not FILE.is_file():
        return []
    return [
        pytest.param(vector, id=vector["id"])
        for vector in json.loads(FILE.read_bytes())["vectors"]
        if vector["kind"] in kinds
    ]


def recordings(*names: str) -> Iterator[Path]:
    for name in names:
        path = SHARED / "recordings" / "kraken" / name
        if not path.exists():
            pytest.skip(f"the recording {name} is not there")
        yield path


@pytest.mark.parametrize("vector", vectors("kr.api_sign"))
def test_signatures_are_the_venues_on_both_sides(vector: dict[str, Any]) -> None:
    given = vector["input"]
    body = given["body"]
    wanted = vector["expected"]["api_sign"]
    if not body.startswith("{"):  # JSON we never send; the double takes it
        fields = dict(parse_qsl(body, keep_blank_values=True))
        assert urlencode(fields) == body, "the vector's own order of fields is kept"
        assert api_sign(given["secret"], given["path"], fields) == wanted
    assert keys.signature(given["secret"], given["path"], given["nonce"], body.encode()) == wanted


def body_is_not_ours(given: dict[str, Any], fields: dict[str, str]) -> bool:
    return given["body"].startswith("{") or "?" in given["path"] or list(fields)[-1:] != ["nonce"]


@pytest.mark.parametrize("vector", vectors("kr.api_sign"))
def test_the_adapters_bytes_carry_that_signature(vector: dict[str, Any]) -> None:
    given = vector["input"]
    fields = dict(parse_qsl(given["body"], keep_blank_values=True))
    if body_is_not_ours(given, fields):
        pytest.skip("a form that we never send: JSON, a query, or the nonce before the rest")
    nonce, method = int(fields.pop("nonce")), given["path"].rpartition("/")[2]
    found = decode_request(private_request("h", "K", given["secret"], method, fields, nonce))
    assert found is not None
    request = found[0]
    assert request.body.decode() == given["body"] and request.path == given["path"]
    assert request.headers["api-sign"] == vector["expected"]["api_sign"]


@pytest.mark.parametrize("vector", vectors("kr.futures_challenge"))
def test_the_futures_challenge_holds_though_spot_does_not_need_it(vector: dict[str, Any]) -> None:
    inner = hashlib.sha256(vector["input"]["challenge"].encode()).digest()
    secret = base64.b64decode(vector["input"]["secret"])
    signed = base64.b64encode(hmac.new(secret, inner, hashlib.sha512).digest()).decode()
    assert signed == vector["expected"]["signed_challenge"]


def levels(said: Any) -> list[tuple[Decimal, Decimal]]:
    """Read levels, or the single orders of a book of orders: pairs, or objects with price and quantity."""
    found = []
    for each in said or ():
        rows = each["orders"] if isinstance(each, dict) and "orders" in each else [each]
        for row in rows:
            if isinstance(row, dict):
                at = row if "price" in row or "limit_price" in row else {**each, **row}
                price = at.get("price", at.get("limit_price"))
                found.append((Decimal(price), Decimal(at.get("qty", at.get("order_qty")))))
            else:
                found.append((Decimal(row[0]), Decimal(row[1])))
    return found


def updated(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """A book after messages, each with its own checksum or only the last with one."""
    book = KrakenBook(given["price_precision"], given["qty_precision"], given.get("depth", 10))
    first = given.get("snapshot", given)
    book.change(bids=levels(first.get("bids")), asks=levels(first.get("asks")))
    updates = given.get("updates", given.get("update"))
    for each in [updates] if isinstance(updates, dict) else updates:
        book.change(bids=levels(each.get("bids")), asks=levels(each.get("asks")))
        if "checksum" in each:
            book.prove(int(each["checksum"]))
    assert book.checksum() == expected["checksum"]


def single_orders(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """A book of single orders, which we do not take: the rule is the same, order by order."""
    orders = [each for name in ("asks", "bids") for each in levels(given[name])]
    found = book_crc32(orders, given["price_precision"], given["qty_precision"])
    assert found == expected["checksum"]


KINDS = {
    "kr.api_sign",
    "kr.futures_challenge",
    "kr.book_crc32",
    "kr.book_crc32_update",
    "kr.l3_crc32",
    "kr.submit_outcome",
    "kr.request_body",
}


def test_checksums_of_a_book_that_moves_and_of_single_orders_are_read_in_their_forms() -> None:
    """The doc's own example, told as a book one message before it and as one order for each level."""
    vector = next(v for v in json.loads(FILE.read_bytes())["vectors"] if v["kind"] == "kr.book_crc32")
    precision = {name: vector["input"][name] for name in ("price_precision", "qty_precision")}
    asks, bids = (vector["input"][name] for name in ("asks", "bids"))
    gone = {"price": asks[0][0], "qty": "9"}
    update = {"asks": [{"price": asks[0][0], "qty": asks[0][1]}], "bids": []}
    before = {"asks": [gone, *asks[1:]], "bids": bids}
    updated({**precision, **before, "updates": [update]}, vector["expected"])
    single_orders({**precision, "asks": asks, "bids": bids}, vector["expected"])
    with pytest.raises(AssertionError):
        updated({**precision, **before, "updates": []}, vector["expected"])
    with pytest.raises(AssertionError):
        single_orders({**precision, "asks": [gone, *asks[1:]], "bids": bids}, vector["expected"])


def test_every_kind_is_checked() -> None:
    """A kind that no test here reads would seem to hold."""
    read_kinds = {vector["kind"] for vector in json.loads(FILE.read_bytes())["vectors"]}
    assert {kind for kind in read_kinds if not kind.startswith("hl.")} <= KINDS


@pytest.mark.parametrize("vector", vectors("kr.book_crc32", "kr.book_crc32_update", "kr.l3_crc32"))
def test_checksums_are_the_venues(vector: dict[str, Any]) -> None:
    given = vector["input"]
    if vector["kind"] != "kr.book_crc32":
        (updated if "update" in vector["kind"] else single_orders)(given, vector["expected"])
        return
    sides = [[(Decimal(p), Decimal(q)) for p, q in given[name][:10]] for name in ("asks", "bids")]
    decimals = given["price_precision"], given["qty_precision"]
    assert book_crc32([*sides[0], *sides[1]], *decimals) == vector["expected"]["checksum"]
    # Numbers without their trailing zeros must be padded again: that is what arrives over the wire.
    bare = [(Decimal(f"{p.normalize():f}"), Decimal(f"{q.normalize():f}")) for side in sides for p, q in side]
    assert book_crc32(bare, *decimals) == vector["expected"]["checksum"]
    book = KrakenBook(*decimals, 10)
    book.change(bids=sides[1], asks=sides[0])
    assert book.checksum() == vector["expected"]["checksum"]


@pytest.mark.parametrize("vector", vectors("kr.book_crc32"))
def test_the_doubles_checksum_is_the_venues_too(vector: dict[str, Any]) -> None:
    import msgspec

    given = vector["input"]
    pair = msgspec.structs.replace(
        PAIRS["XXBTZUSD"], price_decimals=given["price_precision"], lot_decimals=given["qty_precision"]
    )
    asks, bids = ({Decimal(p): Decimal(q) for p, q in given[name]} for name in ("asks", "bids"))
    assert channels.checksum(pair, bids, asks) == vector["expected"]["checksum"]


CLASSES = {
    "accepted": Submitted.ACCEPTED,
    "validated": Submitted.VALIDATED,
    "cancel_pending": Submitted.CANCEL_PENDING,
    "cancel": Submitted.ACCEPTED,
    "rejected": Submitted.REFUSED,
}


def labelled(label: str) -> Submitted:
    """Return our class for a label. The labels are the file's own: what is proved is told by its beginning,
    and a label that tells of no proof must be one of our doubts."""
    if label.startswith("rejected") and "nonce" in label:
        return Submitted.NONCE_USED
    return next((found for start, found in CLASSES.items() if label.startswith(start)), Submitted.UNKNOWN)


@pytest.mark.parametrize("vector", vectors("kr.submit_outcome"))
def test_every_outcome_is_classed_as_judged(vector: dict[str, Any]) -> None:
    given, label = vector["input"], vector["expected"]["outcome"]
    raised = given.get("krakenex_exception", "")
    if "body" in given:
        outcome = envelope_outcome(given["body"])
        assert submitted(outcome, is_validate=given.get("validate", False)) is labelled(label)
    elif "HTTPError" in raised:
        status = int(raised.partition("(")[2].partition(")")[0])
        assert submitted(read(Response(status, {}, b"<html>"))) is labelled(label)
    else:  # an exception of the HTTP library that both SDKs share; at our own wire `Unsent` or `Lost`
        assert of_exception(raised) == ("not_sent" if label.startswith("not_sent") else labelled(label))


@pytest.mark.parametrize("vector", vectors("kr.request_body"))
def test_the_double_takes_the_bodies_that_other_clients_send(vector: dict[str, Any]) -> None:
    from seams.http import Request

    body = vector["expected"]["body"].encode()
    fields = keys.fields_of(Request("POST", vector["input"]["endpoint"], {}, body))
    assert fields == vector["expected"]["decoded"]


BOOKS = ("ADA-XBT", "ETH-CHF", "GRT-ETH", "KSM-XBT", "OMG-USD")


@pytest.mark.parametrize("name", BOOKS)
def test_the_checksum_holds_over_every_recorded_message(name: str) -> None:
    """WebSocket v1's book: the same rule over text, thousand levels deep."""
    (path,) = recordings(f"cryptofeed_ws_v1_book/{name}.jsonl")
    book: KrakenBook | None = None
    proved = 0
    for line in path.read_text().splitlines():
        message = json.loads(line)["msg"]
        if not isinstance(message, list):
            continue
        for part in (each for each in message if isinstance(each, dict)):
            if "as" in part:
                first = part["as"][0]
                decimals = [len(text.partition(".")[2]) for text in first[:2]]
                book = KrakenBook(decimals[0], decimals[1], 1_000)
            assert book is not None
            sides = [
                [(Decimal(row[0]), Decimal(row[1])) for row in part.get(long, part.get(short, []))]
                for long, short in (("bs", "b"), ("as", "a"))
            ]
            book.change(*sides)
            if "c" in part:
                book.prove(int(part["c"]))
                proved += 1
    assert proved > 10, "the recording holds checksums"


def test_recorded_answers_parse() -> None:
    (pairs,) = recordings("nautilus/http_asset_pairs.json")
    rules = {key: translate.rules_of(key, said) for key, said in _result(pairs).items()}
    bitcoin = rules["XBTUSDT"]
    assert (bitcoin.symbol, bitcoin.tick, bitcoin.ordermin) == (
        "BTC-USDT",
        Decimal("0.1"),
        Decimal("0.00005"),
    )
    (old,) = recordings("jkorf_spot/Endpoints/ExchangeData/GetSymbols.txt")
    text = old.read_text()
    for key, said in json.loads(text[text.index("{") :])["result"].items():
        assert translate.rules_of(key, said).tick > 0
    (opened,) = recordings("nautilus/http_open_orders.json")
    for txid, said in _result(opened)["open"].items():
        order = translate.venue_order(txid, said, {})
        assert order.client_order_id == f"kraken:{txid}" and order.quantity > 0
    (closed,) = recordings("nautilus/http_closed_orders.json")
    for txid, said in _result(closed)["closed"].items():
        assert translate.venue_order(txid, said, {}).filled > 0
    (trades,) = recordings("nautilus/http_trades_history.json")
    fills = [translate.fill_of(key, said, "x", {}) for key, said in _result(trades)["trades"].items()]
    assert [fill.is_maker for fill in fills] == [True, False]
    assert fills[0].at_ns // NS_PER_S == 1688585840 and fills[0].fee == Decimal("23.60")


def test_what_the_double_shows_has_the_fields_of_what_was_recorded() -> None:
    from tests.venues.kraken_desk import Desk

    desk = Desk()
    desk.order(price="59000")
    desk.order(price="60001")
    (opened,) = recordings("nautilus/http_open_orders.json")
    (trades,) = recordings("nautilus/http_trades_history.json")
    (pairs,) = recordings("nautilus/http_asset_pairs.json")
    for recorded, shown in (
        (_result(opened)["open"], desk.ok("OpenOrders")["open"]),
        (_result(trades)["trades"], desk.ok("TradesHistory")["trades"]),
        (_result(pairs), desk.public("AssetPairs")["result"]),
    ):
        theirs, ours = (next(iter(each.values())) for each in (recorded, shown))
        missing = set(theirs) - set(ours) - {"ledgers", "long_position_limit", "short_position_limit"}
        assert not missing
        for name in set(theirs) & set(ours) - {"userref", "leverage_buy", "leverage_sell"}:
            assert type(theirs[name]) in (type(ours[name]), type(None)) or {
                type(theirs[name]),
                type(ours[name]),
            } == {
                int,
                float,
            }, name


def _result(path: Path) -> dict[str, Any]:
    said = json.loads(path.read_bytes())
    assert said["error"] == []
    result: dict[str, Any] = said["result"]
    return result
