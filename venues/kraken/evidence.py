"""The corridor's evidence from Kraken: system and pair, funds and key, and the venue's own validation.

The names of a body's fields, and the reasons of readiness and validation, are those of operators' existing
records of this venue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

from seams.clock import NS_PER_MS, Clock
from venues.answers import Booked, Told
from venues.contract import Refused
from venues.evidence import MAX_SKEW_MS, Market, Prepared, Preparing, Probe, Quotes, probe
from venues.json_fields import read
from venues.kraken.adapter import QUOTE, KrakenAdapter
from venues.kraken.precision import Rules
from venues.kraken.translate import Json, amount, table
from venues.types import ExecutionContext, OrderRequest, Side, SignerType, TimeInForce, TransportPreference

WITHDRAW = "withdraw-funds"
ONLINE = ("online", "limit_only", "post_only")
AUTH_CODES = frozenset(
    {"bad_key", "bad_signature", "not_permitted", "locked_out", "account_refused", "nonce_used"}
)
"""Refusals that are about the key and not about what was asked."""


class Validation(StrEnum):
    """What became of an order's validation."""

    VALIDATED = "validated"
    AUTH_NOT_READY = "auth_not_ready"
    REJECTED_LOCAL = "rejected_local"
    REJECTED_REMOTE = "rejected_remote"


