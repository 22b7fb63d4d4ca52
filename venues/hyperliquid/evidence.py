"""The corridor's evidence from Hyperliquid: market and clock, keys and margin, and the signed bytes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from seams.clock import NS_PER_MS, Clock
from seams.http import decode_request
from venues.evidence import MAX_SKEW_MS, Market, Prepared, Preparing, Probe, Quotes, probe
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.capabilities import MIN_NOTIONAL_USD
from venues.hyperliquid.draft import limit_of
from venues.hyperliquid.precision import MarketKind, is_price
from venues.types import OrderRequest


class HyperliquidEvidence:
    """A `CorridorVenue` over the adapter of Hyperliquid perpetuals."""

    preparing = Preparing.SIGN

    def __init__(self, venue: HyperliquidAdapter, clock: Clock) -> None:
        self._venue, self._clock = venue, clock
        self._quotes = Quotes()
        venue.on_market(self._quotes.heard)

    @property
    def is_streaming(self) -> bool:
        return self._venue.is_up

    async def market(self, symbol: str) -> Market | None:
        return self._quotes.market(symbol)

    async def preflight(self, request: OrderRequest) -> Probe:
        skew_ms = (await self._venue.time_ns() - self._clock.now_ns()) // NS_PER_MS
        market = self._venue.market_of(request.symbol)
        reasons = ["clock_skew"] if abs(skew_ms) > MAX_SKEW_MS else []
        if market is None:
            reasons.append(self._missing())
        else:
            refusal, limit = self._venue.judge(request), limit_of(request)
            reasons += [] if refusal is None else [refusal.code]
            on_grid = limit.is_finite() and is_price(limit, market.sz_decimals, MarketKind.PERP)
            reasons += [] if on_grid else ["tick_not_exact"]
        body: dict[str, Any] = {
            "symbol": request.symbol,
            "market_supported": market is not None,
            "asset": None if market is None else market.asset,
            "sz_decimals": None if market is None else market.sz_decimals,
            "is_delisted": None if market is None else market.is_delisted,
            "min_notional_usd": f"{MIN_NOTIONAL_USD:f}",
            "clock_skew_ms": skew_ms,
            "problems": list(self._venue.problems),
        }
        return probe("preflight", reasons, body)

    async def readiness(self, request: OrderRequest) -> Probe:
        snapshot = await self._venue.account()
        used, cap = await self._venue.rate_budget()
        market = self._venue.market_of(request.symbol)
        value = request.quantity * limit_of(request)
        reasons = ["key_not_ready"] if self._venue.problems else []
        if used >= cap:
            reasons.append("address_budget")
        if market is None:
            reasons.append(self._missing())
        elif not request.reduce_only and value > snapshot.equity_usd * market.max_leverage:
            reasons.append("insufficient_available_balance")
        body: dict[str, Any] = {
            "signer": self._venue.signer,
            "account": snapshot.account_id,
            "equity_usd": f"{snapshot.equity_usd:f}",
            "order_value_usd": f"{value:f}",
            "requests_used": used,
            "requests_cap": cap,
            "problems": list(self._venue.problems),
            "warnings": list(self._venue.warnings),
            "positions": {each.symbol: f"{each.quantity:f}" for each in snapshot.positions},
        }
        return probe("readiness", reasons, body)

    def _missing(self) -> str:
        """Why a market is not there: before the venue has listed any, nobody knows whether it has it."""
        return "market_not_supported" if self._venue.has_lists else "venue_not_ready"

    async def prepare(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Prepared:
        """Sign the order offline; what is hashed is the body exactly as it would leave."""
        refusal = self._venue.judge(request)
        if refusal is not None:
            body: dict[str, Any] = {"signer": self._venue.signer, "nonce": nonce, "said": refusal.message}
            return Prepared(
                probe=Probe(ok=False, state="signing_refused", reasons=(refusal.code,), body=body)
            )
        signed = self._venue.sign(request, nonce, valid_until_ns)
        found = decode_request(signed.wire)
        assert found is not None
        body = {
            "signer": self._venue.signer,
            "nonce": nonce,
            "valid_until_ns": valid_until_ns,
            "payload_sha256": sha256(signed.wire).hexdigest(),
            "body_sha256": sha256(found[0].body).hexdigest(),
        }
        return Prepared(probe=Probe(ok=True, state="signed", body=body), signed=signed)
