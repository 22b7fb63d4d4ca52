"""A flatten with nothing but the key file, at venues that must be asked which markets they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.api.venue_calls import venue_calls
from engine.offline import flatten_bare, flatten_offline

from .conftest import eventually
from .test_corridor_kills import Hyperliquid, Kraken
from .test_reconcile_venues import by_hand

ACTS = {
    "hyperliquid": {"/exchange cancel", "/exchange order"},
    "kraken": {"/0/private/CancelAll", "/0/private/AddOrder"},
}
"""What must stand in the log of calls after everything was cancelled and closed."""


@pytest.mark.parametrize("name", ["hyperliquid", "kraken"])
async def test_everything_is_cancelled_and_closed_without_an_engine_and_its_record(
    name: str, tmp_path: Path
) -> None:
    rig = Hyperliquid(tmp_path) if name == "hyperliquid" else Kraken(tmp_path)
    try:
        await by_hand(rig, name)
        looking = rig.venue.adapter()

        async def is_there() -> bool:
            return bool((await looking.account()).positions) and bool(await looking.open_orders())

        await eventually(is_there)
        done = await flatten_bare(rig.home, rig.environ())
        assert (done.is_flat, done.closed, done.remaining) == (True, (rig.symbol,), ())
        rows = venue_calls(rig.home, 100)
        assert rows and all(row.request_id.startswith("V-bare-") for row in rows), "told like an engine's"
        acts = {row.asked.partition(" ")[2] for row in rows if row.outcome == "answered"}
        assert acts >= ACTS[name]
        assert not (await looking.account()).positions and not await looking.open_orders()
        await looking.close()
    finally:
        rig.venue.close()


async def test_by_the_record_its_calls_are_told_too(tmp_path: Path) -> None:
    rig = Kraken(tmp_path)
    try:
        await by_hand(rig, "kraken")
        found = await flatten_offline(rig.home, rig.environ(), "ada", "no engine runs")
        assert (found.way, found.done.is_flat) == ("record", True)
        rows = venue_calls(rig.home, 1_000)
        asked = {row.asked.partition(" ")[2] for row in rows if row.outcome == "answered"}
        assert asked >= {"/0/private/AddOrder", "/0/private/BalanceEx"}
        assert all(row.request_id.startswith("V-1-") for row in rows), "under the epoch that it took"
    finally:
        rig.venue.close()
