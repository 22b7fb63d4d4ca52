"""What a venue can show a person about one order before it leaves: facts, reasons, exact bytes.

The supervised corridor asks for it step by step; every answer is kept as an artifact, so a body holds plain
JSON values and never a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from venues.answers import Booked, Told
from venues.contract import Refused, Signed
from venues.public import CandleVenue
from venues.types import MarketEvent, OrderRequest, Quote, Record

MAX_SKEW_MS = 1_000
"""How far a venue's clock may stand from ours before an order is prepared."""


class Probe(Record):
    """One question's answer: may it go on, in which state is it, why not, and what the venue said."""

    ok: bool
    state: str
    reasons: tuple[str, ...] = ()
    body: dict[str, Any] = {}


class Market(Record):
    """A symbol's price now: its mark, the best bid and offer where there is a book, and of when."""

    mark: Decimal
    bid: Decimal | None
    ask: Decimal | None
    at_ns: int


class Quotes:
    """The newest best bid and offer of each symbol, as an adapter's market stream tells them."""

    def __init__(self) -> None:
        self._newest: dict[str, Quote] = {}

    def heard(self, event: MarketEvent) -> None:
        """Take one event of the stream."""
        if isinstance(event, Quote):
            self._newest[event.symbol] = event

    def market(self, symbol: str) -> Market | None:
        """Return a symbol's price, its mark in the middle; None before the first quote."""
        quote = self._newest.get(symbol)
        if quote is None:
            return None
        bid, ask = Decimal(repr(quote.bid)), Decimal(repr(quote.ask))
        return Market(mark=(bid + ask) / 2, bid=bid, ask=ask, at_ns=quote.at_ns)


def probe(what: str, reasons: Sequence[str], body: Mapping[str, Any]) -> Probe:
    """Return the answer of a question: passed where there is no reason against it."""
    state = f"{what}_passed" if not reasons else f"{what}_refused"
    return Probe(ok=not reasons, state=state, reasons=tuple(reasons), body=dict(body))


class Preparing(StrEnum):
    """How a venue's order is made certain before it is sent."""

    SIGN = "sign"
    """It is signed offline: the bytes that a person approves are the bytes that leave."""
    VALIDATE = "validate"
    """The venue checks it without placing it; the bytes are made from what was approved when it leaves."""


class Prepared(Record):
    """A signed or validated order; `signed` is None where it was only validated."""

    probe: Probe
    signed: Signed | None = None


class WouldState(StrEnum):
    """What an order of a dry run would have become."""

    WOULD = "would"
    REFUSED = "refused"
    UNDECIDED = "undecided"
    """The venue was to validate it, and did not answer."""


@runtime_checkable
class Validates(Protocol):
    """An adapter whose venue judges an order without placing it."""

    async def validate(self, request: OrderRequest, nonce: int) -> str:
        """Return the venue's words for the order. Raises `VenueError`."""
        ...


@runtime_checkable
class Judges(Protocol):
    """An adapter that says itself why an order would not leave."""

    def judge(self, request: OrderRequest) -> Refused | None: ...


class FactVenue(CandleVenue, Protocol):
    """What the rules must know of a venue's markets beyond their price now: their past, and what a position
    in them must keep."""

    def maintenance_rate(self, symbol: str, notional_usd: Decimal) -> Decimal | None:
        """Return maintenance margin as a fraction of notional, for a position of this size in USD; None where
        it is not known, or where nothing is borrowed."""
        ...


class CorridorVenue(Protocol):
    """The part of an adapter that the corridor needs besides `VenueAdapter`. No call here can trade.

    Each raises `VenueError` where the venue gave no answer.
    """

    @property
    def preparing(self) -> Preparing: ...

    def told(self, client_order_id: str) -> Told:
        """Return how the venue names an order and what it last answered about it; no I/O, and no secret."""
        ...

    async def booked_since(self, since_ns: int) -> Sequence[Booked] | None:
        """Return what the venue booked with each execution from a time on; None where it does not say."""
        ...

    @property
    def is_streaming(self) -> bool:
        """Tell whether the account's stream is whole, so that what happens is told and not only asked for."""
        ...

    async def market(self, symbol: str) -> Market | None:
        """Return the symbol's price, None where the venue has none."""
        ...

    async def preflight(self, request: OrderRequest) -> Probe:
        """Is the venue up, does it list the symbol, is the order well formed for it?"""
        ...

    async def readiness(self, request: OrderRequest) -> Probe:
        """May this key act for this account, and does the account carry the order?"""
        ...

    async def prepare(self, request: OrderRequest, nonce: int, valid_until_ns: int) -> Prepared:
        """Sign the order, or have it validated; nothing is placed."""
        ...
