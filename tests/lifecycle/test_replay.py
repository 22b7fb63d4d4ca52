"""A run is executed again from its folder: what was changed is found, classed and put in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest

from console.cli.app import run as command_line
from engine.api import parity, research
from engine.api.data import AS_IT_IS, import_shaped
from engine.journal import JournalDamaged
from engine.lifecycle.parity.report import (
    MAX_AGE_MIN,
    ReleaseBlocker,
    ReplayReport,
    judge_blocker,
)
from engine.lifecycle.parity.trace import Cause, Trace, compare, trades_sha256
from engine.research import identity
from engine.research.choice import RunFailed
from native.intents import KernelConfig, LaneSpec
from native.kernel import DECISION_DTYPE, TRADE_DTYPE, Kernel
from native.selfcheck import random_bars
from seams.clock import FixedClock
from seams.disk import MemoryDisk
from tests.research.market import write_bars

Edit = Callable[[h5py.File], None]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "BTCUSD_1h.csv", 3_000, minutes=60)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, bars: Path) -> Path:
    request = research.run_request({"preset": "oracle-flip", "data": str(bars)})
    return Path(research.start_run(request, home, clock=FixedClock()).path)


def replay(run: Path, **words: object) -> ReplayReport:
    return parity.replay(run.parents[2], run.name, clock=FixedClock(), **words)  # type: ignore[arg-type]


def change(run: Path, edit: Edit) -> None:
    with h5py.File(run / "journal.h5", "r+") as file:
        edit(file)


def change_json(path: Path, **words: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **words}))


def blocker(run: Path) -> ReleaseBlocker:
    data = (run.parents[1] / "parity" / run.name / "release_blocker.json").read_bytes()
    return msgspec.json.decode(data, type=ReleaseBlocker)


def test_a_replay_names_the_trades_as_the_run_does(run: Path) -> None:
    made, own = replay(run), json.loads((run / "metadata.json").read_bytes())["identity"]
    assert made.recorded is not None and made.replayed is not None and made.recorded.trades > 20
    assert made.recorded.trades_sha256 == made.replayed.trades_sha256 == own["trades_sha256"]
    assert made.recorded.decision_sha256 == own["decision_sha256"]


def test_trades_of_several_lanes_hash_as_the_kernel_hashes_them() -> None:
    lanes = [LaneSpec(symbol=name, strategy="ema_cross", params={"fast": 3, "slow": 8}) for name in "AB"]
    kernel = Kernel(KernelConfig(), lanes)
    for lane in (1, 0):
        table = np.array([(t, o, h, low, c) for t, o, h, low, c in random_bars(lane, 900)])
        ts_ns = table[:, 0].astype(np.int64)
        columns = [np.ascontiguousarray(table[:, at]) for at in range(1, 5)]
        kernel.replay(lane, ts_ns, *columns, np.ones(len(table)))
    trades = kernel.trades()
    mixed = trades[np.argsort(trades["exit_ts_ns"], kind="stable")]
    assert set(trades["lane"].tolist()) == {0, 1}
    assert trades_sha256(trades) == trades_sha256(mixed) == kernel.trades_sha256()


def test_a_run_replays_to_the_bit_from_its_folder_alone(run: Path) -> None:
    made = replay(run)
    assert (made.verdict, made.is_evidence, made.is_bit_equal, made.differences) == ("pass", True, True, ())
    assert made.recorded == made.replayed and made.recorded is not None and made.recorded.decisions > 50
    assert made.contract_hash == made.recorded_contract_hash
    assert blocker(run) == ReleaseBlocker(
        blocked=False, generated_at_ms=made.generated_at_ms, reason_codes=(), report_path=made.path
    )
    assert replay(run) == made, "the same record gives the same report"


def test_data_are_found_in_the_catalogue_by_their_content(home: Path, run: Path, bars: Path) -> None:
    import_shaped(bars, "desk", "BTCUSD", "1h", home, AS_IT_IS, ())
    bars.unlink()
    assert replay(run).verdict == "pass"


def test_data_that_are_nowhere_are_named_and_block(run: Path, bars: Path) -> None:
    bars.unlink()
    with pytest.raises(RunFailed, match="--data") as error:
        replay(run)
    assert error.value.code == "not_reproducible"
    assert blocker(run).blocked and blocker(run).reason_codes == ("not_reproducible",)


def _alter_decision(file: h5py.File) -> None:
    rows = file["decisions"][:]
    rows["side"][10] = -rows["side"][10]
    file["decisions"][...] = rows


def _drop_nothing_but_shift_time(file: h5py.File) -> None:
    rows = file["trades"][:]
    rows["exit_ts_ns"][4] += 1
    file["trades"][...] = rows


def _alter_fill(file: h5py.File) -> None:
    rows = file["trades"][:]
    rows["exit_fill"][3] += 1e-9
    file["trades"][...] = rows


def _alter_sum(file: h5py.File) -> None:
    rows = file["trades"][:]
    rows["pnl"][2] += 1e-9
    file["trades"][...] = rows


def _alter_equity(file: h5py.File) -> None:
    file["equity"][-1] += 1e-9


@pytest.mark.parametrize(
    ("edit", "cause", "table", "row", "field"),
    [
        (_alter_decision, Cause.STATE_MACHINE, "decisions", 10, "side"),
        (_drop_nothing_but_shift_time, Cause.LATENCY, "trades", 4, "exit_ts_ns"),
        (_alter_fill, Cause.VENUE, "trades", 3, "exit_fill"),
        (_alter_sum, Cause.REDUCTION_ORDER, "trades", 2, "pnl"),
        (_alter_equity, Cause.REDUCTION_ORDER, "equity", 2999, "equity"),
    ],
)
def test_an_injected_divergence_has_its_class(
    run: Path, edit: Edit, cause: Cause, table: str, row: int, field: str
) -> None:
    change(run, edit)
    made = replay(run)
    found = made.differences[0]
    assert (made.verdict, found.cause, found.table, found.row, found.field) == (
        "fail", cause, table, row, field,
    )  # fmt: skip
    assert made.reason_codes[0] == f"parity_{cause.lower()}"
    assert blocker(run).blocked and blocker(run).reason_codes == made.reason_codes


def test_state_machine_comes_before_reduction_order(run: Path) -> None:
    change(run, _alter_sum)
    change(run, _alter_decision)
    change(run, _alter_fill)
    made = replay(run)
    causes = [each.cause for each in made.differences]
    assert causes == sorted(causes, key=list(Cause).index)
    assert causes[0] is Cause.STATE_MACHINE and causes[-1] is Cause.REDUCTION_ORDER
    assert made.reason_codes == ("parity_state_machine", "parity_venue", "parity_reduction_order")


def test_at_most_25_differences_are_listed_and_all_are_counted(run: Path) -> None:
    def alter(file: h5py.File) -> None:
        file["equity"][...] = file["equity"][:] + 1.0

    change(run, alter)
    made = replay(run)
    assert len(made.differences) == 25 and made.counts == {"REDUCTION_ORDER": 3000}


def test_a_difference_within_the_tolerance_fails_one_kernel_and_is_named_by_its_bits(run: Path) -> None:
    def alter(file: h5py.File) -> None:
        rows = file["trades"][:]
        rows["pnl"][0] += np.sign(rows["pnl"][0]) * 5e-13
        assert 0 < abs(rows["pnl"][0] - file["trades"]["pnl"][0]) <= 1e-12
        file["trades"][...] = rows

    change(run, alter)
    assert [(each.cause, each.field) for each in replay(run).differences] == [(Cause.REDUCTION_ORDER, "bits")]


def test_another_fee_is_another_contract(run: Path) -> None:
    change_json(run / "config.json", fee_bps=9.0)
    made = replay(run)
    assert (made.verdict, made.reason_codes) == ("invalid", ("mixed_contract", "parity_config"))
    assert [(each.cause, each.field) for each in made.differences] == [(Cause.CONFIG, "fee_bps")]
    assert made.replayed is None, "unequal contracts are not compared"


def test_a_fee_changed_wherever_it_stands_is_found_by_the_recorded_hashes(run: Path) -> None:
    change_json(run / "config.json", fee_bps=9.0)
    report = json.loads((run / "report.json").read_text())
    report["config_resolved"]["fee_bps"] = 9.0
    (run / "report.json").write_text(json.dumps(report))
    made = replay(run)
    assert made.verdict == "invalid"
    assert {each.field for each in made.differences} == {"config_hash", "contract_hash"}


def test_other_data_are_another_contract(run: Path, tmp_path: Path) -> None:
    other = write_bars(tmp_path / "OTHER_1h.csv", 3_000, seed=8, minutes=60)
    made = replay(run, data=str(other))
    assert (made.verdict, made.reason_codes) == ("invalid", ("mixed_contract", "parity_data"))
    assert made.differences[0].field == "data_sha256"


def test_another_kernel_is_refused_unless_allowed_and_then_is_no_evidence(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert replay(run).verdict == "pass"
    monkeypatch.setattr(identity, "kernel_sha256", lambda: "f" * 64)
    with pytest.raises(RunFailed) as error:
        replay(run)
    assert error.value.code == "kernel_hash_mismatch"
    assert blocker(run).reason_codes == ("kernel_hash_mismatch",), "the older pass does not stand"
    made = replay(run, allows_other_kernel=True)
    assert (made.verdict, made.is_evidence) == ("pass", False)
    assert blocker(run).blocked and blocker(run).reason_codes == ("not_evidence",)


def test_a_journal_of_another_run_is_damaged(run: Path) -> None:
    change(run, lambda file: file.attrs.__setitem__("run_id", "other"))
    with pytest.raises(JournalDamaged, match="belongs to run other"):
        replay(run)
    assert blocker(run).reason_codes == ("journal_damaged",)


def test_exit_codes(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    target = run.parents[2] / "elsewhere" / "r.json"
    assert command_line(["replay", run.name, "--json", "--report", str(target)]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["ok"] and body["replay"]["verdict"] == "pass" and body["replay"]["path"] == str(target)
    assert json.loads(target.read_text())["verdict"] == "pass"
    change(run, _alter_decision)
    assert command_line(["replay", run.name]) == 2
    assert "STATE_MACHINE" in capsys.readouterr().out
    assert command_line(["replay", "20200101_000000_run_abcdef0"]) == 1
    monkeypatch.setattr(identity, "kernel_sha256", lambda: "f" * 64)
    assert command_line(["replay", run.name, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "kernel_hash_mismatch"


def test_a_user_strategy_replays_from_its_file_and_only_while_it_is_the_same(
    home: Path, bars: Path, tmp_path: Path
) -> None:
    source = (
        "from native.strategy import Strategy\n\n\nclass Up(Strategy):\n    def on_bar(self, bar):\n"
        "        return 1 if bar.close > bar.open else -1\n"
    )
    file = tmp_path / "up.py"
    file.write_text(source)
    request = research.run_request({"strategy": str(file), "data": str(bars)})
    run = Path(research.start_run(request, home, clock=FixedClock()).path)
    assert replay(run).verdict == "pass"
    file.write_text(source.replace(">", ">="))
    made = replay(run)
    assert (made.verdict, made.differences[0].field) == ("invalid", "strategy_sha256")


def _trace(count: int) -> Trace:
    decisions = np.zeros(count, DECISION_DTYPE)
    decisions["ts_ns"] = np.arange(count)
    return Trace(decisions=decisions, trades=np.zeros(0, TRADE_DTYPE), equity=np.zeros(0))


def test_a_missing_decision_is_counted_before_rows_are_compared() -> None:
    found = compare(_trace(3), _trace(2))
    assert [(each.cause, each.row, each.field, each.delta) for each in found] == [
        (Cause.STATE_MACHINE, -1, "count", -1)
    ]


def test_nan_equals_nan_and_nothing_else() -> None:
    one, other = _trace(1), _trace(1)
    one.decisions["price"] = other.decisions["price"] = np.nan
    assert compare(one, other) == []
    other.decisions["price"] = 1.0
    assert [each.field for each in compare(one, other)] == ["price"]


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, ()),
        ({"generated_at_ms": 1_000}, ()),
        ({"generated_at_ms": 999}, ("replay_stale",)),
        ({"generated_at_ms": 1_001 + MAX_AGE_MIN * 60_000}, ("replay_stale",)),
        ({"blocked": True, "reason_codes": ["x"]}, ("replay_blocked", "x")),
        ({"blocked": True}, ("replay_blocked",)),
        ({"reason_codes": ["x"]}, ("replay_blocked", "x")),
        ({"blocked": "no"}, ("replay_unreadable",)),
        ({"blocked": None}, ("replay_unreadable",)),
        ({"extra": 1}, ("replay_unreadable",)),
    ],
)
def test_only_a_fresh_readable_open_blocker_opens(
    change: dict[str, object], reasons: tuple[str, ...]
) -> None:
    now_ms = 1_000 + MAX_AGE_MIN * 60_000
    good = {"blocked": False, "generated_at_ms": now_ms, "reason_codes": [], "report_path": "r"}
    assert judge_blocker(json.dumps({**good, **change}).encode(), now_ms) == reasons


def test_an_absent_or_torn_blocker_blocks() -> None:
    assert judge_blocker(None, 0) == ("replay_absent",)
    assert judge_blocker(b'{"blocked": fal', 0) == ("replay_unreadable",)
    assert judge_blocker(b"", 0) == ("replay_unreadable",)


def test_a_full_disk_leaves_no_pass() -> None:
    from engine.lifecycle.parity.replay import block

    disk = MemoryDisk()
    disk.fail_after_writes = 0
    with pytest.raises(OSError):
        block(Path("/p"), "x", disk, FixedClock())
    assert disk.files == {}
