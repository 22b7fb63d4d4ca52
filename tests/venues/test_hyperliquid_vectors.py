"""Every Hyperliquid vector of the file named by INTERLOCK_VECTORS holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hyperliquid.utils import signing as sdk
from hyperliquid.utils.types import Cloid

from venues.hyperliquid import actions, outcomes, precision, signing
from venues.hyperliquid.outcomes import Outcome
from venues.hyperliquid.precision import MarketKind
from venues.sandbox.hyperliquid import nonces
from venues.sandbox.hyperliquid.gate import AGENT_TYPES
from venues.types import TimeInForce

ROOT = Path(__file__).resolve().parents[2]
SHARED = (ROOT / os.environ.get("INTERLOCK_SHARED", "../shared")).resolve()
FILE = Path(os.environ.get("INTERLOCK_VECTORS", SHARED / "vectors/venues.json"))
VECTORS: list[dict[str, Any]] = (
    [v for v in msgspec.json.decode(FILE.read_bytes())["vectors"] if v["venue"] == "hyperliquid"]
    if FILE.is_file()
    else []
)
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not VECTORS, reason="INTERLOCK_VECTORS names no file")]
Check = Callable[[dict[str, Any], dict[str, Any]], None]


def padded(signature: dict[str, Any]) -> tuple[int, int, int]:
    return int(signature["r"], 16), int(signature["s"], 16), signature["v"]


def signed(given: dict[str, Any], is_mainnet: bool) -> dict[str, Any]:
    wallet = signing.wallet_of(given["private_key"])
    made = signing.sign_l1(
        wallet,
        given["action"],
        given["nonce"],
        vault=given["vault_address"],
        expires_ms=given["expires_after"],
        is_mainnet=is_mainnet,
    )
    return msgspec.to_builtins(made)  # type: ignore[no-any-return]


def l1_signature(given: dict[str, Any], expected: dict[str, Any]) -> None:
    is_mainnet = given["network"] == "mainnet"
    action_hash(given, expected)
    made = signed(given, is_mainnet)
    assert padded(made) == padded(expected["signature"])
    assert recovered(given, made, is_mainnet) == given["signer"]


def recovered(given: dict[str, Any], signature: dict[str, Any], is_mainnet: bool) -> str:
    return signing.signer_of_l1(
        given["action"],
        signature,
        given["nonce"],
        vault=given["vault_address"],
        expires_ms=given["expires_after"],
        is_mainnet=is_mainnet,
    )


def l1_signature_both(given: dict[str, Any], expected: dict[str, Any]) -> None:
    action_hash(given, expected)
    if "msgpack_hex" in expected:
        assert sdk.msgpack.packb(given["action"]).hex() == expected["msgpack_hex"].removeprefix("0x")
    for network, signature in expected["signature"].items():
        made = signed(given, network == "mainnet")
        assert padded(made) == padded(signature)
        assert recovered(given, made, network == "mainnet") == given["signer"]


def action_hash(given: dict[str, Any], expected: dict[str, Any]) -> None:
    made = signing.action_hash(
        given["action"], given["nonce"], vault=given["vault_address"], expires_ms=given["expires_after"]
    )
    assert made == expected["action_hash"]


def phantom(given: dict[str, Any], expected: dict[str, Any]) -> None:
    agent = {"source": given["phantom_source"], "connectionId": bytes.fromhex(given["connection_id"][2:])}
    made = sdk.sign_inner(signing.wallet_of(given["private_key"]), sdk.l1_payload(agent))
    assert padded(made) == padded(expected["signature"])


USER_TYPES = {
    "ApproveAgent": AGENT_TYPES,
    "UsdSend": sdk.USD_SEND_SIGN_TYPES,
    "SpotSend": sdk.SPOT_TRANSFER_SIGN_TYPES,
    "Withdraw": sdk.WITHDRAW_SIGN_TYPES,
    "UsdClassTransfer": sdk.USD_CLASS_TRANSFER_SIGN_TYPES,
    "SendAsset": sdk.SEND_ASSET_SIGN_TYPES,
    "TokenDelegate": sdk.TOKEN_DELEGATE_TYPES,
}
"""What is signed where a vector does not say it itself."""


def user_signature(given: dict[str, Any], expected: dict[str, Any]) -> None:
    action, primary = dict(given["action"]), given["primary_type"]
    types = given.get("eip712_types") or USER_TYPES[primary.partition(":")[2]]
    made = sdk.sign_user_signed_action(
        signing.wallet_of(given["private_key"]),
        action,
        types,
        given["primary_type"],
        given["network"] == "mainnet",
    )
    assert padded(made) == padded(expected["signature"])
    found = signing.signer_of_user_action(action, made, types, given["primary_type"])
    assert found == given["signer"]


def kind_of(given: dict[str, Any]) -> MarketKind:
    return MarketKind(given.get("market", "perp"))


def price_is_valid(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = precision.is_price(Decimal(given["price"]), given["sz_decimals"], kind_of(given))
    assert found is expected["valid"]


def size_is_valid(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert precision.is_size(Decimal(given["size"]), given["sz_decimals"]) is expected["valid"]


def price_down(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = precision.price_down(Decimal(given["price"]), given["sz_decimals"], kind_of(given))
    assert (None if found is None else precision.wire(found)) == expected["price"]


def size_down(given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = precision.size_down(Decimal(given["size"]), given["sz_decimals"])
    assert (None if found is None else precision.wire(found)) == expected["size"]


def reference(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert precision.is_price(Decimal(expected["price_valid"]), given["sz_decimals"], kind_of(given))
    assert precision.is_size(Decimal(expected["size_valid"]), given["sz_decimals"])


def nearest(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Another client rounds to nearest; its results lie on our grid, one step from ours at most."""
    decimals, kind = given["sz_decimals"], kind_of(given)
    theirs, ours = Decimal(expected["price"]), precision.price_down(Decimal(given["price"]), decimals, kind)
    assert precision.is_price(theirs, decimals, kind) and ours is not None
    assert abs(theirs - ours) <= precision.tick_at(ours, decimals, kind)
    size = precision.size_down(Decimal(given["size"]), decimals)
    assert precision.is_size(Decimal(expected["size"]), decimals) and size is not None
    assert ZERO <= Decimal(expected["size"]) - size <= precision.lot_of(decimals)


