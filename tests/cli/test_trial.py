"""Trying things out: `simulate` and `dry-run` need no engine and send nothing; the registry of dry runs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.research.simulate import simulate
from engine.trading.dry_index import index_dry_runs, list_dry_runs, show_dry_run
from engine.trading.dry_run import DryRun, Incomplete, dry_run
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import BYTE_FILE, trip_on_disk
from safety.reasons import Refusal
from seams.clock import FixedClock
from seams.disk import RealDisk
from seams.ids import CountedIds

from .conftest import Shell

GOOD: dict[str, object] = {
    "symbol": "BTC-PERP",
    "side": "buy",
    "quantity": "0.1",
    "limit_price": "64000",
    "stop_loss": "63000",
    "order_type": "limit",
    "time_in_force": "gtc",
}


def attempt(home: Path, **changes: object) -> DryRun:
    return dry_run({**GOOD, **changes}, home, {}, RealDisk(), FixedClock(), CountedIds())


def artifact(home: Path) -> DryRun:
    return msgspec.json.decode(
        (home / "outputs/broker_dry_runs/D-00001/broker_dry_run.json").read_bytes(), type=DryRun
    )


def test_an_allowed_dry_run_writes_the_payload_it_would_have_sent(tmp_path: Path) -> None:
    made = attempt(tmp_path)
    assert made.preflight.allowed
    assert artifact(tmp_path) == made
    assert made.payload is not None and made.payload.quantity == Decimal("0.1")


def test_a_refused_dry_run_writes_all_reasons_and_no_payload(tmp_path: Path) -> None:
    made = attempt(tmp_path, quantity="10")
    assert {"max_notional_exceeded", "max_symbol_exposure_exceeded"} <= set(made.preflight.reasons)
    assert list(made.preflight.reasons) == sorted(made.preflight.reasons)
    assert artifact(tmp_path).payload is None


@pytest.mark.parametrize("symbol", ["BTC-USD", "btc/perp", "XBT"])
def test_another_spelling_is_refused_and_told_which_market_may_be_meant(tmp_path: Path, symbol: str) -> None:
    made = attempt(tmp_path, symbol=symbol)
    assert "instrument_unknown" in made.reasons and made.payload is None
    assert made.said == f"the sandbox has no market {symbol}; did you mean BTC-PERP?"
    assert artifact(tmp_path).said == made.said and not attempt(tmp_path).said


def test_the_command_says_which_market_may_be_meant(shell: Shell) -> None:
    words = ["--side", "buy", "--quantity", "0.1", "--limit-price", "64000", "--stop-loss", "63000"]
    refused = shell("dry-run", "order", "--symbol", "ETH-USD", *words)
    assert refused.code == 1 and "did you mean ETH-PERP?" in refused.out
    assert "did you mean" not in shell("dry-run", "order", "--symbol", "BTC-PERP", *words).out


@pytest.mark.parametrize("field", sorted(GOOD))
def test_a_missing_field_is_named_and_nothing_is_written(tmp_path: Path, field: str) -> None:
    with pytest.raises(Incomplete) as caught:
        attempt(tmp_path, **{field: ""})
    assert caught.value.feedback.missing_fields == (field,)
    assert not (tmp_path / "outputs").exists()


def test_a_reduction_needs_no_stop(tmp_path: Path) -> None:
    made = attempt(tmp_path, stop_loss="", reduce_only=True)
    assert "missing_stop_loss" not in made.preflight.reasons


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Incomplete) as caught:
        attempt(tmp_path, quantity="plenty")
    assert b"quantity" in msgspec.json.encode(caught.value.feedback)
    assert not (tmp_path / "outputs").exists()


def test_a_stop_on_the_wrong_side_is_said_before_anything_is_judged(tmp_path: Path) -> None:
    with pytest.raises(Incomplete) as caught:
        attempt(tmp_path, stop_loss="65000")
    assert b"stop" in msgspec.json.encode(caught.value.feedback)


def test_a_latched_home_refuses_entries(tmp_path: Path) -> None:
    folder = tmp_path / "safety"
    trip_on_disk(
        RealDisk(),
        FixedClock(),
        folder,
        KillByte.shared(folder / BYTE_FILE),
        level=KillLevel.HALT_ALL,
        by="ana",
        reason="test",
        source="test",
    )
    assert "kill_switch_active" in attempt(tmp_path).preflight.reasons


def test_a_simulation_is_reproducible_and_follows_its_seed() -> None:
    first, again = (simulate(steps=40, scenario="bull", seed=3) for _ in range(2))
    assert first == again
    assert len(first.ticks) == 40
    assert simulate(steps=40, scenario="bull", seed=4).ticks != first.ticks


def test_an_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="bull, bear"):
        simulate(steps=5, scenario="crab", seed=1)


def test_the_registry_is_what_the_folders_say_and_a_damaged_run_does_not_hide(tmp_path: Path) -> None:
    disk, clock, ids = RealDisk(), FixedClock(), CountedIds()
    root = tmp_path / "outputs" / "broker_dry_runs"
    assert list_dry_runs(root, disk) == () and index_dry_runs(root, disk, clock).n_dry_runs == 0
    dry_run(GOOD, tmp_path, {}, disk, clock, ids)
    clock.advance(1.0)
    dry_run({**GOOD, "quantity": "10"}, tmp_path, {}, disk, clock, ids)
    index = index_dry_runs(root, disk, clock)
    assert [row.dry_run_id for row in index.dry_runs] == ["D-00002", "D-00001"]
    assert index.state_counts == {"refused": 1, "would": 1}
    assert "max_notional_exceeded" in index.dry_runs[0].reasons
    for suffix in ("json", "csv", "md"):
        assert (tmp_path / "outputs" / f"broker_dry_runs_index.{suffix}").stat().st_size > 0
    assert show_dry_run(root, "D-00001", disk).state == "would"
    (root / "D-00001" / "broker_dry_run.json").write_bytes(b"{")
    rows = {row.dry_run_id: row for row in list_dry_runs(root, disk)}
    assert rows["D-00001"].state == "unreadable" and rows["D-00002"].state == "refused"
    with pytest.raises(Refusal, match="artifact_altered"):
        show_dry_run(root, "D-00001", disk)
    for nowhere in ("D-9", "..", "../broker_dry_runs/D-00002"):
        with pytest.raises(Refusal, match="not_found"):
            show_dry_run(root, nowhere, disk)
