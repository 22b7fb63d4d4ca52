"""A flatten with nothing but the key file, at venues that must be asked which markets they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.offline import flatten_bare

from .conftest import eventually
from .test_corridor_kills import Hyperliquid, Kraken
from .test_reconcile_venues import by_hand


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
        assert not (await looking.account()).positions and not await looking.open_orders()
        await looking.close()
    finally:
        rig.venue.close()
