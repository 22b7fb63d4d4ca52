"""The files of a run and of the index: one frozen struct each; see `engine.published` for their schemas."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.api.switches import Value, json_properties
from venues.types import Record

SCHEMA_VERSION = "1.0"
REPORT_TYPE = "interlock.run_report"
RUN_CONTRACT = "interlock.run.result"

Scalar = float | int | str | None


class LaneConfig(Record, omit_defaults=True):
    """One strategy on one symbol of a portfolio run over its own window, and what it read beside its bars."""

    symbol: str
    strategy: str
    data: str
    data_sha256: str
    start: str
    end: str
    bars: int
    funding: str = ""
    funding_sha256: str = ""
    sub_data_sha256: str = ""


Switched = Annotated[dict[str, Value], Meta(extra_json_schema={"properties": json_properties()})]


class RunConfig(Record, omit_defaults=True):
    """config.json: everything that decides a run's numbers. Times are ISO-8601 UTC; fees are bps.

    `switches`: assumptions beyond the plain ones (`engine.api.switches`); one that is off is left out.
    `lanes`: those of a portfolio run, whose hashes are over theirs.
    `init_state_sha256`: the state it started from, whose equity then stands as `initial_cash`.
    `funding_sha256`: the payments (time, rate, mark) of the window; empty in a run without funding.
    """

    ticker: str
    start: str
    end: str
    interval: str
    data: str
    data_sha256: str
    strategy: str
    preset: str
    params: dict[str, float]
    seed: int
    initial_cash: float
    notional_usd: float
    fee_bps: float
    slippage_bps: float
    slippage_mode: str
    stops: str
    lot: float
    tick: float
    paper: bool
    config_sha256: str
    funding: str = ""
    funding_marks: str = ""
    funding_sha256: str = ""
    funding_missing: int = 0
    switches: Switched = {}
    sub_data_sha256: str = ""
    init_state_sha256: str = ""
    lanes: tuple[LaneConfig, ...] = ()


class Identity(Record):
    """What produced a run; equal identities must give equal decisions."""

    kernel_sha256: str
    strategy_sha256: str
    config_sha256: str
    data_sha256: str
    data_start_ns: int
    data_end_ns: int
    seed: int
    decision_sha256: str
    trades_sha256: str


class RunMetadata(Record):
    """metadata.json."""

    run_id: str
    mode: str
    command: str
    status: str
    created_at: str
    git_commit: str
    python_executable: str
    python_version: str
    config_path: str
    config_hash: str
    request_id: str
    name: str
    identity: Identity
    summary: dict[str, Scalar]


PASSED, FAILED, NOT_CHECKED = "passed", "failed", "not_checked"


def worst(statuses: Set[str]) -> str:
    """Return failed where one failed, else not_checked (also of nothing), else passed."""
    found = statuses or {NOT_CHECKED}
    return next(status for status in (FAILED, NOT_CHECKED, PASSED) if status in found)


class Check(Record):
    """One check of a run: `status` is passed, failed or not_checked; `points` re-runs, `bars` bars in all.

    `reason` is a code, empty where it passed; `detail` says it in words.
    """

    name: str
    status: str
    reason: str
    detail: str
    points: int
    bars: int


class Baseline(Record):
    """What the same market gave without the strategy; money in account currency, drawdowns positive."""

    name: str
    what: str
    values: dict[str, Scalar]


class Interval(Record):
    """A figure with its 5 %, 50 % and 95 % quantile over the resamples."""

    metric: str
    value: float
    low: float
    median: float
    high: float


class Bootstrap(Record):
    """Intervals from resampled basis returns, `block` of them at a time; `reason` where there are none."""

    method: str
    seed: int
    resamples: int
    block: int
    basis: str
    points: int
    reason: str
    chance_of_loss: float | None
    intervals: tuple[Interval, ...]


class MultipleTesting(Record):
    """How often was looked: what the run declared, and the indexed runs on the same data before it."""

    trials_declared: int
    earlier_runs_on_data: int
    probabilistic_sharpe: float | None
    deflated_sharpe_all: float | None


class RunMetrics(Record):
    """metrics.json: no time and no id, so equal runs give equal bytes.

    `trust` is what the checks found (passed, failed, not_checked); `status` only says that the run ended.
    """

    mode: str
    command: str
    status: str
    summary: dict[str, Scalar]
    best_result: dict[str, Scalar]
    null_reasons: dict[str, str]
    leaderboard_size: int
    trust: str = NOT_CHECKED
    checks: tuple[Check, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    bootstrap: Bootstrap | None = None
    tables: dict[str, tuple[dict[str, Scalar], ...]] = {}


class Artifact(Record):
    """One file of the folder; sha256 in hex."""

    file_name: str
    size_bytes: int
    sha256: str


class ReportHeader(Record):
    run_id: str
    mode: str
    created_at: str
    git_commit: str
    python_version: str
    config_path: str
    config_hash: str
    request_id: str


class MachineContract(Record):
    """The part of a report that programs may rely on."""

    schema_version: str
    contract_type: str
    command: str
    status: str
    request_id: str
    run_id: str
    mode: str
    summary: dict[str, Scalar]
    artifacts: dict[str, str]


class RunReport(Record):
    """report.json."""

    schema_version: str
    artifact_type: str
    status: str
    header: ReportHeader
    reproduce: dict[str, str]
    config_resolved: RunConfig
    identity: Identity
    results: tuple[dict[str, Scalar], ...]
    artifacts: tuple[Artifact, ...]
    summary: dict[str, Scalar]
    machine_contract: MachineContract
    trust: str = NOT_CHECKED
    checks: tuple[Check, ...] = ()
    null_reasons: dict[str, str] = {}
    baselines: tuple[Baseline, ...] = ()
    bootstrap: Bootstrap | None = None
    tables: dict[str, tuple[dict[str, Scalar], ...]] = {}
    multiple_testing: MultipleTesting | None = None
    contract_hash: str = ""


class IndexRow(Record):
    """One row of runs_index.*: the contract's twelve columns, then what lists need."""

    run_id: str
    mode: str
    created_at: str
    git_commit: str
    ticker: str
    start: str
    end: str
    sharpe_simple: float | None
    total_return: float | None
    max_drawdown: float | None
    trades: int
    path: str
    status: str
    strategy: str
    interval: str
    data_sha256: str
    config_hash: str
    decision_sha256: str
    trust: str = NOT_CHECKED


class Excluded(Record):
    """A folder that is not in the index, and why."""

    path: str
    reason: str


class RunsIndex(Record):
    """runs_index.json."""

    generated_at: str
    root_dir: str
    n_runs: int
    runs: tuple[IndexRow, ...]
    excluded: tuple[Excluded, ...]


class Candidate(Record):
    """A run that somebody wants to keep in mind."""

    run_id: str
    note: str
    added_at: str
    shortlisted: bool


class CandidateStore(Record):
    """candidates.json: at most one baseline."""

    schema_version: str
    updated_at: str
    baseline_run_id: str | None
    candidates: tuple[Candidate, ...]


def json_bytes(value: object) -> bytes:
    """Encode as indented strict JSON: NaN and infinities become null."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n"
