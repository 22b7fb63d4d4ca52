"""The end of a run or session as another's start: to the bit, or refused with nothing changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from console.cli.app import run as command_line
from engine.api import parity, research, state
from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.journal import read_equity, read_table
from engine.market.seed import START_NS, generated, store_made
from engine.research.choice import RunFailed
from engine.state.init_state import InitState, read_state, state_bytes
from engine.state.start import choices_of, kernel_from
from engine.state.states import FOLDER
from safety.reasons import REASONS, Refusal
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.lifecycle.test_session_replay import paper
from tests.research.market import write_bars
from venues.sandbox.market import SandboxMarket

DATA = "sandbox/BTC-PERP/1m"
ASKED: dict[str, object] = {
    "strategy": "ema_cross",
    "data": DATA,
    "params": {"fast": 3.0, "slow": 8.0},
    "notional_usd": 5_000.0,
    "fee_bps": 2.5,
}
HALF, WHOLE = 700, 1_400


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_demo_bars(home, seed=1)
    market = SandboxMarket(seed=1, scenario="sideways")
    store_made(home, market, "ETH-PERP", generated(market, "ETH-PERP", 2_000), START_NS, RealDisk())
    return home


def run(home: Path, **words: object) -> Path:
    made = research.start_run(research.run_request({**ASKED, **words}), home, clock=FixedClock())
    return Path(made.path)


@pytest.fixture(scope="module")
def first(home: Path) -> Path:
    return run(home, max_bars=HALF, name="first")


@pytest.fixture(scope="module")
def whole(home: Path) -> Path:
    return run(home, max_bars=WHOLE, name="whole")


@pytest.fixture(scope="module")
def exported(home: Path, first: Path) -> Path:
    return Path(state.export_state(home, first.name, clock=FixedClock()).path)


def rows(folder: Path, table: str) -> np.ndarray[Any, Any]:
    return read_table(folder / "journal.h5", table)


def read(path: Path) -> InitState:
    return read_state(path.read_bytes())


def go_on(home: Path, exported: Path, **words: object) -> Path:
    asked = {"data": DATA, "init_state": str(exported), "max_bars": WHOLE - HALF, **words}
    return Path(research.start_run(research.run_request(asked), home, clock=FixedClock()).path)


# --- there and back --------------------------------------------------------------------------------


def test_export_and_import_give_the_identical_state(home: Path, exported: Path) -> None:
    found = read(exported)
    kernel = kernel_from(found, choices_of(found, home, RealDisk()), "another-run", "external")
    assert kernel.start_hash() == found.state_sha256
    assert state_bytes(found) == exported.read_bytes() and read_state(state_bytes(found)) == found


def test_a_state_says_in_words_what_its_run_held(exported: Path, first: Path) -> None:
    found, trades = read(exported), rows(first, "trades")
    _, equity = read_equity(first / "journal.h5")
    assert found.equity == pytest.approx(float(equity[-1]), abs=1e-6)
    assert len(found.positions) == 1, "a strategy that is always in the market"
    held = found.positions[0]
    marked = held.quantity * (held.mark_price - held.avg_entry_price) * (1 if held.side == "long" else -1)
    assert held.unrealised_usd == pytest.approx(marked - held.entry_fee_usd, abs=1e-9)
    closed = 1_000_000.0 + float(np.sum(trades["pnl"])) - held.entry_fee_usd
    assert found.balance == pytest.approx(closed, abs=1e-6)
    assert found.balance + marked == pytest.approx(found.equity, abs=1e-6)
    assert found.runtime.entry_attempt_ms_by_symbol.keys() == {"BTC-PERP"}


def test_a_run_from_a_state_and_the_run_before_it_are_one_run(
    home: Path, first: Path, whole: Path, exported: Path
) -> None:
    second = go_on(home, exported)
    for table in ("decisions", "trades"):
        parts = rows(first, table).tobytes() + rows(second, table).tobytes()
        assert parts == rows(whole, table).tobytes(), table
    (_, parts), (_, more), (_, all_of_it) = (
        read_equity(each / "journal.h5") for each in (first, second, whole)
    )
    assert np.concatenate([parts, more]).tobytes() == np.asarray(all_of_it).tobytes()
    reports = [json.loads((each / "metrics.json").read_text())["best_result"] for each in (second, whole)]
    assert reports[0]["final_equity"] == reports[1]["final_equity"]
    config = json.loads((second / "config.json").read_text())
    assert config["init_state_sha256"] == read(exported).state_sha256
    assert config["initial_cash"] == read(exported).equity == reports[0]["initial_equity"]
    assert (config["notional_usd"], config["fee_bps"]) == (5_000.0, 2.5), "the state's, not the settings'"


def test_a_run_from_a_state_replays_from_its_folder_alone(home: Path, exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "state.json"
    copy.write_bytes(exported.read_bytes())
    second = go_on(home, copy, name="replayed")
    copy.unlink()
    made = parity.replay(home, second.name, clock=FixedClock())
    assert (made.verdict, made.is_bit_equal, made.differences) == ("pass", True, ())
    assert made.contract["init_state_sha256"] == read(exported).state_sha256
    (second / "init_state.json").unlink()
    with pytest.raises(RunFailed, match="is gone") as error:
        parity.replay(home, second.name, clock=FixedClock())
    assert error.value.code == "not_reproducible"


def test_states_go_on_over_generations(home: Path, first: Path, whole: Path, exported: Path) -> None:
    middle = go_on(home, exported, max_bars=300, name="middle")
    again = Path(state.export_state(home, middle.name, clock=FixedClock()).path)
    last = go_on(home, again, max_bars=WHOLE - HALF - 300, name="last")
    parts = b"".join(rows(each, "decisions").tobytes() for each in (first, middle, last))
    assert parts == rows(whole, "decisions").tobytes()


# --- sessions --------------------------------------------------------------------------------------


def test_a_session_that_starts_from_a_state_trades_as_one_run(
    home: Path, first: Path, whole: Path, exported: Path
) -> None:
    row = state.import_state(home, exported)
    start = PaperStart(strategies=(), init_state=row.name, feed=f"replay:{DATA}", speed=0.0,
                       max_bars=WHOLE - HALF)  # fmt: skip
    name = asyncio.run(paper(home, start))
    folder = home / "outputs" / "paper_sessions" / name
    journal = folder / "artifacts" / "journal.h5"
    fields = ["ts_ns", "step", "units", "price", "action", "side", "reason"]
    mine, others = read_table(journal, "decisions"), rows(whole, "decisions")[len(rows(first, "decisions")) :]
    assert mine[fields].tolist() == others[fields].tolist() and len(mine) > 20
    metrics = json.loads((folder / "metrics.json").read_text())["summary"]
    _, equity = read_equity(whole / "journal.h5")
    assert metrics["final_equity"] == pytest.approx(float(equity[-1]), abs=1e-6)
    assert metrics["ledger_equity_usd"] == pytest.approx(metrics["final_equity"], abs=0.01)
    assert metrics["denied"] == 0 and metrics["errors"] == 0
    made = parity.replay(home, name, clock=FixedClock())
    assert (made.verdict, made.is_bit_equal) == ("pass", True), made.differences


def test_a_session_exports_and_a_run_goes_on_from_it(home: Path, whole: Path) -> None:
    start = PaperStart(
        strategies=("ema_cross",), feed=f"replay:{DATA}", params={"fast": 3.0, "slow": 8.0}, speed=0.0,
        max_bars=HALF,
    )  # fmt: skip
    name = asyncio.run(paper(home, start))
    path = Path(state.export_state(home, name, clock=FixedClock()).path)
    plain = run(home, max_bars=WHOLE, notional_usd=None, fee_bps=None, name="plain")
    second = go_on(home, path, name="after-paper")
    after = rows(plain, "decisions")
    last_ns = read(path).lanes[0].last_bar_ms * 10**6
    assert rows(second, "decisions")["price"].tolist() == after[after["ts_ns"] > last_ns]["price"].tolist()


# --- refusals --------------------------------------------------------------------------------------


def _words(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda fields: fields.update(changes)


def _position(fields: dict[str, Any]) -> None:
    fields["positions"][0]["quantity"] += 1.0


def _lane(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda fields: fields["lanes"][0].update(changes)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (_words(version=1), "state_version_unknown"),
        (_words(version=3), "state_version_unknown"),
        (_words(artifact_type="interlock.forward_state"), "state_version_unknown"),
        (_words(kernel_sha256="0" * 64), "kernel_hash_mismatch"),
        (_words(balance=1e9), "state_damaged"),
        (_words(surprise=1), "state_damaged"),
        (_words(state_sha256="0" * 64), "state_damaged"),
        (_words(kernel_state="AAAA"), "state_damaged"),
        (_position, "state_damaged"),
        (_lane(source_sha256="0" * 64), "state_strategy_mismatch"),
        (_lane(strategy="nobody"), "state_strategy_mismatch"),
        (_lane(params={"fast": 3.0, "slow": 8.0, "bracket": 1.0, "stop_atr": 2.0, "target_atr": 3.0,
                       "trail_atr": 2.0}), "state_damaged"),
        (_lane(symbol="ETH-PERP"), "state_damaged"),
        (_lane(last_bar_ms=1), "state_damaged"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    home: Path, exported: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], None], code: str
) -> None:
    fields = json.loads(exported.read_text())
    edit(fields)
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(fields))
    before = state.list_states(home)
    with pytest.raises(RunFailed) as error:
        state.import_state(home, path, "edited")
    assert error.value.code == code and code in REASONS
    assert state.list_states(home) == before and not (home / FOLDER / "edited.json").exists()
    runs = research.list_runs(home).runs
    with pytest.raises(RunFailed) as error:
        go_on(home, path)
    assert error.value.code in (code, "state_damaged", "unknown_strategy")
    assert research.list_runs(home).runs == runs


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"fee_bps": 9.0}, "state_config_mismatch"),
        ({"cash": 5.0}, "state_config_mismatch"),
        ({"params": {"fast": 3.0, "slow": 9.0}}, "state_strategy_mismatch"),
        ({"strategy": "rsi_ma_cross", "params": {}}, "state_strategy_mismatch"),
        ({"start_ns": 0}, "state_gap"),
        ({"data": "sandbox/ETH-PERP/1m"}, "state_symbol_mismatch"),
        ({"data": "hours.csv"}, "state_config_mismatch"),
        ({"switches": {"leverage": 3.0}}, "state_config_mismatch"),
    ],
)
def test_a_run_that_asks_for_something_else_is_refused(
    home: Path, exported: Path, tmp_path: Path, words: dict[str, object], code: str
) -> None:
    if words.get("data") == "hours.csv":
        words = {"data": str(write_bars(tmp_path / "hours.csv", 60, minutes=60)), "start_ns": 1}
    with pytest.raises(RunFailed) as error:
        go_on(home, exported, **words)
    assert error.value.code == code, str(error.value)


def test_a_hole_after_the_state_must_be_allowed(home: Path, exported: Path) -> None:
    later = (read(exported).lanes[0].last_bar_ms + 11 * 60_000) * 10**6
    with pytest.raises(RunFailed, match="10 bars are missing") as error:
        go_on(home, exported, start_ns=later)
    assert error.value.code == "state_gap"
    assert go_on(home, exported, start_ns=later, max_state_gap_bars=10).is_dir()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"init_state": "nobody"}, "unknown_state"),
        ({"init_state": "../../x"}, "unknown_state"),
        ({"strategies": ("rsi_ma_cross",)}, "state_strategy_mismatch"),
        ({"symbols": ("ETH-PERP",)}, "state_symbol_mismatch"),
        ({"params": {"fast": 4.0}}, "state_config_mismatch"),
        ({"feed": "replay:sandbox/ETH-PERP/1m"}, "state_symbol_mismatch"),
        ({"feed": "sandbox", "speed": 1.0}, "state_config_mismatch"),
    ],
)
def test_a_session_that_asks_for_something_else_does_not_start(
    home: Path, exported: Path, words: dict[str, Any], code: str
) -> None:
    name = state.import_state(home, exported).name
    fields: dict[str, Any] = {
        "strategies": (), "init_state": name, "feed": f"replay:{DATA}", "speed": 0.0, **words,
    }  # fmt: skip
    before = sorted((home / "outputs" / "paper_sessions").glob("*"))
    with pytest.raises(Refusal) as error:
        asyncio.run(paper(home, msgspec.convert(fields, PaperStart)))
    assert error.value.code == code
    assert sorted((home / "outputs" / "paper_sessions").glob("*")) == before


def test_a_name_is_replaced_only_when_asked(home: Path, exported: Path, tmp_path: Path) -> None:
    other = Path(state.export_state(home, run(home, max_bars=200, name="o").name, tmp_path / "o.json").path)
    assert state.import_state(home, exported, "mine").is_new
    assert not state.import_state(home, exported, "mine").is_new, "the same again changes nothing"
    with pytest.raises(RunFailed) as error:
        state.import_state(home, other, "mine")
    assert error.value.code == "state_exists"
    assert state.show_state(home, "mine") == read(exported)
    assert state.import_state(home, other, "mine", replaces=True).state_sha256 == read(other).state_sha256


def test_what_cannot_go_on_is_not_exported(home: Path) -> None:
    closed = run(home, max_bars=300, close_at_end=True, name="closed")
    with pytest.raises(RunFailed) as error:
        state.export_state(home, closed.name)
    assert error.value.code == "state_not_exportable"


def test_the_command_line_carries_a_state_from_run_to_run(
    home: Path,
    first: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("INTERLOCK_HOME", str(home))
    out = tmp_path / "s.json"
    assert command_line(["state", "export", first.name, "--out", str(out), "--json"]) == 0
    digest = json.loads(capsys.readouterr().out)["state"]["state_sha256"]
    assert command_line(["state", "import", str(out), "--name", "cli", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["states"][0]["state_sha256"] == digest
    words = ["run", "start", "--init-state", "cli", "--data", DATA, "--max-bars", "50", "--json"]
    assert command_line(words) == 0
    assert json.loads(capsys.readouterr().out)["run"]["bars"] == 50
    assert command_line(["state", "show", "cli", "--json"]) == 0
    assert "kernel_state" not in json.loads(capsys.readouterr().out)["state"]
    out.write_text("{}")
    assert command_line(["state", "import", str(out), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "state_damaged"
