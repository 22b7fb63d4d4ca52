"""The venue's own payload inside each artifact: its fields, its reasons, and that it tells the truth.

`golden/*.json` are the whole payloads of one order on a clock that stands still: what the tools of operators
read is changed on purpose or not at all.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.api.corridor import Step
from safety.canonical import changed
from safety.reasons import REASONS
from seams.http import decode_request
from tests.corridor.halls import Hall, in_hall
from tests.corridor.stages import STAGES, HyperliquidStage, KrakenStage
from tests.venues.hyperliquid_desk import AGENT, MASTER, OTHER
from tests.venues.test_hyperliquid_adapter import KEY
from venues.contract import Signed
from venues.hyperliquid.readiness import context
from venues.hyperliquid.signing import action_hash, signer_of_l1, throwaway_key, wallet_of
from venues.sandbox.inprocess import PeerLink
from venues.sandbox.programs import Fault, Strike
from venues.types import (
    ExecutionContext,
    OrderRequest,
    OrderType,
    RoutingTarget,
    Side,
    SignerType,
    TimeInForce,
)

GOLDEN = Path(__file__).parent / "golden"
ARTIFACTS = ("preflight", "account_readiness", "prepared_order")
FIELDS = {
    "hyperliquid": {
        "preflight": "symbol_input normalized_symbol market_type metadata_type public_api_reachable"
        " market_supported matched_name resolved_coin resolved_asset mid_price urls context errors",
        "account_readiness": "context query_user nonce_scope query_address_matches_signer"
        " execution_account_role signer_role context_ready",
        "prepared_order": "nonce nonce_source expires_after expires_after_mode action_payload"
        " signature_envelope readiness_allowed readiness_reasons errors",
    },
    "kraken": {
        "preflight": "symbol_input public_api_reachable system_status market_supported pair_status errors",
        "account_readiness": "private_auth_ready permissions funding_asset available_balance errors",
        "prepared_order": "payload status remote_validation_called validation_accepted errors",
    },
}
ENVELOPE = (
    "signer_id nonce_scope signing_scheme signature_state signature_present signature_reason signing_payload"
    " signing_payload_sha256 action_hash phantom_agent signature derived_signer_address private_key_source"
    " eip712_payload"
)


def payload(hall: Hall, session_id: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = hall.artifact(session_id, name)["body"]["venue"]
    return found


@pytest.mark.parametrize("venue", sorted(STAGES))
def test_an_orders_payloads_are_those_of_the_golden_file(venue: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        made = {name: payload(hall, session_id, name) for name in ARTIFACTS}
        for name, fields in FIELDS[venue].items():
            assert not set(fields.split()) - set(made[name]), name
        golden = json.loads((GOLDEN / f"{venue}.json").read_text())
        assert made == golden, json.dumps(made, indent=1, sort_keys=True)

    in_hall(venue, tmp_path, scene)


def test_the_envelope_is_of_the_very_bytes_that_would_leave(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        session_id = await hall.at_gate()
        body = hall.artifact(session_id, "prepared_order")["body"]
        signed, made = msgspec.convert(body["signed"], Signed), body["venue"]["signature_envelope"]
        assert set(made) == set(ENVELOPE.split())
        request = decode_request(signed.wire)
        assert request is not None
        sent = json.loads(request[0].body)
        assert made["signing_payload"] == {name: sent[name] for name in made["signing_payload"]}
        assert made["signature"] == sent["signature"] and made["signature_state"] == "signed"
        given = {"vault": sent["vaultAddress"], "expires_ms": sent["expiresAfter"]}
        assert made["action_hash"] == action_hash(sent["action"], sent["nonce"], **given)
        assert made["phantom_agent"] == {"source": "b", "connectionId": made["action_hash"]}
        assert made["eip712_payload"]["domain"]["chainId"] == 1337
        found = signer_of_l1(sent["action"], sent["signature"], sent["nonce"], is_mainnet=False, **given)
        assert found == made["derived_signer_address"] == AGENT.address.lower() == made["signer_id"]
        assert KEY.secret.removeprefix("0x") not in json.dumps(body), "and of the key itself nothing"

    in_hall("hyperliquid", tmp_path, scene)


def test_a_signature_of_another_key_than_declared_is_not_sent(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        state = await hall.opened()
        await hall.do(state.session_id, Step.READINESS)
        assert isinstance(hall.stage, HyperliquidStage)
        hall.stage.adapter.client._orders = wallet_of(throwaway_key("test", "other"))
        said = await hall.do(state.session_id, Step.PREPARE)
        assert said.reasons == ("signer_identity_mismatch",) and said.status == "signing_refused"
        made = payload(hall, state.session_id, "prepared_order")["signature_envelope"]
        assert made["signature_state"] == "signer_identity_mismatch"
        assert made["derived_signer_address"] == OTHER.address.lower()
        assert "signed" not in hall.artifact(state.session_id, "prepared_order")["body"]
        assert hall.stage.arrived() == []

    in_hall("hyperliquid", tmp_path, scene)


ROUTED = "0x" + "51" * 20
ROUTES = {
    # what the key file's vault is at the venue: role, master, the reason, where the order would go
    "a sub-account of ours": ("subAccount", MASTER, "", RoutingTarget.SUBACCOUNT),
    "a vault of ours": ("vault", MASTER, "", RoutingTarget.VAULT),
    "another's sub-account": (
        "subAccount",
        OTHER,
        "execution_account_not_subaccount",
        RoutingTarget.SUBACCOUNT,
    ),
    "another's vault": ("vault", OTHER, "execution_account_not_vault", RoutingTarget.VAULT),
    "nobody's": ("", OTHER, "execution_account_missing", RoutingTarget.SUBACCOUNT),
}


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_whom_an_order_would_be_for_and_why_not(route: str, tmp_path: Path) -> None:
    role, master, reason, target = ROUTES[route]

    async def scene(hall: Hall) -> None:
        stage = hall.stage
        assert isinstance(stage, HyperliquidStage)
        if role:
            stage.exchange.registry.open(
                ROUTED, role=role, master=master.address.lower(), cash=Decimal(5_000)
            )
        await stage.down()
        stage.rig.link = PeerLink(stage.exchange, "", "/ws", stage.clock)
        stage.adapter = stage.rig.adapter = stage.rig.make(changed(KEY, vault=ROUTED))
        await stage.up()
        await stage.clock.sleep(2.0)
        hall.desk.venue = stage.evidence()
        await hall.quote()
        request = _request()
        probe = await hall.desk.venue.readiness(request)
        found = context(stage.adapter.key, stage.adapter.readiness)
        assert (found.routing_target, found.execution_account_id) == (target, ROUTED)
        assert found.signer_type is SignerType.AGENT_WALLET and probe.body["query_user"] == ROUTED
        assert (reason in probe.reasons) is bool(reason) and probe.ok is not bool(reason), probe
        assert probe.body["signer_role"] == "agent" and probe.body["context_ready"] is not bool(reason)
        assert probe.body["execution_account_role"] == (role or "missing")

    in_hall("hyperliquid", tmp_path, scene)


SIGNERS = {
    "an agent of somebody else": (OTHER, "signer_role_mismatch"),
    "an address that nobody knows": (None, "signer_role_unknown"),
}


@pytest.mark.parametrize("signer", sorted(SIGNERS))
def test_a_key_that_does_not_sign_for_the_account_is_named_by_its_role(signer: str, tmp_path: Path) -> None:
    master, reason = SIGNERS[signer]

    async def scene(hall: Hall) -> None:
        stage = hall.stage
        assert isinstance(stage, HyperliquidStage)
        secret = throwaway_key("test", "stranger")
        stranger = wallet_of(secret)
        if master is not None:
            stage.exchange.add_agent(master.address, stranger.address)
        await stage.down()
        stage.rig.link = PeerLink(stage.exchange, "", "/ws", stage.clock)
        stage.adapter = stage.rig.adapter = stage.rig.make(changed(KEY, key=stranger.address, secret=secret))
        stage.adapter.start()
        await stage.clock.sleep(2.0)
        await hall.quote()
        probe = await stage.evidence().readiness(_request())
        assert probe.reasons[:2] == ("key_not_ready", reason), probe

    in_hall("hyperliquid", tmp_path, scene)


def test_margin_that_a_position_has_bound_pays_for_nothing_else(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        stage = hall.stage
        assert isinstance(stage, HyperliquidStage)
        leverage = stage.adapter.market_of("BTC-PERP")
        assert leverage is not None
        stage.by_hand(60_100, 3)
        state = msgspec.json.decode(msgspec.json.encode(await stage.evidence().readiness(_request())))
        equity, free = (float(state["body"][name]) for name in ("equity_usd", "free_margin_usd"))
        assert 0 < free < equity / 4
        size = Decimal(str(round((free + equity) / 2 * leverage.max_leverage / 59_900, 3)))
        probe = await stage.evidence().readiness(changed(_request(), quantity=size))
        assert "insufficient_available_balance" in probe.reasons, "its equity alone would have carried it"

    in_hall("hyperliquid", tmp_path, scene)


def test_cash_that_a_resting_purchase_holds_pays_for_nothing_else(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        stage = hall.stage
        assert isinstance(stage, KrakenStage)
        request = changed(_request(), symbol="BTC-USD")
        before = await stage.evidence().readiness(request)
        assert before.ok and before.body["available_balance"] == before.body["cash_usd"]
        cash = Decimal(before.body["cash_usd"])
        size = (cash / 59_000 * Decimal("0.9")).quantize(Decimal("0.0001"))
        stage.by_hand(59_000, float(size))
        asked = changed(request, quantity=(cash / 59_900 * Decimal("0.5")).quantize(Decimal("0.0001")))
        probe = await stage.evidence().readiness(asked)
        assert Decimal(probe.body["available_balance"]) < cash / 5 < Decimal(probe.body["cash_usd"])
        assert probe.reasons == ("insufficient_available_balance",)

    in_hall("kraken", tmp_path, scene)


KRAKEN_SAYS = {
    "the key is not taken": ("GetApiKeyInfo", "EAPI:Invalid key", "private_auth_not_ready"),
    "no right to ask for funds": (
        "BalanceEx",
        "EGeneral:Permission denied",
        "account_snapshot_unavailable",
    ),
}


@pytest.mark.parametrize("case", sorted(KRAKEN_SAYS))
def test_krakens_refusal_of_a_question_is_a_reason_and_no_outage(case: str, tmp_path: Path) -> None:
    on, said, reason = KRAKEN_SAYS[case]

    async def scene(hall: Hall) -> None:
        text = json.dumps({"error": [said]})
        fault = Fault(nth=1, on=on, strike=Strike.APPLY_THEN_SAY, text=text)
        hall.stage.exchange.program.add(fault)
        probe = await hall.stage.evidence().readiness(changed(_request(), symbol="BTC-USD"))
        assert probe.reasons == (reason,) and said in probe.body["errors"][0]

    in_hall("kraken", tmp_path, scene)


def test_krakens_pair_is_judged_again_by_its_own_reasons(tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        stage = hall.stage
        assert isinstance(stage, KrakenStage)
        evidence, request = stage.evidence(), changed(_request(), symbol="BTC-USD")
        small = changed(request, quantity=Decimal("0.000001"))
        assert (await evidence.readiness(small)).reasons == ("below_pair_costmin", "below_pair_ordermin")
        unlisted = await evidence.readiness(changed(request, symbol="NONE-USD"))
        assert unlisted.reasons == ("pair_not_supported",)
        rules = stage.adapter._rules["BTC-USD"]
        stage.adapter._rules["BTC-USD"] = changed(rules, status="cancel_only")
        assert (await evidence.readiness(request)).reasons == ("pair_not_online",)
        prepared = await evidence.prepare(request, 1, 0)
        assert prepared.probe.body["status"] == "rejected_local"
        assert prepared.probe.body["remote_validation_called"] is False
        stage.adapter._rules["BTC-USD"] = rules
        stage.exchange.trading.accounts["trader"].balances.pop("ZUSD", None)
        poor = await evidence.readiness(request)
        assert poor.reasons == ("funding_asset_missing", "insufficient_available_balance")

    in_hall("kraken", tmp_path, scene)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("EOrder:Insufficient funds", "rejected_remote"),
        ("EGeneral:Permission denied", "auth_not_ready"),
        ("EAPI:Invalid nonce", "auth_not_ready"),
    ],
)
def test_a_validation_says_who_refused_and_what_it_was_about(said: str, status: str, tmp_path: Path) -> None:
    async def scene(hall: Hall) -> None:
        state = await hall.opened()
        await hall.do(state.session_id, Step.READINESS)
        hall.stage.strike(Strike.APPLY_THEN_SAY, text=json.dumps({"error": [said]}))
        refused = await hall.do(state.session_id, Step.PREPARE)
        assert refused.status == "validation_refused"
        body = payload(hall, state.session_id, "prepared_order")
        assert (body["status"], body["validation_accepted"], body["venue_said"]) == (status, False, said)
        assert body["remote_validation_called"] is True and body["payload"]["validate"] == "true"

    in_hall("kraken", tmp_path, scene)


def test_a_context_is_read_back_as_written_and_an_unknown_field_is_refused() -> None:
    made = ExecutionContext(
        execution_account_id="0x1",
        signer_id="0x2",
        signer_type=SignerType.API_WALLET,
        routing_target=RoutingTarget.VAULT,
        expires_after_ns=5,
        nonce_hint=7,
    )
    said = msgspec.json.encode(made)
    assert msgspec.json.decode(said, type=ExecutionContext) == made
    for wrong in ({"signer": "0x2"}, {"signer_type": "master"}, {"routing_target": "elsewhere"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(msgspec.json.decode(said) | wrong, ExecutionContext)


def test_every_reason_here_has_its_row() -> None:
    reasons = {reason for _, _, reason, _ in ROUTES.values() if reason}
    reasons |= {reason for _, reason in SIGNERS.values()} | {each[2] for each in KRAKEN_SAYS.values()}
    assert reasons <= set(REASONS)


def _request() -> OrderRequest:
    return OrderRequest(
        client_order_id="O-1-0001",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=Decimal("0.001"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(59_900),
        time_in_force=TimeInForce.GTC,
        reduce_only=False,
        mark_price=Decimal(60_005),
    )
