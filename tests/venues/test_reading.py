"""Wires that can only ask: whatever an adapter tries through them, the exchange's book stays as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from seams.clock import NS_PER_MS, NS_PER_S
from seams.http import encode_request
from seams.virtual import VirtualLoop, run_virtual
from seams.wire import Unsent
from tests.venues import test_hyperliquid_adapter as hl
from tests.venues import test_kraken_adapter as kr
from venues.contract import Refused, Retryable
from venues.dry import DryVenue, Would, fields_of
from venues.evidence import WouldState
from venues.reading import KRAKEN_ASKS, ReadingCaller, ReadingLink
from venues.types import Cancelled, OrderEvent, OrderRequest, OrderType, Side, TimeInForce


class Heard:
    """A wire that keeps what leaves on it."""

    def __init__(self) -> None:
        self.left: list[bytes] = []

    async def call(
        self, body: bytes, timeout_s: float, may_leave: Callable[[], bool] = lambda: True
    ) -> bytes:
        if not may_leave():
            raise Unsent("gate")
        self.left.append(body)
        return b""

    async def close(self) -> None: ...

    def start(self, on_frame: object, on_state: object) -> None: ...

    def send(self, frame: bytes) -> None:
        self.left.append(frame)

    def drop(self) -> None: ...


def request(method: str, target: str, body: bytes = b"") -> bytes:
    return encode_request(method, target, "venue", {}, body)


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


ACTS = [
    ("hyperliquid", request("POST", "/exchange", b"{}")),
    ("hyperliquid", request("POST", "/exchange?x=/info", b"{}")),
    ("hyperliquid", request("POST", "//info", b"{}")),
    ("hyperliquid", request("GET", "/info")),
    ("hyperliquid", request("POST", "/info", b"{}") + request("POST", "/exchange", b"{}")),
    ("hyperliquid", b"not http"),
    ("kraken", request("POST", "/0/private/AddOrder", form(pair="XBTUSD"))),
    ("kraken", request("POST", "/0/private/AddOrder", form(pair="XBTUSD", validate="false"))),
    ("kraken", request("POST", "/0/private/AddOrder", form(validate="true") + b"&validate=false")),
    ("kraken", request("POST", "/0/private/AddOrderBatch", form(validate="true"))),
    ("kraken", request("POST", "/0/private/AddOrder?validate=true", form(pair="XBTUSD"))),
    *(
        ("kraken", request("POST", f"/0/private/{name}", form(txid="1")))
        for name in (
            "CancelOrder",
            "CancelAll",
            "CancelAllOrdersAfter",
            "AmendOrder",
            "EditOrder",
            "Withdraw",
            "WalletTransfer",
            "../private/AddOrder",
        )
    ),
    ("kraken", request("GET", "/0/private/AddOrder")),
    ("kraken", request("GET", "/0/public/../private/CancelAll")),
    ("nobody", request("GET", "/")),
]


@pytest.mark.parametrize(("venue", "wire"), ACTS)
async def test_what_could_act_does_not_leave(venue: str, wire: bytes) -> None:
    heard = Heard()
    with pytest.raises(Unsent):
        await ReadingCaller(heard, venue).call(wire, 1.0)
    assert heard.left == []


ASKS = [
    ("hyperliquid", request("POST", "/info", b'{"type":"meta"}')),
    ("kraken", request("GET", "/0/public/Ticker?pair=XBTUSD")),
    ("kraken", request("POST", "/0/private/AddOrder", form(pair="XBTUSD", validate="true"))),
    *(("kraken", request("POST", f"/0/private/{name}", form(nonce="1"))) for name in sorted(KRAKEN_ASKS)),
]


@pytest.mark.parametrize(("venue", "wire"), ASKS)
async def test_questions_leave_as_they_are(venue: str, wire: bytes) -> None:
    heard = Heard()
    await ReadingCaller(heard, venue).call(wire, 1.0)
    assert heard.left == [wire]


async def test_a_wire_that_closes_while_a_request_waits_lets_nothing_more_leave() -> None:
    heard, may_act = Heard(), [True]
    caller = ReadingCaller(heard, "hyperliquid", lambda: bool(may_act and may_act.pop()))
    with pytest.raises(Unsent):  # open when it was called, closed in the step of the first byte
        await caller.call(request("POST", "/exchange", b"{}"), 1.0)
    assert heard.left == []


@pytest.mark.parametrize(
    "frame", [b'{"method":"post"}', b'{"method":"add_order"}', b"[]", b"nonsense", b'{"event":"subscribe"}']
)
def test_nothing_but_subscriptions_is_said_on_a_stream(frame: bytes) -> None:
    heard = Heard()
    with pytest.raises(Unsent):
        ReadingLink(heard).send(frame)
    ReadingLink(heard).send(b'{"method":"subscribe","params":{}}')
    assert len(heard.left) == 1


def wish(symbol: str, **changes: Any) -> OrderRequest:
    given: dict[str, Any] = {
        "client_order_id": "O-1-0001",
        "symbol": symbol,
        "side": Side.BUY,
        "quantity": Decimal("0.01"),
        "order_type": OrderType.LIMIT,
        "limit_price": Decimal(59_000),
        "time_in_force": TimeInForce.GTC,
        "reduce_only": False,
        "mark_price": Decimal(60_000),
    }
    return OrderRequest(**given | changes)


def play(scene: Callable[[], Awaitable[None]], loop: VirtualLoop) -> None:
    async def main() -> None:
        await scene()

    run_virtual(main(), loop)


def test_every_act_of_the_hyperliquid_adapter_stays_here() -> None:
    loop = VirtualLoop()

    async def scene() -> None:
        rig = hl.Rig(loop)
        rig.wire = ReadingCaller(rig.wire, "hyperliquid")  # type: ignore[assignment]
        rig.link = ReadingLink(rig.link)  # type: ignore[assignment]
        rig.adapter = rig.make()
        rig.adapter.on_link(rig.states.append)
        await rig.up()
        rig.desk.order("59000")
        before = list(rig.bodies)
        signed = rig.sign()
        adapter = rig.adapter
        with pytest.raises(Retryable):
            await adapter.submit(signed)
        with pytest.raises(Retryable):
            await adapter.fence(signed)
        with pytest.raises(Retryable):
            await adapter.cancel_all()
        with pytest.raises(Retryable):
            await adapter.cancel_all_after(10)
        with pytest.raises(Retryable):
            await adapter.update_leverage("BTC-PERP", 3, is_cross=True)
        with pytest.raises(Retryable):
            await adapter.cancel(signed.client_order_id)
        assert rig.bodies == before and len(rig.desk.user.live) == 1, "the order by hand still stands"
        assert len(await adapter.open_orders()) == 1, "and asking works"
        await adapter.close()

    play(scene, loop)


def test_a_dry_hyperliquid_says_what_it_would_send_and_what_would_be_refused() -> None:
    loop = VirtualLoop()

    async def scene() -> None:
        rig = await hl.Rig(loop).up()
        dry, kept, events = DryVenue(rig.adapter, rig.clock), list[Would](), list[OrderEvent]()
        dry.keep = kept.append
        dry.on_order_event(events.append)
        asked, now_ns = wish("BTC-PERP"), rig.clock.now_ns()
        signed = dry.sign(asked, now_ns // NS_PER_MS, now_ns + 10 * NS_PER_S)
        await dry.submit(signed)
        assert isinstance(events[0], Cancelled) and events[0].reason == "would"
        assert kept[0].state is WouldState.WOULD and kept[0].fields["action"]["type"] == "order"
        small = msgspec.structs.replace(asked, quantity=Decimal("0.0001"))  # type: ignore[type-var]
        refused = dry.sign(small, signed.nonce + 1, signed.valid_until_ns)
        with pytest.raises(Refused, match="min_notional"):
            await dry.submit(refused)
        assert (kept[1].state, kept[1].code) == (WouldState.REFUSED, "min_notional")
        with pytest.raises(Retryable):
            await dry.submit(signed, lambda: False)
        for acting in (dry.cancel("O-1-0001"), dry.cancel_all()):
            with pytest.raises(Refused, match="dry_run"):
                await acting
        assert rig.bodies == []
        await dry.close()

    play(scene, loop)


def test_a_dry_kraken_lets_the_venue_judge_and_places_nothing() -> None:
    loop = VirtualLoop()

    async def scene() -> None:
        rig = await kr.Rig(loop).up()
        dry, kept = DryVenue(rig.adapter, rig.clock), list[Would]()
        dry.keep = kept.append
        asked, now_ns = wish("BTC-USD"), rig.clock.now_ns()
        signed = dry.sign(asked, now_ns // NS_PER_MS, now_ns + 10 * NS_PER_S)
        await dry.submit(signed)
        assert kept[0].state is WouldState.WOULD and kept[0].said.startswith("buy")
        poor = dry.sign(wish("BTC-USD", quantity=Decimal(50)), signed.nonce + 2, signed.valid_until_ns)
        with pytest.raises(Refused, match="insufficient_funds"):
            await dry.submit(poor)
        assert kept[1].state is WouldState.REFUSED
        rig.wire.is_up = False
        lost = dry.sign(asked, signed.nonce + 3, signed.valid_until_ns)
        with pytest.raises(Retryable):
            await dry.submit(lost)
        assert kept[2].state is WouldState.UNDECIDED
        rig.wire.is_up = True
        assert not await dry.open_orders()
        await dry.close()

    play(scene, loop)


def test_the_fields_shown_never_hold_what_signs_them() -> None:
    wire = request("POST", "/exchange", b'{"action":{},"signature":{"r":"0x1"},"nonce":1}')
    assert fields_of(wire) == {"action": {}, "nonce": 1}
    assert fields_of(request("POST", "/0/private/AddOrder", form(pair="X", nonce="2"))) == {
        "pair": "X",
        "nonce": "2",
    }
    assert fields_of(b"\x00\x01frame") == {} and fields_of(b"") == {}
