"""The reconciliation desk against a real exchange: a hand trade and a foreign order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.api.reconcile import Act, Reconcile
from seams.net import NetDown, NoAnswer
from venues.types import OrderRequest, OrderType, Side, TimeInForce

from .conftest import REPOSITORY, eventually
from .live import ExchangeProcess, LiveRig

FAR_PRICE = Decimal(1_000)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveRig]:
    exchange = ExchangeProcess(tmp_path / "exchange")
    rig = LiveRig(tmp_path / "home", exchange)
    yield rig
    await rig.close()
    exchange.close()


async def by_hand(live: LiveRig, name: str, limit: Decimal = Decimal(0)) -> None:
    """Somebody trades on the account with the engine's own key, and not through the engine."""
    link = live.exchange.link("engine")
    request = OrderRequest(
        client_order_id=name,
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=Decimal("0.05"),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit_price=limit,
        time_in_force=TimeInForce.GTC if limit else TimeInForce.IOC,
        reduce_only=False,
        mark_price=Decimal(64_000),
    )
    await link.submit(link.sign(request, await link.time_ns() // 1_000_000, 0))


def desk(live: LiveRig, *words: str) -> tuple[int, dict[str, Any], str]:
    """Run `interlock reconcile ...`; return its exit code, its JSON and what it complained about."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "interlock", "--home", str(live.home), "reconcile", *words, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "INTERLOCK_OPERATOR": "ada"},
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def differences(live: LiveRig) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in desk(live, "ls")[1]["differences"]}


def _foreign(live: LiveRig) -> set[str]:
    return {key for key in differences(live) if key.startswith("foreign:")}


async def test_people_settle_what_happened_behind_the_engines_back(live: LiveRig) -> None:
    await live.start()
    assert await live.synced() == "clean" and desk(live, "status")[0] == 0
    await by_hand(live, "HAND-1")
    await by_hand(live, "HAND-2", FAR_PRICE)
    await eventually(lambda: differences(live).get("foreign:HAND-2", {}).get("acts"), live.log)
    code, shown, _ = desk(live, "ls")
    assert code == 1 and {"foreign:HAND-1", "foreign:HAND-2", "position:BTC-PERP"} <= set(differences(live))
    seen = {row["key"]: row["seen"] for row in shown["differences"]}

    observer = await live.client("observer", "eve")
    body = Reconcile(act=Act.ADOPT, key="foreign:HAND-1", seen=seen["foreign:HAND-1"])
    with pytest.raises((NoAnswer, NetDown)):
        await observer.command(body, reason="I may not", timeout_s=0.5)
    code, said, _ = desk(live, "adopt", "foreign:HAND-1", "--seen", "0" * 16, "--reason", "mine")
    assert (code, said["code"]) == (6, "difference_stale")
    code, said, _ = desk(live, "adopt", "foreign:HAND-1", "--seen", seen["foreign:HAND-1"], "--reason", " ")
    assert (code, said["code"]) == (2, "reason_required")
    assert not live.rows("SELECT 1 FROM fills"), "nothing is booked by itself, nor by who may not"

    code, said, _ = desk(
        live, "flatten", "foreign:HAND-2", "--seen", seen["foreign:HAND-2"], "--reason", "no"
    )
    assert code == 0, said
    # A decision empties the list until the next pass has compared anew.
    await eventually(lambda: {"foreign:HAND-1"} == _foreign(live), live.log)
    assert not await live.exchange.link().open_orders()
    row = differences(live)["foreign:HAND-1"]
    code, said, _ = desk(live, "adopt", "foreign:HAND-1", "--seen", row["seen"], "--reason", "my hedge")
    assert code == 0 and "manual_" in said["reconciled"]["did"]
    await eventually(lambda: desk(live, "status")[0] == 0, live.log)
    assert desk(live, "fills", "--since", "1h")[0] == 0
    decided = desk(live, "ls")[1]["decided"]
    assert [(each["operator"], each["act"], each["reason"]) for each in decided] == [
        ("ada", "adopt", "my hedge"),
        ("ada", "flatten", "no"),
    ]
    ((intent, strategy),) = live.rows("SELECT intent_id, strategy FROM orders")
    assert str(intent).startswith("manual_") and strategy == "operator:manual"
    assert b'"reconcile"' in live.paths.audit.read_bytes()
