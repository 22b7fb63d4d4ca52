"""`interlock sandbox`: a double that cannot do what is asked of it says so before it starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Shell


@pytest.fixture
def stopped(shell: Shell) -> Iterator[None]:
    yield
    shell("sandbox", "stop", "--venue", "kraken")


@pytest.mark.parametrize(
    ("venue", "faults", "says"),
    [
        ("hyperliquid", [{"nth": 1, "on": "order", "strike": "state", "text": "maintenance"}], "only kraken"),
        ("kraken", [{"nth": 1, "on": "*", "strike": "state", "text": "asleep"}], "cancel_only, maintenance"),
        ("kraken", [{"nth": 1, "on": "AddOrder", "strike": "banana"}], "apply_then_drop"),
        ("kraken", [{"nth": 1, "on": "AddOrdr", "strike": "null"}], "AddOrder"),
        ("kraken", [{"nth": 1, "on": "order", "strike": "null"}], "is one of *, AddOrder"),
        ("hyperliquid", [{"nth": 1, "on": "Order", "strike": "null"}], "allMids, approveAgent"),
        ("hyperliquid", [{"nth": 1, "on": "ordreStatus", "strike": "null"}], "orderStatus"),
        ("kraken", [{"nth": 0, "on": "AddOrder", "strike": "null"}], "from 1"),
        ("kraken", [{"nth": 1, "on": "AddOrder", "strike": "status"}], "200 to 599"),
        ("kraken", {"nth": 1}, "no list"),
    ],
)
def test_faults_that_cannot_strike_are_refused_when_they_are_read(
    shell: Shell, tmp_path: Path, venue: str, faults: object, says: str
) -> None:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps(faults), encoding="utf-8")
    done = shell("sandbox", "start", "--venue", venue, "--faults", str(path), "--json")
    assert (done.code, done.body["code"]) == (2, "bad_parameter")
    assert says in str(done.body["message"])
    assert shell("sandbox", "status", "--venue", venue, "--json").body["running"] is False


@pytest.mark.usefixtures("stopped")
def test_one_that_runs_takes_no_faults_in_silence(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('[{"nth": 9, "on": "AddOrder", "strike": "null"}]', encoding="utf-8")
    begun = shell("sandbox", "start", "--venue", "kraken", "--json").body
    assert begun["was_running"] is False
    again = shell("sandbox", "start", "--venue", "kraken", "--json").body
    assert (again["was_running"], again["pid"]) == (True, begun["pid"])
    refused = shell("sandbox", "start", "--venue", "kraken", "--faults", str(path), "--json")
    assert (refused.code, refused.body["code"]) == (1, "already_running")
    assert "sandbox stop --venue kraken" in str(refused.body["correction"])


def test_doubles_of_real_venues_move_at_their_own_pace(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.api import sandbox

    paces: dict[str, float] = {}

    async def start(
        home: Path, venue: str, port: int, market: sandbox.Market, *rest: object
    ) -> sandbox.Running:
        paces[venue] = market.bar_s
        raise sandbox.ExchangeNotReady("not today")

    monkeypatch.setattr(sandbox, "start_venue", start)
    for venue in sandbox.PROGRAMS:
        shell("sandbox", "start", "--venue", venue)
    shell("sandbox", "start", "--venue", "kraken", "--bar-seconds", "2")
    assert paces == {"exchange": 1.0, "hyperliquid": 60.0, "kraken": 2.0}
