"""A run made again from its own folder: configuration, journal, and the data by its content hash."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import h5py
import msgspec
import numpy as np

from engine.api.research import UnknownRun
from engine.journal import JournalDamaged, read_equity, read_table
from engine.lifecycle.parity.contract import Contract, run_contract
from engine.lifecycle.parity.sources import Source
from engine.lifecycle.parity.subject import Subject, claim
from engine.lifecycle.parity.trace import Cause, Difference, Trace
from engine.market.catalogue import BarColumns, list_sets
from engine.market.validation import BadData
from engine.research import identity
from engine.research.artifacts import RUN_ID, config_hash
from engine.research.bars import load_bars
from engine.research.choice import Choice, RunFailed, build_of, choose, forged
from engine.research.comparison import contract_hash, contract_of
from engine.research.kernels import Beside, beside_of
from engine.research.request import RunRequest
from engine.research.run import INIT_STATE, replay
from engine.research.schemas import RunConfig, RunReport
from engine.research.validation import request_of
from seams.clock import iso_z
from seams.disk import Disk
from venues.types import Record

Progress = Callable[[int, int], None]


class Where(Record):
    """Files that a record names by their last name only; empty: look for them."""

    data: str = ""
    strategy: str = ""


class Remade(Record):
    """Everything a run is executed from, found anew; `config` has the window and hash of the found bars."""

    report: RunReport
    request: RunRequest
    config: RunConfig
    choice: Choice
    bars: BarColumns
    strategy_sha256: str
    beside: Beside


def run_subject(
    run_id: str, home: Path, disk: Disk, where: Where, on_progress: Progress | None = None
) -> Subject:
    """Return a run as a subject of replay.

    Raises `UnknownRun`, `JournalDamaged`, or `RunFailed` with not_reproducible where bars or strategy are
    not found.
    """
    report = read_report(home, run_id, disk)
    recorded = read_trace(home / "outputs" / "runs" / run_id / "journal.h5", report)
    remade = remake(report, home, disk, where)
    proof = report.identity

    def execute() -> tuple[Trace, list[Difference]]:
        made = replay(remade.config, remade.choice, remade.bars, run_id, on_progress, None, remade.beside)
        trace = Trace(decisions=made.decisions, trades=made.trades, equity=made.equity)
        claims = claim(
            "identity",
            "decision_sha256",
            proof.decision_sha256,
            recorded.decision_sha256,
            Cause.STATE_MACHINE,
        ) + claim("identity", "trades_sha256", proof.trades_sha256, made.trades_sha256, Cause.STATE_MACHINE)
        return trace, claims

    return Subject(
        name=run_id,
        kind="run",
        trusted=Source.REPLAY,
        recorded_contract=recorded_contract(report),
        contract=_contract(remade),
        recorded=recorded,
        execute=execute,
    )


def read_report(home: Path, run_id: str, disk: Disk) -> RunReport:
    """Read a run's report.json. Raises `UnknownRun`."""
    if not RUN_ID.fullmatch(run_id):
        raise UnknownRun(f"no run {run_id[:80]!r}: not_a_run_id")
    try:
        path = home / "outputs" / "runs" / run_id / "report.json"
        return msgspec.json.decode(disk.read(path), type=RunReport)
    except (OSError, msgspec.MsgspecError) as error:
        raise UnknownRun(f"no run {run_id[:80]!r}: {type(error).__name__}") from error


def remake(report: RunReport, home: Path, disk: Disk, where: Where) -> Remade:
    """Find everything that a run is made of. Raises `RunFailed` with not_reproducible."""
    folder = home / "outputs" / "runs" / report.header.run_id
    config = read_config(folder / "config.json", disk)
    hints = hints_of(report.reproduce.get("command", ""))
    data = where.data or find_data(home, config, disk) or hints.get("--data", "")
    request = request_of(config, data, where.strategy or _strategy_of(hints, config))
    if "sub_data" in config.switches and "--sub-data" in hints:
        switches = {**config.switches, "sub_data": hints["--sub-data"]}
        request = msgspec.structs.replace(request, switches=switches)  # type: ignore[type-var]
    if config.init_state_sha256:
        if not disk.exists(folder / INIT_STATE):
            raise _not_reproducible(f"the state it started from, its {INIT_STATE}, is gone")
        start = {"init_state": str(folder / INIT_STATE), "max_state_gap_bars": sys.maxsize}
        request = msgspec.structs.replace(request, **start)  # type: ignore[type-var]
    try:
        bars, _, _ = load_bars(request, home, disk)
    except (OSError, LookupError, ValueError, BadData) as error:
        raise _not_reproducible(
            f"its bars {config.data} (content {config.data_sha256[:12]}) are not found; name them with --data"
        ) from error
    choice, strategy_sha256 = _choice(report, config, request, home, disk)
    try:
        beside = beside_of(request, choice, bars, home, disk)
    except (OSError, LookupError, ValueError, BadData) as error:
        raise _not_reproducible(f"what it read besides its bars is not found: {error}") from error
    found = msgspec.structs.replace(  # type: ignore[type-var]
        config,
        data_sha256=bars.content_sha256,
        start=iso_z(int(bars.ts_ns[0])),
        end=iso_z(int(bars.ts_ns[-1])),
    )
    return Remade(
        report=report,
        request=request,
        config=found,
        choice=choice,
        bars=bars,
        strategy_sha256=strategy_sha256,
        beside=beside,
    )


