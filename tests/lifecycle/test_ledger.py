"""A sweep's candidates on a plain kernel: what differs is classed, ordered, counted, and blocks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from console.cli.app import run as command_line
from engine.api import parity, sweep
from engine.lifecycle.parity.deployment import proven_candidate
from engine.lifecycle.parity.ledger import LEDGER_FILE, LedgerRow, Status, judge_ledger, read_lines, to_lines
from engine.lifecycle.parity.report import ReleaseBlocker, ReplayReport
from engine.lifecycle.parity.sources import TRUST_ORDER, Source, most_trusted
from engine.lifecycle.parity.sweeps import CandidateConfig, CandidateList
from engine.research import identity
from engine.research.candidates import CandidateBook
from engine.research.choice import RunFailed
from engine.research.sweep.trials import Result, config_id
from seams.clock import FixedClock
from seams.disk import RealDisk
from tests.research.market import write_bars

GRID = {"fast": [3, 5, 9], "slow": [21, 34, 55]}
Change = Callable[[dict[str, object]], None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "BTCUSD_1h.csv", 2_000, minutes=60)


def swept(home: Path, bars: Path, **fields: object) -> Path:
    asked = {"strategy": "ema_cross", "data": str(bars), "param_grid": GRID, "shortlist": 1, **fields}
    return Path(sweep.start_sweep(None, asked, home, clock=FixedClock()).path)


@pytest.fixture
def folder(home: Path, bars: Path) -> Path:
    return swept(home, bars)


def replay(folder: Path, top: int = 4, **words: object) -> ReplayReport:
    return parity.replay(folder.parents[2], folder.name, top=top, clock=FixedClock(), **words)  # type: ignore[arg-type]


def evidence(folder: Path) -> Path:
    return folder.parents[1] / "parity" / folder.name


def rows(folder: Path) -> list[LedgerRow]:
    return read_lines((evidence(folder) / LEDGER_FILE).read_bytes())


def blocker(folder: Path) -> ReleaseBlocker:
    return msgspec.json.decode((evidence(folder) / "release_blocker.json").read_bytes(), type=ReleaseBlocker)


def trials(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]


def tamper(folder: Path, rank: int, change: Change) -> str:
    """Change what the sweep recorded of the candidate at a rank; return its id."""
    wanted = json.loads((folder / "leaderboard.json").read_bytes())[rank - 1]["config_id"]
    found = trials(folder)
    for row in found:
        if row["config_id"] == wanted:
            change(row)
    (folder / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return str(wanted)


def _more_trades(row: dict[str, object]) -> None:
    row["trades"] = int(str(row["trades"])) + 1


def _other_trace(row: dict[str, object]) -> None:
    row["trace"] = "0123456789abcdef"


def _other_sum(row: dict[str, object]) -> None:
    row["fees"] = float(str(row["fees"])) + 1e-9


def _last_bit(row: dict[str, object]) -> None:
    row["return_squares"] = float(str(row["return_squares"])) * (1 + 2**-52)


def test_every_candidate_of_a_sweep_is_the_plain_kernels_to_the_bit(folder: Path) -> None:
    made = replay(folder)
    assert (made.kind, made.verdict, made.is_evidence, made.reason_codes) == ("sweep", "pass", True, ())
    assert made.trusted == "replay" and made.ledger_path == str(evidence(folder) / LEDGER_FILE)
    found = rows(folder)
    listed = {place["config_id"] for place in json.loads((folder / "sweep.json").read_bytes())["channels"]}
    ranked = [row["config_id"] for row in json.loads((folder / "leaderboard.json").read_bytes())]
    assert {row.config_id for row in found} == {*ranked[:4], *listed}
    assert {row.status for row in found} == {Status.PASS} and all(row.is_bit_equal for row in found)
    assert {row.contract_hash for row in found} == {made.contract_hash}
    by_id = {row["config_id"]: row for row in trials(folder)}
    for row in found:
        assert row.accel == {name: by_id[row.config_id][name] for name in row.accel} == row.cpu
        assert row.axis_path == ("params.fast", "params.slow")[row.axis_index]
        axis = row.axis_path.removeprefix("params.")
        assert (
            sorted(GRID[axis])[row.sample_index] == row.sample_value == by_id[row.config_id]["params"][axis]
        )  # type: ignore[index]
    assert [(row.rank, row.axis_index) for row in found] == sorted(
        (row.rank, row.axis_index) for row in found
    )
    assert not blocker(folder).blocked
    assert replay(folder) == made, "the same record gives the same report"


def test_candidates_carry_their_standing_and_what_would_be_deployed(folder: Path, home: Path) -> None:
    CandidateBook(home / "outputs" / "runs", RealDisk(), FixedClock()).set_baseline(folder.name)
    made = replay(folder)
    listed = msgspec.json.decode((evidence(folder) / "candidates.json").read_bytes(), type=CandidateList)
    assert (listed.generated_at_ms, listed.ledger_verdict) == (made.generated_at_ms, "pass")
    assert listed.baseline_run_id == folder.name
    leaders = {row["config_id"]: row for row in json.loads((folder / "leaderboard.json").read_bytes())}
    for row in listed.candidates:
        known = leaders[row.config_id]
        assert row.canonical_cpu_verified and row.validation_gate == "not_checked"
        assert (row.rank, row.total_pnl, row.total_trades) == (
            known["rank"], known["total_pnl"], known["total_trades"],
        )  # fmt: skip
        assert row.max_drawdown_pct == pytest.approx(100 * known["max_drawdown"])
        assert row.candidate_mode == known["channel"]
        config = msgspec.json.decode((evidence(folder) / row.config_path).read_bytes(), type=CandidateConfig)
        assert config_id("ema_cross", config.params) == row.config_id == config.config_id
        assert {name: config.params[name] for name in GRID} == known["params"]


@pytest.mark.parametrize(
    ("change", "cause", "fields"),
    [
        (_more_trades, "STATE_MACHINE", {"trades"}),
        (_other_trace, "STATE_MACHINE", {"trace"}),
        (_other_sum, "REDUCTION_ORDER", {"fees"}),
        (_last_bit, "REDUCTION_ORDER", {"return_squares"}),
    ],
)
def test_an_injected_divergence_has_its_class(
    folder: Path, change: Change, cause: str, fields: set[str]
) -> None:
    wrong = tamper(folder, 2, change)
    made = replay(folder)
    failed = [row for row in rows(folder) if row.status is not Status.PASS]
    assert {(row.config_id, row.status, row.cause) for row in failed} == {(wrong, Status.FAIL, cause)}
    assert (made.verdict, made.reason_codes) == ("fail", (f"parity_{cause.lower()}",))
    assert {each.field for each in made.differences} == fields
    assert all((evidence(folder) / row.trace_artifact).read_text().startswith("entry_at") for row in failed)
    assert blocker(folder).blocked and blocker(folder).reason_codes == made.reason_codes
    listed = msgspec.json.decode((evidence(folder) / "candidates.json").read_bytes(), type=CandidateList)
    assert not any(row.canonical_cpu_verified for row in listed.candidates), "one doubt is a doubt of all"


def test_state_machine_rows_come_before_reduction_order_and_those_before_passes(folder: Path) -> None:
    sums, states = tamper(folder, 1, _other_sum), tamper(folder, 3, _more_trades)
    made = replay(folder)
    found = rows(folder)
    assert [(row.config_id, row.cause) for row in found[:4]] == [
        (states, "STATE_MACHINE"), (states, "STATE_MACHINE"),
        (sums, "REDUCTION_ORDER"), (sums, "REDUCTION_ORDER"),
    ]  # fmt: skip
    assert all(row.status is Status.PASS for row in found[4:]) and len(found) > 4
    assert [each.cause for each in made.differences] == ["STATE_MACHINE", "REDUCTION_ORDER"]
    assert found[0].trade_delta == 1
    assert judge_ledger(found).counts == {"STATE_MACHINE": 2, "REDUCTION_ORDER": 2, "pass": len(found) - 4}


def test_a_shortlist_that_does_not_follow_from_the_trials_is_found(folder: Path) -> None:
    def lose(row: dict[str, object]) -> None:
        row["total_pnl"] = -1e9

    tamper(folder, 1, lose)
    made = replay(folder)
    assert {each.field for each in made.differences if each.table == "sweep.json"} == {"best", "channels"}
    assert made.reason_codes[0] == "parity_state_machine"


def test_a_candidate_whose_id_is_not_its_parameters_stops_the_replay(folder: Path) -> None:
    def mutate(row: dict[str, object]) -> None:
        row["params"] = {"fast": 4.0, "slow": 21.0}

    assert replay(folder).verdict == "pass"
    tamper(folder, 1, mutate)
    with pytest.raises(RunFailed, match="in the sweep") as error:
        replay(folder)
    assert error.value.code == "config_mutated"
    assert blocker(folder).reason_codes == ("config_mutated",), "the older pass does not stand"


def test_other_bars_or_another_request_are_another_contract(folder: Path, tmp_path: Path) -> None:
    other = write_bars(tmp_path / "OTHER_1h.csv", 2_000, seed=9, minutes=60)
    made = replay(folder, data=str(other))
    assert (made.verdict, made.reason_codes[0]) == ("invalid", "mixed_contract")
    assert {"data_sha256", "sweep_fingerprint"} <= {each.field for each in made.differences}
    assert rows(folder) == [] and blocker(folder).blocked
    text = (folder / "sweep.json").read_text()
    (folder / "sweep.json").write_text(text.replace('"in_sample": 0.7', '"in_sample": 0.6'))
    made = replay(folder)
    assert [each.field for each in made.differences] == ["sweep_fingerprint"]


def test_another_kernels_sweep_is_refused_and_never_evidence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.research.sweep import plan

    monkeypatch.setattr(identity, "kernel_sha256", lambda: "f" * 64)
    assert plan.identity is identity
    with pytest.raises(RunFailed) as error:
        replay(folder)
    assert error.value.code == "kernel_hash_mismatch"
    made = replay(folder, allows_other_kernel=True)
    assert (made.verdict, made.is_evidence) == ("pass", False)
    assert blocker(folder).blocked and blocker(folder).reason_codes == ("not_evidence",)


def test_rows_of_two_contracts_make_a_ledger_invalid(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(folder)
    own = evidence(folder) / LEDGER_FILE
    assert command_line(["replay", str(own), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["ledger"]["verdict"] == "pass" and len(body["ledger"]["contract_hashes"]) == 1
    foreign = [msgspec.structs.replace(row, contract_hash="0" * 64) for row in rows(folder)]  # type: ignore[type-var]
    (tmp_path / "foreign.jsonl").write_bytes(to_lines(foreign))
    assert command_line(["replay", str(own), str(tmp_path / "foreign.jsonl"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "mixed_contract"
    (tmp_path / "empty.jsonl").write_bytes(b"")
    assert command_line(["replay", str(tmp_path / "empty.jsonl")]) == 2
    (tmp_path / "torn.jsonl").write_bytes(b'{"axis_index":')
    assert command_line(["replay", str(tmp_path / "torn.jsonl")]) == 2
    capsys.readouterr()


def test_exit_codes_and_the_number_of_candidates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["replay", folder.name, "--top", "9", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["replay"]["verdict"] == "pass" and len(body["ledger"]) == 18
    tamper(folder, 1, _more_trades)
    assert command_line(["replay", folder.name, "--top", "1"]) == 2
    out = capsys.readouterr().out
    assert "STATE_MACHINE" in out and "live > paper > replay > accelerated" in out


@pytest.mark.parametrize(
    "fields",
    [
        {"params": {"bracket": 1}, "close_at_end": True},
        {"method": "random", "trials": 6, "seed": 5, "param_grid": {"fast": "2..9:whole", "slow": [30, 60]}},
        {"latency_ms": 4e6, "reject_probability": 0.2, "seed": 3, "min_notional_usd": 500.0},
    ],
)
def test_sweeps_of_every_kind_replay_from_their_folder(
    home: Path, bars: Path, fields: dict[str, object]
) -> None:
    made = replay(swept(home, bars, **fields), top=2)
    assert (made.verdict, made.differences) == ("pass", ())


def test_a_forged_or_interpreted_strategy_is_held_against_the_interpreter(
    home: Path, bars: Path, tmp_path: Path
) -> None:
    file = tmp_path / "up.py"
    file.write_text(
        "from interlock import Strategy, param, Bar\n\n\nclass Up(Strategy):\n    '''Up.'''\n\n"
        "    edge = param(1.0, low=0.0, high=99.0)\n\n    def on_bar(self, bar: Bar):\n"
        "        return 1 if bar.close > bar.open + self.edge * 0.01 else -1\n"
    )
    folder = swept(home, bars, strategy=str(file), param_grid={"edge": [0, 3, 9]})
    assert replay(folder).verdict == "pass"
    file.write_text(file.read_text().replace(">", ">="))
    made = replay(folder)
    assert (made.verdict, made.reason_codes[0]) == ("invalid", "mixed_contract")


def test_the_more_trusted_source_counts() -> None:
    assert [each.value for each in TRUST_ORDER] == ["live", "paper", "replay", "accelerated"]
    assert most_trusted((Source.ACCELERATED, Source.REPLAY)) is Source.REPLAY
    assert most_trusted((Source.REPLAY, Source.LIVE, Source.PAPER)) is Source.LIVE


def test_results_name_every_figure_that_the_ledger_compares(folder: Path) -> None:
    from engine.lifecycle.parity.ledger import STATE, SUMS

    own = {"number", "params", "config_id"}
    assert set(STATE) | set(SUMS) | own == set(Result.__struct_fields__)


def best(folder: Path) -> str:
    return str(json.loads((folder / "leaderboard.json").read_bytes())[0]["config_id"])


def refused(folder: Path, home: Path, name: str = "", now_ms: int = FixedClock().now_ns() // 10**6) -> str:
    with pytest.raises(RunFailed) as error:
        proven_candidate(name or f"{folder.name}:{best(folder)}", home, RealDisk(), now_ms)
    return error.value.code


def test_nothing_goes_on_from_a_sweep_without_its_fresh_replay_report(folder: Path, home: Path) -> None:
    now_ms = FixedClock().now_ns() // 10**6
    assert refused(folder, home) == "candidate_unproven", "no replay yet"
    made = replay(folder, top=1)
    name = f"{folder.name}:{best(folder)}"
    config = proven_candidate(name, home, RealDisk(), now_ms)
    assert config_id("ema_cross", config.params) == config.config_id == best(folder)
    assert refused(folder, home, now_ms=now_ms + 361 * 60_000) == "candidate_unproven", "it is stale"
    last = json.loads((folder / "leaderboard.json").read_bytes())[-1]["config_id"]
    shortlisted = {row["config_id"] for row in json.loads((folder / "sweep.json").read_bytes())["channels"]}
    assert last not in shortlisted
    assert refused(folder, home, f"{folder.name}:{last}") == "candidate_unproven", "not in the ledger"
    for wrong in ("nonsense", f"{folder.name}:../../x", f"../{folder.name}:{best(folder)}"):
        assert refused(folder, home, wrong) == "candidate_unproven"
    path = evidence(folder) / "candidates.json"
    text = path.read_text()
    path.write_text(text.replace(str(made.generated_at_ms), str(made.generated_at_ms - 1)))
    assert refused(folder, home) == "candidate_unproven", "candidates of another replay"
    tamper(folder, 1, _other_sum)
    replay(folder, top=1)
    assert refused(folder, home) == "candidate_unproven", "the blocker blocks"


def test_a_candidate_that_changed_after_its_replay_is_stopped(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay(folder, top=1)
    path = evidence(folder) / "candidates" / f"{best(folder)}.json"
    good = json.loads(path.read_bytes())
    for change in (
        {"params": {**good["params"], "fast": good["params"]["fast"] + 1}},
        {"params": {**good["params"], "bracket": 1.0}},
        {"config_id": "0" * 12},
        {"source_sha256": "0" * 64},
        {"kernel_sha256": "0" * 64},
        {"sweep_run_id": "20200101_000000_sweep_0000000"},
    ):
        path.write_text(json.dumps({**good, **change}))
        assert refused(folder, home) == "config_mutated", change
    path.write_text(json.dumps(good)[:-5])
    assert refused(folder, home) == "candidate_unproven"
