"""`interlock reconcile --venue --since` beside both venues' doubles: both sides are shown, and exit 1 on any
difference."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.venue import OPENERS, load_key
from seams.clock import NS_PER_MS
from venues.types import OrderRequest, OrderType, Side, TimeInForce

from .conftest import CLOCK, REPOSITORY, eventually
from .test_corridor_kills import Hyperliquid, Kraken

KEYS = {"hyperliquid": "engine-1", "kraken": "trader-engine"}


async def compared(rig: Hyperliquid | Kraken, venue: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and its JSON."""
    words = [sys.executable, "-P", "-m", "interlock", "--home", str(rig.home)]
    words += ["reconcile", "--venue", venue, "--since", "1h", "--json"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, env=environ)
    said = (await done.communicate())[0]
    return int(done.returncode or 0), json.loads(said or b"{}")


async def by_hand(rig: Hyperliquid | Kraken, venue: str) -> None:
    """Another program with our key buys a little, at the market and again far below it."""
    key = load_key("test", rig.venue.ready.keys[KEYS[venue]])
    adapter = OPENERS[key.venue](rig.venue.ready.url, key, CLOCK)
    adapter.on_order_event(lambda event: None)
    adapter.on_link(lambda is_up: None)
    adapter.start()
    await eventually(lambda: bool(adapter.instruments()) and rig.mark() > 0)
    mark = rig.mark()
    for number, limit in enumerate((round(mark * 1.01), round(mark * 0.9)), start=1):
        request = OrderRequest(
            client_order_id=f"HAND-{number}",
            symbol=rig.symbol,
            side=Side.BUY,
            quantity=Decimal("0.001"),
            order_type=OrderType.LIMIT,
            limit_price=Decimal(limit),
            time_in_force=TimeInForce.GTC,
            reduce_only=False,
            mark_price=Decimal(round(mark)),
        )
        await adapter.submit(adapter.sign(request, CLOCK.now_ns() // NS_PER_MS, 0))
    await adapter.close()


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("venue", sorted(KEYS))
async def test_any_difference_shows_both_sides_and_exits_non_zero(venue: str, tmp_path: Path) -> None:
    rig = Hyperliquid(tmp_path) if venue == "hyperliquid" else Kraken(tmp_path)
    try:
        await rig.start()
        assert await rig.synced() == "clean"
        code, said = await compared(rig, venue)
        assert (code, said["differences"], said["fills"]["differing"]) == (0, [], 0)
        assert (await compared(rig, "elsewhere"))[0] != 0
        await by_hand(rig, venue)
        found: dict[str, Any] = {}

        async def is_seen() -> bool:
            code, told = await compared(rig, venue)
            found.update(told)
            rows = told.get("differences", [])  # none where the venue left a question open this time
            kinds, is_listed = {row["kind"] for row in rows}, any("open buy" in row["venue"] for row in rows)
            is_whole = {"foreign", "position"} <= kinds and bool(told["fills"]["differing"]) and is_listed
            return code == 1 and is_whole

        await eventually(is_seen, lambda: f"{found}\n{rig.log()}")
        position = next(row for row in found["differences"] if row["kind"] == "position")
        assert (Decimal(position["local"]), Decimal(position["venue"])) == (0, Decimal("0.001"))
        foreign = [row for row in found["differences"] if row["kind"] == "foreign"]
        assert len(foreign) == 2 and all(row["local"] == "unknown" for row in foreign)
        (fill,) = [row for row in found["fills"]["rows"] if not row["is_same"]]
        assert not fill["ours"] and fill["theirs"]
    finally:
        await rig.close()
        rig.venue.close()