def find_data(home: Path, config: RunConfig, disk: Disk) -> str:
    """Return VENUE/SYMBOL/INTERVAL of a stored set with the recorded content; empty where there is none."""
    names = [
        f"{info.venue}/{info.symbol}/{info.interval}"
        for info in list_sets(home, disk)
        if info.content_sha256 == config.data_sha256
    ]
    return config.data if config.data in names else next(iter(names), "")


def read_config(path: Path, disk: Disk) -> RunConfig:
    """Read a run's config.json. Raises `RunFailed` with not_reproducible."""
    try:
        return msgspec.json.decode(disk.read(path), type=RunConfig)
    except (OSError, msgspec.MsgspecError) as error:
        raise _not_reproducible(f"{path.name} cannot be read: {type(error).__name__}") from error


def hints_of(command: str) -> dict[str, str]:
    """Read where bars and strategy were when it ran; content hashes judge what is found there."""
    try:
        words = shlex.split(command)
    except ValueError:
        return {}
    return {
        word: after
        for word, after in pairwise(words)
        if word in ("--data", "--strategy", "--sub-data") and Path(after.partition(":")[0]).is_file()
    }


def _strategy_of(hints: dict[str, str], config: RunConfig) -> str:
    """Use the hinted file only for a strategy that no name loads."""
    try:
        choose(config.strategy, config.preset, config.params)
    except RunFailed:
        return hints.get("--strategy", "")
    return ""


def _choice(
    report: RunReport, config: RunConfig, request: RunRequest, home: Path, disk: Disk
) -> tuple[Choice, str]:
    """Return the strategy and its hash under the recorded kernel; forged where the record was."""
    try:
        choice = choose(request.strategy, request.preset, request.params)
    except RunFailed as error:
        raise _not_reproducible(f"its strategy is not found: {error}; name it with --strategy") from error
    kernel = report.identity.kernel_sha256
    plain = strategy_hash(choice, config.params, kernel)
    if plain == report.identity.strategy_sha256 or isinstance(choice.strategy, str):
        return choice, plain
    try:
        compiled = forged(choice, home, disk)
    except Exception as error:
        if not getattr(error, "code", ""):
            raise
        return choice, plain
    digest = strategy_hash(compiled, config.params, kernel)
    return (compiled, digest) if digest == report.identity.strategy_sha256 else (choice, plain)


def strategy_hash(choice: Choice, params: dict[str, float], kernel_sha256: str) -> str:
    """Return a strategy's hash under a kernel's, so that another kernel alone does not change it."""
    return identity.strategy_sha256(
        choice.name, params, choice.source_sha256, build_of(choice), kernel=kernel_sha256
    )


def recorded_contract(report: RunReport) -> Contract:
    proof = report.identity
    return {
        **run_contract(
            report.config_resolved, kernel_sha256=proof.kernel_sha256, strategy_sha256=proof.strategy_sha256
        ),
        "config_hash": report.header.config_hash,
        "contract_hash": report.contract_hash,
    }


def _contract(remade: Remade) -> Contract:
    """Return the contract as found now; the recorded hashes must follow from the recorded fields."""
    report = remade.report
    resolved = contract_of(report.config_resolved, report.identity)
    return {
        **run_contract(
            remade.config,
            kernel_sha256=identity.kernel_sha256(),
            strategy_sha256=remade.strategy_sha256,
        ),
        "config_hash": config_hash(report.config_resolved),
        "contract_hash": contract_hash(resolved) if report.contract_hash else "",
    }


def read_trace(path: Path, report: RunReport) -> Trace:
    """Read the recorded trace; a journal of another run or kernel is damaged."""
    try:
        with h5py.File(path, "r") as file:
            bound = (str(file.attrs.get("run_id", "")), str(file.attrs.get("kernel_sha256", "")))
    except OSError as error:
        raise JournalDamaged(f"{path.name}: {type(error).__name__}") from error
    if bound != (report.header.run_id, report.identity.kernel_sha256):
        raise JournalDamaged(f"{path.name} belongs to run {bound[0] or 'unknown'}, kernel {bound[1][:12]}")
    _, equity = read_equity(path)
    return Trace(
        decisions=read_table(path, "decisions"),
        trades=read_table(path, "trades"),
        equity=np.asarray(equity),
    )


def _not_reproducible(message: str) -> RunFailed:
    return RunFailed("not_reproducible", message)
