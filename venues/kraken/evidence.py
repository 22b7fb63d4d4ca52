"""The corridor's evidence from Kraken: system and pair, funds and key, and the venue's own validation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from seams.clock import NS_PER_MS, Clock
from venues.contract import Refused
from venues.evidence import MAX_SKEW_MS, Market, Prepared, Preparing, Probe, Quotes, probe
from venues.kraken.adapter import KrakenAdapter
from venues.types import OrderRequest, Side

WITHDRAW = "withdraw-funds"


class KrakenEvidence:
    """A `CorridorVenue` over the adapter of Kraken spot."""

    preparing = Preparing.VALIDATE

    def __init__(self, venue: KrakenAdapter, clock: Clock) -> None:
        self._venue, self._clock = venue, clock
        self._quotes = Quotes()
        venue.on_market(self._quotes.heard)

    @property
    def is_streaming(self) -> bool:
        return self._venue.is_up

    async def market(self, symbol: str) -> Market | None:
        return self._quotes.market(symbol)

    async def preflight(self, request: OrderRequest) -> Probe:
        status = await self._venue.system_status()
        skew_ms = (await self._venue.time_ns() - self._clock.now_ns()) // NS_PER_MS
        rules = self._venue.rules(request.symbol)
        reasons = [] if status == "online" else [f"system_{status}"]
        if abs(skew_ms) > MAX_SKEW_MS:
            reasons.append("clock_skew")
        if rules is None:
            reasons.append("market_not_supported")
        else:
            refusal = self._venue.judge(request)
            reasons += [] if refusal is None else [refusal.code]
            reasons += ["lot_not_exact"] if rules.volume(request.quantity) != request.quantity else []
            exact = rules.price(request.limit_price, request.side) == request.limit_price
            reasons += [] if exact else ["tick_not_exact"]
        body: dict[str, Any] = {
            "symbol": request.symbol,
            "system_status": status,
            "market_supported": rules is not None,
            "clock_skew_ms": skew_ms,
            "pair_status": None if rules is None else rules.status,
            "tick": None if rules is None else f"{rules.tick:f}",
            "lot": None if rules is None else f"{rules.lot:f}",
            "ordermin": None if rules is None else f"{rules.ordermin:f}",
            "costmin": None if rules is None else f"{rules.costmin:f}",
        }
        return probe("preflight", reasons, body)

    async def readiness(self, request: OrderRequest) -> Probe:
        permissions = await self._venue.permissions()
        snapshot = await self._venue.account()
        held = {each.symbol: each.quantity for each in snapshot.positions}
        value = request.quantity * (request.limit_price or request.mark_price)
        reasons = ["key_can_withdraw"] if WITHDRAW in permissions else []
        if request.side is Side.BUY and value > snapshot.cash_usd:
            reasons.append("insufficient_available_balance")
        if request.side is Side.SELL and request.quantity > held.get(request.symbol, Decimal(0)):
            reasons.append("nothing_to_sell")
        body: dict[str, Any] = {
            "signer": self._venue.signer,
            "permissions": sorted(permissions),
            "cash_usd": f"{snapshot.cash_usd:f}",
            "order_value_usd": f"{value:f}",
            "positions": {symbol: f"{quantity:f}" for symbol, quantity in held.items()},
        }
        return probe("readiness", reasons, body)

    async def prepare(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Prepared:
        """Let the venue validate the order under this nonce. Raises `VenueError` where it does not say."""
        reasons: list[str] = []
        try:
            said = await self._venue.validate(request, nonce)
        except Refused as refused:
            reasons, said = [refused.code], refused.message
        body: dict[str, Any] = {"signer": self._venue.signer, "nonce": nonce, "venue_said": said}
        state = "validated" if not reasons else "validation_refused"
        return Prepared(probe=Probe(ok=not reasons, state=state, reasons=tuple(reasons), body=body))
