"""What Hyperliquid knows of an account when it is asked: one order, the open ones, fills, funding.

Pages overlap and are joined by name; a list that will not end, or that cannot be read, says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from seams.clock import NS_PER_MS
from venues.answers import Answers, Booked, Heard, Told
from venues.contract import OutcomeUnknown
from venues.hyperliquid import translate
from venues.hyperliquid.client import HyperliquidClient
from venues.hyperliquid.cloids import FOREIGN, Cloids
from venues.hyperliquid.translate import Json
from venues.json_fields import read
from venues.types import CashEvent, Fill, VenueOrder

FILLS_PAGE, FUNDING_PAGE = 2_000, 500
SHORT_PAGE = 500
"""What ends a list: the venue states 2,000 fills an answer in one place, and 500 elements for whatever is
asked by time in another (venues.md 3.6). Only a page below the lesser is surely the last."""
MAX_PAGES = 200


class Timed(Protocol):
    """What lies on a time line."""

    @property
    def at_ns(self) -> int: ...


R = TypeVar("R", bound=Timed)


class History:
    """Questions about one account."""

    def __init__(self, client: HyperliquidClient, cloids: Cloids) -> None:
        self._client, self._cloids, self._answers = client, cloids, Answers()

    def submit_of(self, name: str) -> Heard:
        """Return who keeps the answer to an order's bytes."""
        return partial(self._answers.submitted, name)

    def cancel_of(self, name: str) -> Heard:
        """Return who keeps the answer to a cancel that is asked for now; an earlier one's is forgotten."""
        return self._answers.cancels(name)

    def told(self, client_order_id: str) -> Told:
        """Return what the venue last answered about an order; no I/O."""
        is_foreign = client_order_id.startswith(FOREIGN)
        cloid = "" if is_foreign else self._cloids.of(client_order_id)
        return self._answers.of(client_order_id, cloid)

    async def query(self, client_order_id: str) -> VenueOrder | None:
        """Return an order as the venue shows it; None where it knows none (now)."""
        found = await self.look(client_order_id)
        if found is None:
            self._answers.asked(client_order_id, "", None)
            return None
        self._answers.asked(client_order_id, str(found.get("status")), found)
        return read(
            lambda said: translate.venue_order(
                translate.table(said["order"]), translate.text(said, "status"), self._cloids
            ),
            found,
        )

    def asked_by(self, client_order_id: str) -> int | str:
        """Return how a request names an order: by its cloid, a foreign one by the venue's number."""
        is_foreign = client_order_id.startswith(FOREIGN)
        return int(client_order_id.removeprefix(FOREIGN)) if is_foreign else self._cloids.of(client_order_id)

    async def look(self, client_order_id: str) -> Json | None:
        """Return `orderStatus`'s order and status; None where the venue knows no such order (now)."""
        said = await self._client.about_us("orderStatus", oid=self.asked_by(client_order_id))
        if not isinstance(said, dict) or said.get("status") not in ("order", "unknownOid"):
            raise OutcomeUnknown("an answer to orderStatus that cannot be read")
        return None if said["status"] == "unknownOid" else read(translate.table, said.get("order"))

    async def past_order(self, client_order_id: str) -> VenueOrder | None:
        """Return an order as the list of past ones shows it; None where that lacks it.

        The list holds the newest 2,000, and shows an order once for each status that it had: the newest of
        them says how it stands.
        """
        asked = self.asked_by(client_order_id)
        said = await self._client.about_us("historicalOrders")
        return read(lambda rows: self._newest(translate.rows(rows), asked), said)

    def _newest(self, rows: list[Json], asked: int | str) -> VenueOrder | None:
        name = "oid" if isinstance(asked, int) else "cloid"
        found = [each for each in rows if translate.table(each["order"]).get(name) == asked]
        if not found:
            return None
        newest = max(found, key=lambda each: translate.number(each, "statusTimestamp"))
        return translate.venue_order(newest["order"], translate.text(newest, "status"), self._cloids)

    async def open_orders(self) -> Sequence[VenueOrder]:
        """Return every working order of the account, whoever placed it."""
        said = await self._client.about_us("frontendOpenOrders")
        return read(
            lambda rows: [translate.venue_order(each, "open", self._cloids) for each in translate.rows(rows)],
            said,
        )

    async def fills_since(self, since_ns: int) -> list[Fill]:
        """Return every fill from a time on, oldest first."""
        return await self._pages(
            "userFillsByTime",
            FILLS_PAGE,
            since_ns,
            lambda each: translate.fill(each, self._cloids, self._client.user),
            lambda fill: fill.fill_id,
        )

    async def booked_since(self, since_ns: int) -> list[Booked]:
        """Return what the venue booked with every fill from a time on, oldest first."""
        return await self._pages(
            "userFillsByTime", FILLS_PAGE, since_ns, translate.booked, lambda each: each.fill_id
        )

    async def funding_since(self, since_ns: int) -> list[CashEvent]:
        """Return every funding payment from a time on, oldest first."""
        return await self._pages(
            "userFunding", FUNDING_PAGE, since_ns, translate.funding, lambda event: event.event_id
        )

    async def _pages(
        self, kind: str, size: int, since_ns: int, reader: Callable[[Json], R], name_of: Callable[[R], str]
    ) -> list[R]:
        """Ask page after page, each from the newest time seen (inclusive), until one is not full."""
        start_ms, found = since_ns // NS_PER_MS, dict[str, R]()
        for _ in range(MAX_PAGES):
            said = await self._client.about_us(kind, startTime=start_ms)
            page = read(lambda rows: [reader(each) for each in translate.rows(rows)], said)
            found |= {name_of(each): each for each in page}
            newest_ms = max((each.at_ns for each in page), default=0) // NS_PER_MS
            if newest_ms == start_ms and len(page) in (SHORT_PAGE, size):
                raise OutcomeUnknown(f"{kind}: more than {len(page)} in one millisecond")
            if len(page) < SHORT_PAGE or newest_ms == start_ms:
                return sorted(found.values(), key=lambda each: (each.at_ns, name_of(each)))
            start_ms = newest_ms
        raise OutcomeUnknown(f"{kind}: more than {MAX_PAGES} pages")
