"""The corridor's evidence from the sandbox exchange: its clock, its rules, its account, signed bytes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from seams.clock import NS_PER_MS, Clock
from venues.answers import Booked, Told
from venues.evidence import MAX_SKEW_MS, Market, Prepared, Preparing, Probe, Quotes, probe
from venues.sandbox.link import ExchangeLink
from venues.types import Instrument, OrderRequest


class ExchangeEvidence:
    """A `CorridorVenue` over the adapter of the sandbox exchange."""

    preparing = Preparing.SIGN

    def __init__(self, link: ExchangeLink, clock: Clock) -> None:
        self._link, self._clock = link, clock
        self._quotes = Quotes()
        link.on_market(self._quotes.heard)

    def told(self, client_order_id: str) -> Told:
        return Told(client_id=client_order_id)

    async def booked_since(self, since_ns: int) -> Sequence[Booked] | None:
        return None

    @property
    def is_streaming(self) -> bool:
        return self._link.is_up

    async def market(self, symbol: str) -> Market | None:
        return self._quotes.market(symbol)

    async def preflight(self, request: OrderRequest) -> Probe:
        skew_ms = (await self._link.time_ns() - self._clock.now_ns()) // NS_PER_MS
        known = {each.symbol: each for each in self._link.instruments()}.get(request.symbol)
        reasons = list(_form(request, known))
        if abs(skew_ms) > MAX_SKEW_MS:
            reasons.append("clock_skew")
        body: dict[str, Any] = {
            "symbol": request.symbol,
            "market_supported": known is not None,
            "clock_skew_ms": skew_ms,
            "tick": None if known is None else str(known.tick),
            "lot": None if known is None else str(known.lot),
        }
        return probe("preflight", reasons, body)

    async def readiness(self, request: OrderRequest) -> Probe:
        snapshot = await self._link.account()
        value = request.quantity * request.limit_price
        reasons = []
        if not request.reduce_only and snapshot.cash_usd <= 0:
            reasons.append("insufficient_available_balance")
        body: dict[str, Any] = {
            "signer": self._link.signer,
            "cash_usd": str(snapshot.cash_usd),
            "order_value_usd": str(value),
            "positions": {each.symbol: str(each.quantity) for each in snapshot.positions},
        }
        return probe("readiness", reasons, body)

    async def prepare(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Prepared:
        signed = self._link.sign(request, nonce, valid_until_ns)
        body = {
            "signer": self._link.signer,
            "nonce": nonce,
            "valid_until_ns": valid_until_ns,
            "payload_sha256": sha256(signed.wire).hexdigest(),
        }
        return Prepared(probe=Probe(ok=True, state="signed", body=body), signed=signed)


def _form(request: OrderRequest, known: Instrument | None) -> list[str]:
    """Return the reasons for which the exchange would refuse the order's form."""
    if known is None:
        return ["market_not_supported"]
    found = []
    if request.quantity % known.lot:
        found.append("lot_not_exact")
    if request.limit_price % known.tick:
        found.append("tick_not_exact")
    if not request.reduce_only and request.quantity * request.limit_price < known.min_notional_usd:
        found.append("below_min_notional")
    return found
