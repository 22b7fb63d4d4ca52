"""What a venue answered about our orders, as it came: an exhibit for the record; nothing is decided by it.

Keys, signatures and tokens are in requests only, and no request is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from seams.http import Response
from venues.types import Record

Heard = Callable[[Response], None]
"""Whoever is told an answer as it came."""
JSON = msgspec.json.Decoder(float_hook=str)
"""Numbers stay as the venue wrote them."""
KEPT = 200
MOST_BYTES = 4_000


class Answer(Record):
    """One answer to an order or a cancel: its HTTP status, and its JSON (its beginning where it is none)."""

    status: int
    body: Any


class Told(Record):
    """What a venue last said about one order, in its own words; None and nothing where it was not heard."""

    client_id: str = ""
    """The client id that the venue knows the order by."""
    raw_status: str = ""
    order: Mapping[str, Any] | None = None
    submit: Answer | None = None
    cancel: Answer | None = None


class Booked(Record):
    """What a venue booked with one execution beside its fee; `fill_id` is the fill's."""

    fill_id: str
    closed_pnl: Decimal
    builder_fee: Decimal
    at_ns: int


class Answers:
    """The newest answers about the newest orders, in memory only."""

    def __init__(self) -> None:
        self._submits: dict[str, Response] = {}
        self._cancels: dict[str, Response] = {}
        self._orders: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def submitted(self, name: str, answer: Response) -> None:
        """Keep what was answered to an order's bytes."""
        _keep(self._submits, name, answer)

    def cancels(self, name: str) -> Heard:
        """Return who keeps the answer to a cancel that is asked for now; an earlier one's is forgotten."""
        self._cancels.pop(name, None)
        return partial(self.cancelled, name)

    def cancelled(self, name: str, answer: Response) -> None:
        """Keep what was answered to a cancel."""
        _keep(self._cancels, name, answer)

    def asked(self, name: str, status: str, order: Mapping[str, Any] | None) -> None:
        """Keep what the venue shows of an order, or that it showed none."""
        if order is None:
            self._orders.pop(name, None)
        else:
            _keep(self._orders, name, (status, order))

    def of(self, name: str, client_id: str) -> Told:
        """Return what was last heard of an order."""
        raw_status, order = self._orders.get(name, ("", None))
        return Told(
            client_id=client_id,
            raw_status=raw_status,
            order=order,
            submit=_read(self._submits.get(name)),
            cancel=_read(self._cancels.get(name)),
        )


def _keep(kept: dict[str, Any], name: str, what: object) -> None:
    kept.pop(name, None)
    kept[name] = what
    while len(kept) > KEPT:
        del kept[next(iter(kept))]


def _read(answer: Response | None) -> Answer | None:
    """Read an answer when somebody wants it."""
    if answer is None:
        return None
    if len(answer.body) <= MOST_BYTES:
        try:
            return Answer(status=answer.status, body=JSON.decode(answer.body))
        except (msgspec.DecodeError, RecursionError):
            pass
    said = answer.body[:MOST_BYTES].decode("utf-8", "replace")
    return Answer(status=answer.status, body="".join(c if c.isprintable() else " " for c in said))