class KrakenEvidence:
    """A `CorridorVenue` over the adapter of Kraken spot."""

    preparing = Preparing.VALIDATE

    def __init__(self, venue: KrakenAdapter, clock: Clock) -> None:
        self._venue, self._clock = venue, clock
        self._quotes = Quotes()
        venue.on_market(self._quotes.heard)

    def told(self, client_order_id: str) -> Told:
        return self._venue.told(client_order_id)

    async def booked_since(self, since_ns: int) -> Sequence[Booked] | None:
        return None

    @property
    def is_streaming(self) -> bool:
        return self._venue.is_up

    async def market(self, symbol: str) -> Market | None:
        return self._quotes.market(symbol)

    def _context(self) -> ExecutionContext:
        return ExecutionContext(
            execution_account_id=self._venue.account_name,
            signer_id=self._venue.signer.partition(":")[2],
            signer_type=SignerType.API_WALLET,
            transport_preference=TransportPreference.REST,
        )

    async def preflight(self, request: OrderRequest) -> Probe:
        status = await self._venue.system_status()
        skew_ms = (await self._venue.time_ns() - self._clock.now_ns()) // NS_PER_MS
        rules, quoted = self._venue.rules(request.symbol), self._quotes.market(request.symbol)
        may_rest = status in ("post_only", "limit_only") and request.time_in_force is TimeInForce.POST_ONLY
        reasons = [] if status == "online" or may_rest else [f"system_{status}"]
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
            "symbol_input": request.symbol,
            "normalized_symbol": None if rules is None else rules.wsname,
            "public_api_reachable": True,
            "system_status": status,
            "market_supported": rules is not None,
            "matched_name": None if rules is None else rules.altname,
            "clock_skew_ms": skew_ms,
            "pair_status": None if rules is None else rules.status,
            "tick": None if rules is None else f"{rules.tick:f}",
            "lot": None if rules is None else f"{rules.lot:f}",
            "ordermin": None if rules is None else f"{rules.ordermin:f}",
            "costmin": None if rules is None else f"{rules.costmin:f}",
            "mid_price": None if quoted is None else f"{quoted.mark:f}",
            "context": self._context(),
            "errors": reasons,
        }
        return probe("preflight", reasons, body)

    async def readiness(self, request: OrderRequest) -> Probe:
        rules = self._venue.rules(request.symbol)
        value = request.quantity * (request.limit_price or request.mark_price)
        reasons, errors = list(_pair_reasons(rules, request, value)), list[str]()
        permissions: frozenset[str] | None = None
        owned: dict[str, Json] | None = None
        try:
            permissions = await self._venue.permissions()
        except Refused as refused:
            reasons.append("private_auth_not_ready")
            errors.append(str(refused))
        try:
            owned = read(_owned, await self._venue.client.ask("BalanceEx"))
        except Refused as refused:
            reasons.append("account_snapshot_unavailable")
            errors.append(str(refused))
        if permissions is not None and WITHDRAW in permissions:
            reasons.append("key_can_withdraw")
        asset = QUOTE if request.side is Side.BUY or rules is None else rules.base
        if owned is not None:
            reasons += _fund_reasons(request, owned, asset, value)
        body: dict[str, Any] = {
            "signer": self._venue.signer,
            "context": self._context(),
            "private_auth_ready": permissions is not None,
            "permissions": sorted(permissions or ()),
            "pair_supported": rules is not None,
            "pair_status": None if rules is None else rules.status,
            "account_snapshot_available": owned is not None,
            "funding_asset": asset,
            "funding_asset_present": owned is not None and asset in owned,
            "available_balance": None if owned is None else f"{_available(owned.get(asset)):f}",
            "cash_usd": None if owned is None else f"{_held(owned.get(QUOTE)):f}",
            "order_value_usd": f"{value:f}",
            "balances": {name: f"{_held(each):f}" for name, each in (owned or {}).items()},
            "errors": errors,
        }
        return probe("readiness", reasons, body)

    async def prepare(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Prepared:
        """Let the venue validate the order under this nonce. Raises `VenueError` where it does not say."""
        refusal, said = self._venue.judge(request), ""
        was_asked = refusal is None
        if refusal is None:
            try:
                said = await self._venue.validate(request, nonce)
            except Refused as refused:
                refusal = refused
        status = _validation(refusal, was_asked=was_asked)
        fields = None if self._venue.rules(request.symbol) is None else self._venue.fields(request)
        body: dict[str, Any] = {
            "signer": self._venue.signer,
            "context": self._context(),
            "nonce": nonce,
            "payload": None if fields is None else fields | {"validate": "true"},
            "status": status.value,
            "remote_validation_called": was_asked,
            "validation_accepted": refusal is None,
            "venue_said": said if refusal is None else refusal.message,
            "errors": [] if refusal is None else [str(refusal)],
        }
        reasons = () if refusal is None else (refusal.code,)
        state = "validated" if refusal is None else "validation_refused"
        return Prepared(probe=Probe(ok=not reasons, state=state, reasons=reasons, body=body))


def _validation(refusal: Refused | None, *, was_asked: bool) -> Validation:
    if refusal is None:
        return Validation.VALIDATED
    if not was_asked:
        return Validation.REJECTED_LOCAL
    return Validation.AUTH_NOT_READY if refusal.code in AUTH_CODES else Validation.REJECTED_REMOTE


def _pair_reasons(rules: Rules | None, request: OrderRequest, value: Decimal) -> Iterator[str]:
    """Say what is wrong with the pair for this order; it may have changed since the preflight."""
    if rules is None:
        yield "pair_not_supported"
        return
    if rules.status not in ONLINE:
        yield "pair_not_online"
    if value < rules.costmin:
        yield "below_pair_costmin"
    if request.quantity < rules.ordermin:
        yield "below_pair_ordermin"


def _fund_reasons(request: OrderRequest, owned: dict[str, Json], asset: str, value: Decimal) -> Iterator[str]:
    """Say what the account lacks: what rests on the book is bound, and cannot be spent a second time."""
    free = _available(owned.get(asset))
    if asset not in owned:
        yield "funding_asset_missing"
    if request.side is Side.BUY and value > free:
        yield "insufficient_available_balance"
    if request.side is Side.SELL and request.quantity > free:
        yield "nothing_to_sell"


def _owned(said: object) -> dict[str, Json]:
    """Read `BalanceEx`: asset -> what there is of it. Raises `ValueError` or `KeyError`."""
    found = {asset: table(each) for asset, each in table(said).items()}
    for each in found.values():
        amount(each["balance"])
        _available(each)
    return found


def _held(said: Json | None) -> Decimal:
    return Decimal(0) if said is None else amount(said["balance"])


def _available(said: Json | None) -> Decimal:
    """Return what can be spent now: balance + credit - used credit - held for what rests (venues.md 5.4)."""
    if said is None:
        return Decimal(0)
    added, taken = ("balance", "credit"), ("credit_used", "hold_trade")
    return sum((amount(said.get(name, 0)) for name in added), Decimal(0)) - sum(
        (amount(said.get(name, 0)) for name in taken), Decimal(0)
    )