ZERO = Decimal(0)


def market_price(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """What the SDK would send as a market order's bound is a text that we would sign too."""
    factor = 1 + Decimal(str(given["slippage"])) * (1 if given["is_buy"] else -1)
    bound = Decimal(str(given["mid"])) * factor
    rounded = precision.price_within(bound, 0, MarketKind.SPOT, is_buy=given["is_buy"])
    assert rounded is not None
    assert precision.wire(Decimal(str(expected["price"]))) == expected["wire"]
    assert precision.is_price(Decimal(expected["wire"]), 0, MarketKind.SPOT)
    step = precision.tick_at(rounded, 0, MarketKind.SPOT)
    assert abs(rounded - Decimal(expected["wire"])) <= step


def float_to_wire(given: dict[str, Any], expected: dict[str, Any]) -> None:
    number = Decimal(given["x"])
    rounded = round(number, 8)
    # The SDK takes floats, whose noise (below 1e-12) it rounds away; we take Decimals, which have none.
    asked = rounded if abs(rounded - number) < Decimal("1e-12") else number
    if "raises" in expected:
        with pytest.raises(precision.Imprecise):
            precision.wire(asked)
    else:
        assert precision.wire(asked) == (expected["wire"] if rounded else "0")


def float_to_int(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sdk.float_to_int_for_hashing(given["x"]) == expected["value"]
    assert int(Decimal(str(given["x"])).scaleb(8)) == expected["value"]


def asset_id(given: dict[str, Any], expected: dict[str, Any]) -> None:
    if given["kind"] == "outcome":
        assert precision.outcome_asset(given["outcome"], given["side"]) == expected["asset"]
    elif given["kind"] not in tuple(MarketKind):
        (dex,) = (value for name, value in given.items() if "dex" in name and name != "index")
        assert precision.builder_asset(dex, given["index"]) == expected["asset"]
    else:
        assert precision.asset_of(MarketKind(given["kind"]), given["index"]) == expected["asset"]


TIFS = {"Gtc": TimeInForce.GTC, "Ioc": TimeInForce.IOC, "Alo": TimeInForce.POST_ONLY}


def wire_of(intent: dict[str, Any]) -> dict[str, Any]:
    return actions.order_wire(
        intent["asset"],
        is_buy=intent["side"] == "buy",
        price=Decimal(intent["price"]),
        size=Decimal(intent["size"]),
        tif=TIFS[intent["tif"]],
        reduce_only=intent.get("reduce_only", False),
        cloid=intent.get("cloid"),
    )


def trigger_of(intent: dict[str, Any]) -> dict[str, Any]:
    """An order that waits for a price: we send none, and the SDK that encodes for us has its form."""
    kind = {
        "isMarket": intent.get("is_market", "market" in intent["type"]),
        "triggerPx": float(intent["trigger"]),
        "tpsl": intent.get("tpsl") or ("sl" if "stop" in intent["type"] else "tp"),
    }
    asked = {
        "coin": intent.get("coin", ""),
        "is_buy": intent["side"] == "buy",
        "sz": float(intent["size"]),
        "limit_px": float(intent["price"]),
        "order_type": {"trigger": kind},
        "reduce_only": intent.get("reduce_only", False),
    }
    cloid = {"cloid": Cloid.from_str(intent["cloid"])} if "cloid" in intent else {}
    return dict(sdk.order_request_to_order_wire(asked | cloid, intent["asset"]))  # type: ignore[arg-type]


def action_shape(given: dict[str, Any], expected: dict[str, Any]) -> None:
    intent, wanted = given["intent"], expected["action"]
    every = intent if isinstance(intent, list) else [intent]
    match wanted["type"]:
        case "order":
            made = actions.place([trigger_of(each) if "trigger" in each else wire_of(each) for each in every])
            made |= {name: wanted[name] for name in ("grouping", "builder") if name in wanted}
        case "cancel":
            made = actions.cancel([(each["asset"], each["oid"]) for each in every])
        case "cancelByCloid":
            made = actions.cancel_by_cloid([(each["asset"], each["cloid"]) for each in every])
        case "batchModify":
            changed = [actions.modify(each["oid"], wire_of(each))["modifies"] for each in every]
            made = {"type": "batchModify", "modifies": [each for one in changed for each in one]}
        case "updateLeverage":
            made = actions.update_leverage(intent["asset"], intent["leverage"], is_cross=intent["cross"])
        case "scheduleCancel":
            made = actions.schedule_cancel((intent or {}).get("time"))
        case "noop":
            made = actions.noop()
        case other:
            raise AssertionError(f"no action of ours: {other}")
    assert msgspec.json.encode(made) == msgspec.json.encode(wanted), "the keys, and their order"


def nonce_rule(given: dict[str, Any], expected: dict[str, Any]) -> None:
    said = nonces.refusal(sorted(given["stored_nonces"]), given["nonce"], given["block_time"])
    assert ("accept" if said is None else "reject") == expected["decision"]


def labelled(label: str) -> Outcome:
    """Return our class for a label. The labels are the file's own: what a refusal proves is told by its
    beginning, and a label that tells of no proof must be one of our doubts."""
    if label in tuple(Outcome):
        return Outcome(label)
    if "duplicate" in label or "seen" in label:
        return Outcome.SEEN
    for beginning, found in BEGINNINGS.items():
        if label.startswith(beginning):
            return found
    return Outcome.UNKNOWN


BEGINNINGS = {
    "rejected": Outcome.REJECTED,
    "cancel_rejected": Outcome.REJECTED,
    "filled": Outcome.FILLED,
    "partial": Outcome.FILLED,
    "cancel": Outcome.CANCELLED,
    "waiting": Outcome.WAITING,
    "not_sent": Outcome.NOT_SENT,
    "ok": Outcome.DONE,
    "default": Outcome.DONE,
}


def submit_outcome(given: dict[str, Any], expected: dict[str, Any]) -> None:
    wanted = [labelled(each) for each in expected["outcomes"]]
    if "sdk_exception" in given:
        assert [outcomes.of_exception(given["sdk_exception"])] * len(wanted) == wanted
        return
    found = outcomes.of_answer(given["sdk_result"], len(wanted))
    assert [verdict.outcome for verdict in found] == wanted


CHECKS: dict[str, Check] = {
    "hl.l1_signature": l1_signature,
    "hl.l1_signature_both": l1_signature_both,
    "hl.action_hash": action_hash,
    "hl.phantom_agent_signature": phantom,
    "hl.user_signature": user_signature,
    "hl.price_is_valid": price_is_valid,
    "hl.size_is_valid": size_is_valid,
    "hl.price_truncate_to_tick": price_down,
    "hl.size_truncate_to_lot": size_down,
    "hl.reference_market": reference,
    "hl.ccxt_rounding_to_nearest": nearest,
    "hl.sdk_market_price": market_price,
    "hl.sdk_float_to_wire": float_to_wire,
    "hl.float_to_int_for_hashing": float_to_int,
    "hl.asset_id": asset_id,
    "hl.action_shape": action_shape,
    "hl.nonce_rule": nonce_rule,
    "hl.submit_outcome": submit_outcome,
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_the_vector_holds(vector: dict[str, Any]) -> None:
    CHECKS[vector["kind"]](vector["input"], vector["expected"])


def test_every_kind_is_checked() -> None:
    assert {vector["kind"] for vector in VECTORS} <= set(CHECKS)
