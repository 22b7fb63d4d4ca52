"""The corridor's evidence from Hyperliquid: market and clock, keys and margin, and the signed bytes.

The names of a body's fields are those of operators' existing records of this venue.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

from seams.clock import NS_PER_MS, Clock
from seams.http import decode_request
from venues.answers import Booked, Told
from venues.evidence import MAX_SKEW_MS, Market, Prepared, Preparing, Probe, Quotes, probe
from venues.hyperliquid import translate
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.capabilities import MIN_NOTIONAL_USD
from venues.hyperliquid.draft import limit_of
from venues.hyperliquid.envelope import SCOPE, SIGNED, envelope
from venues.hyperliquid.precision import MarketKind, is_price
from venues.hyperliquid.readiness import MODES, context, examine, unanswered
from venues.json_fields import read
from venues.types import OrderRequest

NONCE_SOURCE = "engine_signer_counter"
"""Nonces are counted durably for the signer, before anything is signed with one."""


class HyperliquidEvidence:
    """A `CorridorVenue` over the adapter of Hyperliquid perpetuals."""

    preparing = Preparing.SIGN

    def __init__(self, venue: HyperliquidAdapter, clock: Clock) -> None:
        self._venue, self._clock = venue, clock
        self._quotes = Quotes()
        venue.on_market(self._quotes.heard)

    def told(self, client_order_id: str) -> Told:
        return self._venue.told(client_order_id)

    async def booked_since(self, since_ns: int) -> Sequence[Booked] | None:
        return await self._venue.booked_since(since_ns)

    @property
    def is_streaming(self) -> bool:
        return self._venue.is_up

    async def market(self, symbol: str) -> Market | None:
        return self._quotes.market(symbol)

    async def preflight(self, request: OrderRequest) -> Probe:
        skew_ms = (await self._venue.time_ns() - self._clock.now_ns()) // NS_PER_MS
        market, quoted = self._venue.market_of(request.symbol), self._quotes.market(request.symbol)
        reasons = ["clock_skew"] if abs(skew_ms) > MAX_SKEW_MS else []
        if market is None:
            reasons.append(self._missing())
        else:
            refusal, limit = self._venue.judge(request), limit_of(request)
            reasons += [] if refusal is None else [refusal.code]
            on_grid = limit.is_finite() and is_price(limit, market.sz_decimals, MarketKind.PERP)
            reasons += [] if on_grid else ["tick_not_exact"]
        where = self._venue.client.authority
        body: dict[str, Any] = {
            "symbol": request.symbol,
            "symbol_input": request.symbol,
            "normalized_symbol": request.symbol.removesuffix(translate.SUFFIX),
            "market_type": MarketKind.PERP.value,
            "metadata_type": "meta",
            "public_api_reachable": True,
            "market_supported": market is not None,
            "matched_name": None if market is None else market.symbol,
            "resolved_coin": None if market is None else market.coin,
            "resolved_asset": None if market is None else market.asset,
            "mid_price": None if quoted is None else f"{quoted.mark:f}",
            "sz_decimals": None if market is None else market.sz_decimals,
            "is_delisted": None if market is None else market.is_delisted,
            "min_notional_usd": f"{MIN_NOTIONAL_USD:f}",
            "clock_skew_ms": skew_ms,
            "urls": {"info": f"{where}/info", "exchange": f"{where}/exchange", "websocket": f"{where}/ws"},
            "context": context(self._venue.key, self._venue.readiness),
            "problems": list(self._venue.problems),
            "errors": reasons,
        }
        return probe("preflight", reasons, body)

    async def readiness(self, request: OrderRequest) -> Probe:
        client, found, key = self._venue.client, self._venue.readiness, self._venue.key
        if not found.problems:  # that was at the start: an agent may have been removed or replaced since
            kept = {"mode": next(iter(MODES)), "fees": found.fees_bps}  # only the keys are asked about anew
            try:
                found = await examine(client, key, self._clock.now_ns() // NS_PER_MS, kept)
            except (ValueError, KeyError) as error:
                found = unanswered(error)
        said = await client.about_us("clearinghouseState")
        snapshot = read(lambda state: translate.account(state, client.user), said)
        free_usd = read(_free, said)
        used, cap = await self._venue.rate_budget()
        market = self._venue.market_of(request.symbol)
        value = request.quantity * limit_of(request)
        reasons = ["key_not_ready"] if found.problems else []
        reasons += [each.code for each in found.found]
        if used >= cap:
            reasons.append("address_budget")
        if market is None:
            reasons.append(self._missing())
        elif not request.reduce_only and value > free_usd * market.max_leverage:
            reasons.append("insufficient_available_balance")
        body: dict[str, Any] = {
            "signer": self._venue.signer,
            "account": snapshot.account_id,
            "context": context(key, found),
            "query_user": client.user,
            "nonce_scope": SCOPE,
            "query_address_matches_signer": client.user == key.key.lower(),
            "execution_account_role": found.roles.get(client.user),
            "signer_role": found.roles.get(key.key.lower()),
            "context_ready": not found.problems,
            "equity_usd": f"{snapshot.equity_usd:f}",
            "free_margin_usd": f"{free_usd:f}",
            "order_value_usd": f"{value:f}",
            "requests_used": used,
            "requests_cap": cap,
            "problems": list(found.problems),
            "warnings": list(found.warnings),
            "positions": {each.symbol: f"{each.quantity:f}" for each in snapshot.positions},
        }
        return probe("readiness", tuple(dict.fromkeys(reasons)), body)

    def _missing(self) -> str:
        """Why a market is not there: before the venue has listed any, nobody knows whether it has it."""
        return "market_not_supported" if self._venue.has_lists else "venue_not_ready"

    async def prepare(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Prepared:
        """Sign the order offline; what is hashed is the body exactly as it would leave."""
        found = self._venue.readiness
        body: dict[str, Any] = {
            "signer": self._venue.signer,
            "context": context(self._venue.key, found, valid_until_ns or None),
            "nonce": nonce,
            "nonce_source": NONCE_SOURCE,
            "expires_after": valid_until_ns // NS_PER_MS if valid_until_ns else None,
            "expires_after_mode": "absolute_ms",
            "readiness_allowed": not found.problems,
            "readiness_reasons": [each.code for each in found.found],
            "errors": [],
        }
        refusal = self._venue.judge(request)
        if refusal is not None:
            body |= {"said": refusal.message, "errors": [refusal.code]}
            return Prepared(
                probe=Probe(ok=False, state="signing_refused", reasons=(refusal.code,), body=body)
            )
        signed = self._venue.sign(request, nonce, valid_until_ns)
        sent = decode_request(signed.wire)
        assert sent is not None
        made = envelope(signed.wire, self._venue.key.key.lower(), is_mainnet=self._venue.client.is_mainnet)
        body |= {
            "valid_until_ns": valid_until_ns,
            "payload_sha256": sha256(signed.wire).hexdigest(),
            "body_sha256": sha256(sent[0].body).hexdigest(),
            "action_payload": made["signing_payload"]["action"],
            "signature_envelope": made,
        }
        state = made["signature_state"]
        if state != SIGNED:
            body |= {"said": made["signature_reason"], "errors": [state]}
            return Prepared(probe=Probe(ok=False, state="signing_refused", reasons=(state,), body=body))
        return Prepared(probe=Probe(ok=True, state=SIGNED, body=body), signed=signed)


def _free(state: object) -> Decimal:
    """Return what of the account's value no position has bound. Raises `ValueError`."""
    margin = translate.table(translate.table(state)["marginSummary"])
    return translate.amount(margin, "accountValue") - translate.amount(margin, "totalMarginUsed")
