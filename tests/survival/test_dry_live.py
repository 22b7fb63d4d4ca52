"""Mode dry_live over a real engine and real-server doubles: every order is made, none reaches the book."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from engine.api.commands import Flatten, FlattenDone, PaperStart, SessionStarted

from .conftest import eventually
from .loopback import LoopbackProcess, LoopbackRig


class Dry(LoopbackRig):
    """A rig whose engine runs in mode dry_live; its record is a database of its own."""

    def environ(self) -> dict[str, str]:
        return super().environ() | {"INTERLOCK_ENGINE__MODE": "dry_live"}

    def rows(self, query: str) -> list[tuple[object, ...]]:
        path = self.paths.database / "dry_live.db"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0) as db:
            return list(db.execute(query))

    def kept(self) -> list[dict[str, Any]]:
        """Return every artifact of an order that would have been sent."""
        found = self.paths.dry_runs.glob("*/broker_dry_run.json")
        return [json.loads(path.read_bytes()) for path in found]


async def dry(name: str, folder: Path) -> AsyncIterator[Dry]:
    venue = LoopbackProcess(name, folder / "venue")
    rig = Dry(folder / "home", venue)
    yield rig
    await rig.close()
    venue.close()


@pytest.fixture
async def hyperliquid(tmp_path: Path) -> AsyncIterator[Dry]:
    async for rig in dry("hyperliquid", tmp_path):
        yield rig


@pytest.fixture
async def kraken(tmp_path: Path) -> AsyncIterator[Dry]:
    async for rig in dry("kraken", tmp_path):
        yield rig


async def trade(rig: Dry) -> None:
    """Let a session run until some of its orders would have been sent."""
    client = await rig.start()
    assert await rig.synced() == "clean", "the account is read like a live one"
    symbols = rig.venue.about.symbols
    request = PaperStart(feed="exchange", strategies=("ema_cross", "rsi_ma_cross"), symbols=symbols)
    await client.demand(request, SessionStarted)
    await eventually(lambda: len(rig.kept()) >= 3, rig.log)


def endings(rig: Dry) -> set[tuple[object, ...]]:
    return set(rig.rows("SELECT status, reason, filled FROM orders WHERE done_ns > 0"))


async def test_hyperliquid_orders_are_signed_and_none_reaches_the_book(hyperliquid: Dry) -> None:
    await trade(hyperliquid)
    venue = hyperliquid.venue
    assert venue.arrived() == [], "not one action came to the venue"
    looking = venue.adapter()
    assert not await looking.open_orders() and not (await looking.account()).positions
    assert endings(hyperliquid) == {("cancelled", "would", "0")}
    for made in hyperliquid.kept():
        assert (made["state"], made["way"], made["mode"]) == ("would", "signed", "dry_live")
        (order,) = made["venue_fields"]["action"]["orders"]
        assert order["c"].startswith("0x") and made["payload"]["symbol"] == made["intent"]["symbol"]
        assert "signature" not in made["venue_fields"], "nobody can send what the artifact shows"
        assert len(made["payload_sha256"]) == 64 and made["nonce"] > 0
    assert not hyperliquid.rows("SELECT 1 FROM fills")


async def test_kraken_validates_orders_and_places_none(kraken: Dry) -> None:
    await trade(kraken)
    bodies = [parse_qs(body.decode()) for body in kraken.venue.arrived()]
    assert bodies, "the venue was asked"
    assert all(body["validate"] == ["true"] for body in bodies), "and only to validate"
    looking = kraken.venue.adapter()
    assert not await looking.open_orders() and not (await looking.account()).positions
    assert endings(kraken) == {("cancelled", "would", "0")}
    for made in kraken.kept():
        assert (made["state"], made["way"]) == ("would", "validated")
        assert made["said"].startswith(made["intent"]["side"]), "the venue described the order"


async def test_a_flatten_in_a_dry_run_closes_nothing_and_says_so(hyperliquid: Dry) -> None:
    client = await hyperliquid.start()
    assert await hyperliquid.synced() == "clean"
    done = await client.demand(Flatten(confirm="FLATTEN"), FlattenDone, reason="try")
    assert done.is_flat, "there was nothing to close"
    assert hyperliquid.venue.arrived() == []
