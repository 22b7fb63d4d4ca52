"""An engine on a loopback venue, another process: it trades, is killed, and finds everything again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.api.commands import Flatten, FlattenDone, PaperStart, SessionStarted
from venues.sandbox.programs import Fault, Strike

from .conftest import eventually
from .loopback import LOOPBACKS, LoopbackProcess, LoopbackRig

STRATEGIES = ("ema_cross", "rsi_ma_cross")


@pytest.fixture(params=LOOPBACKS)
async def live(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LoopbackRig]:
    venue = LoopbackProcess(request.param, tmp_path / "venue")
    rig = LoopbackRig(tmp_path / "home", venue)
    yield rig
    await rig.close()
    venue.close()


async def test_an_engine_trades_is_killed_and_finds_everything_again(live: LoopbackRig) -> None:
    client = await live.start()
    assert await live.synced() == "clean"
    request = PaperStart(feed="exchange", strategies=STRATEGIES, symbols=live.venue.about.symbols)
    await client.demand(request, SessionStarted)
    await eventually(lambda: bool(live.rows("SELECT 1 FROM fills")), live.log)
    await live.kill_hard()
    client = await live.start()
    assert await live.synced(after=1) == "clean"
    bodies = live.venue.arrived()
    assert bodies and len(set(bodies)) == len(bodies), "no bytes arrived twice"
    looking = live.venue.adapter()
    if looking.capabilities().pays_in_full:
        refused = live.rows("SELECT 1 FROM orders WHERE status = 'rejected'")
        assert not refused, "a short was not even asked for"
    assert live.booked() == {each.symbol: each.quantity for each in (await looking.account()).positions}
    done = await client.demand(Flatten(confirm="FLATTEN"), FlattenDone, reason="residue")
    assert done.is_flat
    assert not (await looking.account()).positions
    await eventually(lambda: live.calls() & {("order", 200), ("AddOrder", 200)}, live.log)


FAULTS = (
    Fault(nth=1, on="AddOrder", strike=Strike.APPLY_THEN_DROP),
    Fault(nth=2, on="AddOrder", strike=Strike.DROP_WITHOUT_APPLY),
    Fault(nth=3, on="AddOrder", strike=Strike.STATUS, value=502),
    Fault(nth=4, on="AddOrder", strike=Strike.STATUS_WITHOUT_APPLY, value=520),
    Fault(nth=5, on="AddOrder", strike=Strike.TRUNCATED),
    Fault(nth=2, on="TradesHistory", strike=Strike.STATUS, value=503),
)


@pytest.mark.slow
async def test_every_doubtful_order_ends_proved_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    """Kraken, lost answers and lost orders: what was applied is found by its name, what was not is fenced by
    its deadline; the account agrees at the end."""
    kraken = LoopbackProcess("kraken", tmp_path / "kraken", FAULTS)
    live = LoopbackRig(tmp_path / "home", kraken)
    try:
        client = await live.start()
        assert await live.synced() == "clean"
        request = PaperStart(feed="exchange", strategies=STRATEGIES, symbols=kraken.about.symbols)
        await client.demand(request, SessionStarted)
        proved = "SELECT 1 FROM orders WHERE status = 'rejected' AND reason LIKE '%used up or expired%'"
        await eventually(lambda: bool(live.rows(proved)), live.log, seconds=100.0)

        def doubts() -> list[tuple[object, ...]]:
            return live.rows("SELECT 1 FROM orders WHERE status IN ('unknown', 'submitting')")

        await client.demand(Flatten(confirm="FLATTEN"), FlattenDone, reason="enough")
        await eventually(lambda: not doubts(), live.log)
        bodies = kraken.arrived()
        assert len(set(bodies)) == len(bodies)
        looking = kraken.adapter()
        ((mark,),) = live.rows("SELECT value FROM kv WHERE key = 'desk_mark'")
        looking.use_desk(str(mark))  # type: ignore[attr-defined]  # to find the orders that carry its mark
        ended = {
            str(name): str(status) for name, status in live.rows("SELECT client_order_id, status FROM orders")
        }
        assert "filled" in ended.values()
        for name, status in ended.items():
            found = await looking.query(name)
            is_executed = found is not None and found.filled > 0
            booked = live.rows(f"SELECT 1 FROM fills WHERE client_order_id = '{name}'")
            assert bool(booked) is is_executed, f"{name} is {status}"
    finally:
        await live.close()
        kraken.close()
