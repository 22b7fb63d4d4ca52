"""The door of the loopback Hyperliquid: signatures, nonces, what can be read, and who acts for whom."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.venues.hyperliquid_desk import AGENT, CLOID, GTC, JSON, MASTER, OTHER, Desk
from venues.hyperliquid import actions
from venues.hyperliquid.signing import throwaway_key, wallet_of

USER = MASTER.address.lower()


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- admission -------------------------------------------------------------------------------------


def test_a_wrong_signature_is_only_another_address(desk: Desk) -> None:
    body = msgspec.json.decode(desk.body(actions.noop()))
    body["nonce"] += 1
    said = desk.json(desk.send(msgspec.json.encode(body)))
    assert said["status"] == "err" and said["response"].startswith("User or API Wallet 0x")
    assert AGENT.address.lower() not in said["response"]


def test_a_signature_without_padding_and_with_other_key_order_is_the_same(desk: Desk) -> None:
    body = msgspec.json.decode(desk.body(actions.cancel_by_cloid([(0, CLOID)])))
    item = body["action"]["cancels"][0]
    body["action"] = {"cancels": [{"cloid": item["cloid"].upper().replace("0X", "0x"), "asset": 0}]} | {
        "type": "cancelByCloid"
    }
    for part in "rs":
        body["signature"][part] = hex(int(body["signature"][part], 16))
    assert desk.json(desk.send(msgspec.json.encode(body)))["status"] == "ok"


def test_a_nonce_is_used_once_even_by_a_refused_order(desk: Desk) -> None:
    body = desk.body(
        actions.place([actions.order_wire(0, is_buy=True, price=Decimal(1), size=Decimal(1), tif=GTC)])
    )
    first, second = desk.json(desk.send(body)), desk.json(desk.send(body))
    assert "error" in first["response"]["data"]["statuses"][0]
    assert second["response"].startswith("Invalid nonce: duplicate nonce")


def test_expiry_consumes_the_nonce_and_costs_five(desk: Desk) -> None:
    nonce, late = desk.nonce(), desk.exchange.now_ms() - 1
    assert desk.act(actions.noop(), nonce=nonce, expires_ms=late)["response"] == "Action already expired"
    assert desk.user.requests == 5
    assert "duplicate" in desk.act(actions.noop(), nonce=nonce)["response"]


def test_a_noop_fences_an_order_that_comes_later(desk: Desk) -> None:
    nonce = desk.nonce()
    assert desk.act(actions.noop(), nonce=nonce)["response"] == {"type": "default"}
    late = actions.place(
        [actions.order_wire(0, is_buy=True, price=Decimal(59_000), size=Decimal("0.01"), tif=GTC)]
    )
    assert "duplicate nonce" in desk.act(late, nonce=nonce)["response"]
    assert not desk.user.live


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b'{"action":{"type":"order"}}', JSON, 422),
        (b'{"action":{"type":"dance"},"nonce":1,"signature":{"r":"0x1","s":"0x1","v":27}}', JSON, 422),
        (b"{}", {"content-type": "text/plain"}, 415),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything(
    desk: Desk, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert desk.status(desk.send(body, headers=headers)) == status
    assert not desk.exchange.gate.admitted


def test_nine_decimals_are_a_422(desk: Desk) -> None:
    body = msgspec.json.decode(desk.body(actions.noop()))
    body["action"] = actions.place(
        [
            actions.order_wire(0, is_buy=True, price=Decimal(1), size=Decimal(1), tif=GTC)
            | {"s": "0.123456789"}
        ]
    )
    assert desk.status(desk.send(msgspec.json.encode(body))) == 422


def test_an_agent_signs_until_it_expires_and_then_does_not_exist(desk: Desk) -> None:
    key = wallet_of(throwaway_key("short-lived"))
    desk.exchange.add_agent(USER, key.address, "short", desk.exchange.now_ms() + 60_000)
    assert desk.act(actions.noop(), key)["status"] == "ok"
    assert desk.ask("userRole", user=key.address) == {"role": "agent", "data": {"user": USER}}
    desk.wait(61)
    assert "does not exist" in desk.act(actions.noop(), key)["response"]


def test_vaults_are_for_their_leaders(desk: Desk) -> None:
    sub = "0x" + "51" * 20
    desk.exchange.registry.open(sub, role="subAccount", master=USER, cash=Decimal(1_000))
    made = actions.place(
        [actions.order_wire(0, is_buy=True, price=Decimal(59_000), size=Decimal("0.01"), tif=GTC)]
    )
    assert desk.act(made, vault=sub)["status"] == "ok"
    assert len(desk.ask("openOrders", user=sub)) == 1 and not desk.user.live
    assert desk.act(made, OTHER, vault=sub)["response"] == "Vault may not perform this action."
    assert desk.act(made, vault="0x" + "99" * 20)["response"].startswith("Vault not registered: 0x99")
