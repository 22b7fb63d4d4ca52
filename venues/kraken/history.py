"""What Kraken's lists say of our orders and fills, with the names that its trades leave out.

The lists are costly: while the stream is whole, fills that it told are remembered and the history is
asked again only every `FRESH_NS`, as the second source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from seams.clock import NS_PER_S, Clock
from venues.answers import Answers
from venues.contract import OutcomeUnknown, Refused
from venues.kraken import translate
from venues.kraken.client import KrakenClient
from venues.kraken.names import Names
from venues.kraken.translate import Json, amount, table
from venues.types import Fill, VenueOrder

PAGE = 50
MAX_PAGES = 40
FRESH_NS = 20 * NS_PER_S
UNSURE_NS = 8 * NS_PER_S
"""The same while the history, when it was last asked, may have lacked what happened before the stream was
whole: lists lag, and what was pushed while nobody listened is told by them alone."""
MAX_REMEMBERED = 20_000
MISSING_NS = 10 * NS_PER_S
"""For how long "no such order" is repeated without asking: part of the lag that the adapter states."""


class History:
    """Orders and fills of one account, by REST."""

    def __init__(
        self,
        client: KrakenClient,
        symbols: Mapping[str, str],
        names: Names,
        clock: Clock,
        lag_ns: int,
        answers: Answers,
    ) -> None:
        """`lag_ns`: how far the venue's lists may lag behind what happened."""
        self._answers = answers
        self._lag_ns = lag_ns
        self._client, self._symbols, self._names, self._clock = client, symbols, names, clock
        self._fills: dict[str, Fill] = {}
        self._asked_ns: int | None = None
        self._covers_ns = 0
        self._whole_ns = 0
        self._missing: dict[str, int] = {}

    def on_whole(self) -> None:
        """The stream tells everything from now on."""
        self._whole_ns = self._clock.monotonic_ns()

    def remember(self, fill: Fill) -> None:
        """Keep a fill that the stream told."""
        self._fills[fill.fill_id] = fill
        while len(self._fills) > MAX_REMEMBERED:
            del self._fills[next(iter(self._fills))]

    async def query(self, name: str) -> VenueOrder | None:
        """Return the newest order with this name, or None where the lists lack it (`MISSING_NS` ago)."""
        found = await self._look(name)
        if found is None:
            self._answers.asked(name, "", None)
            return None
        txid, said = found
        self._answers.asked(name, str(said["status"]), {"txid": txid, **said})
        return self._read(txid, said)

    async def _look(self, name: str) -> tuple[str, Json] | None:
        txid = self._names.txid_of(name)
        if txid:
            return await self._by_txid(txid)
        now_ns = self._clock.monotonic_ns()
        self._missing = {each: at for each, at in self._missing.items() if now_ns - at < MISSING_NS}
        if name in self._missing:
            return None
        for method, field in (("OpenOrders", "open"), ("ClosedOrders", "closed")):
            listed = table(table(await self._client.ask(method, cl_ord_id=self._names.of(name)))[field])
            found = [(opened(said), known) for known, said in listed.items()]
            if found:
                return max(found)[1], table(listed[max(found)[1]])
        self._missing[name] = now_ns
        return None

    async def open_orders(self) -> Sequence[VenueOrder]:
        """Return every working order of the account, whoever placed it."""
        listed = table(table(await self._client.ask("OpenOrders"))["open"])
        return [self._read(txid, table(said)) for txid, said in listed.items()]

    async def fills_since(self, since_ns: int, *, may_remember: bool) -> Sequence[Fill]:
        """Return the account's fills, oldest first; from memory only where that is fresh and complete."""
        now_ns = self._clock.monotonic_ns()
        asked_ns = self._asked_ns
        is_sure = asked_ns is not None and asked_ns >= self._whole_ns + self._lag_ns
        is_fresh = asked_ns is not None and now_ns - asked_ns < (FRESH_NS if is_sure else UNSURE_NS)
        if not (may_remember and is_fresh and since_ns >= self._covers_ns):
            for fill in await self._ask_fills(since_ns):
                self.remember(fill)
            self._asked_ns, self._covers_ns = now_ns, since_ns
        found = [fill for fill in self._fills.values() if fill.at_ns >= since_ns]
        return sorted(found, key=lambda fill: (fill.at_ns, fill.fill_id))

    async def _ask_fills(self, since_ns: int) -> list[Fill]:
        """Read the history page by page. New trades push old ones to later pages: seen twice, not missed."""
        start = f"{max(0, since_ns // NS_PER_S - 1)}"
        listed: dict[str, Json] = {}
        for page in range(MAX_PAGES):
            answer = table(await self._client.ask("TradesHistory", start=start, ofs=str(page * PAGE)))
            rows = table(answer["trades"])
            listed |= {trade_id: table(said) for trade_id, said in rows.items()}
            if len(rows) < PAGE:
                break
        else:
            raise OutcomeUnknown(f"more than {MAX_PAGES * PAGE} fills since {start}")
        await self._learn({str(said["ordertxid"]) for said in listed.values()} - self._names.by_txid.keys())
        return [
            translate.fill_of(trade_id, said, self._names.by_txid[str(said["ordertxid"])], self._symbols)
            for trade_id, said in listed.items()
        ]

    async def _learn(self, txids: set[str]) -> None:
        """Ask for the names of orders that only the venue's ids are known of."""
        wanted = sorted(txids)
        for at in range(0, len(wanted), PAGE):
            listed = table(await self._client.ask("QueryOrders", txid=",".join(wanted[at : at + PAGE])))
            for txid, said in listed.items():
                self._names.learn(txid, translate.name_of(txid, self._names.read(txid, table(said))))

    async def _by_txid(self, txid: str) -> tuple[str, Json] | None:
        try:
            listed = table(await self._client.ask("QueryOrders", txid=txid))
        except Refused as refused:
            if refused.code == "unknown_order":
                return None
            raise
        return (txid, table(listed[txid])) if txid in listed else None

    def _read(self, txid: str, said: Json) -> VenueOrder:
        order = translate.venue_order(txid, self._names.read(txid, said), self._symbols)
        self._names.learn(txid, order.client_order_id)
        return order


def opened(said: object) -> Decimal:
    """Return when an order was opened: the newest of a name counts."""
    return amount(table(said)["opentm"])
