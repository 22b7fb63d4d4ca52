"""Verify a strategy: every way of running it must say, keep and account for the same, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from engine.lifecycle.forge.store import forge, open_library
from engine.lifecycle.verify import accounts, answers
from engine.lifecycle.verify.accounts import Account, compare_accounts, run_account
from engine.lifecycle.verify.corpus import SEED, Case, build_corpus, corpus_sha256
from engine.lifecycle.verify.plain import PlainBar, answered
from engine.lifecycle.verify.report import (
    DIVERGED,
    EQUIVALENT,
    REPORT,
    CaseRecord,
    Divergence,
    VerifyReport,
    latest_path,
)
from engine.lifecycle.verify.ways import NativeWay, Way
from engine.strategies import StrategyError, load_strategy
from engine.strategies.registry import BUNDLED, LoadedStrategy, ParamSpec
from native.identity import kernel_sha256
from native.intents import KernelConfig
from native.strategy import Strategy
from seams.disk import Disk
from seams.rng import Rng

DRAWN_SETS = 4
SWITCH_VALUES = 5
"""A whole number with fewer values than this is a switch."""

Progress = Callable[[int, int], None]
Make = Callable[[], Strategy]


@dataclass(frozen=True)
class Stamp:
    """What a report is about: the source's file name and hash, the build's and its artifact's hashes."""

    source_file: str
    source_sha256: str
    build_sha256: str
    artifact_sha256: str


@dataclass
class Tally:
    """What has been compared so far."""

    bars: int = 0
    account_bars: int = 0
    answers: int = 0
    decisions: int = 0
    ways: set[str] = field(default_factory=set)


def verify(
    spec: str,
    home: Path,
    disk: Disk,
    *,
    data: Sequence[str] = (),
    params: Mapping[str, float | str],
    on_progress: Progress | None = None,
) -> VerifyReport:
    """Verify a bundled name or `FILE.py[:Class]`; write `verify_report.json` and return it.

    Raises `StrategyError`, what the forge raises, or what the catalogue raises for `data`.
    """
    cases = build_corpus(home, disk, data)
    loaded = load_strategy(spec)
    stored = forge(_source_of(loaded, spec), home, disk)
    way, record = NativeWay(open_library(stored, disk)), stored.record
    stamp = Stamp(record.source_file, record.source_sha256, record.build_sha256, record.artifact_sha256)
    report = judge(loaded, way, stamp, cases, param_sets(loaded, params), on_progress)
    return keep_report(report, Path(stored.folder), home, disk)


def keep_report(report: VerifyReport, folder: Path, home: Path, disk: Disk) -> VerifyReport:
    """Write the report beside its build, and as the strategy's latest, which promotion reads; return it."""
    report = msgspec.structs.replace(report, path=str(folder / REPORT))  # type: ignore[type-var]
    data = msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
    disk.write_atomic(folder / REPORT, data)
    latest = latest_path(home, report.strategy)
    disk.make_folder(latest.parent)
    disk.write_atomic(latest, data)
    return report


def judge(
    loaded: LoadedStrategy,
    way: Way,
    stamp: Stamp,
    cases: Sequence[Case],
    sets: Sequence[dict[str, float]],
    on_progress: Progress | None = None,
) -> VerifyReport:
    """Run the source and one build of it over every case and parameter set, up to the first difference."""
    tally = Tally()
    divergence = _first_divergence(loaded, way, cases, sets, tally, on_progress)
    return _report(loaded, stamp, cases, sets, tally, divergence)


def _source_of(loaded: LoadedStrategy, spec: str) -> str:
    """Return FILE.py:Class of a strategy."""
    if loaded.file is None:
        raise StrategyError(f"{spec} has no source file; only a file can be verified")
    return f"{loaded.file}:{loaded.class_name}" if loaded.class_name else str(loaded.file)


def param_sets(loaded: LoadedStrategy, given: Mapping[str, float | str]) -> list[dict[str, float]]:
    """Return the given set (defaults filled in), each switch turned, and some drawn from the bounds.

    A switch is a whole number of few values: what it turns on must run at least once. With it, and in every
    other drawn set, whole numbers have the form 2^k - 1: averages of such periods are exact on the corpus's
    even prices, so that values tie and `<` can be told from `<=`.
    """
    base = loaded.complete(given)
    found = [base, *_switched(loaded, base)]
    room = len(found) + DRAWN_SETS
    chance = Rng(SEED).stream("params", loaded.name)
    for _ in range(20 * DRAWN_SETS):
        if len(found) == room or not loaded.params:
            break
        is_exact = (room - len(found)) % 2 == 1
        drawn = {spec.name: _drawn(spec, chance.random(), is_exact) for spec in loaded.params}
        if _is_accepted(loaded, drawn):
            found.append(drawn)
    return found


def _switched(loaded: LoadedStrategy, base: Mapping[str, float]) -> list[dict[str, float]]:
    """Return the set with one switch changed and exact periods, for each value that `on_start` accepts."""
    exact = {spec.name: _exact(spec, round(base[spec.name])) for spec in loaded.params if _is_period(spec)}
    sets = [
        {**base, **exact, spec.name: float(value)}
        for spec in filter(_is_switch, loaded.params)
        for value in range(int(spec.low), int(spec.high) + 1)
        if value != base[spec.name]
    ]
    return [each for each in sets if _is_accepted(loaded, each)]


def _is_period(spec: ParamSpec) -> bool:
    return isinstance(spec.default, int) and not _is_switch(spec)


def _is_switch(spec: ParamSpec) -> bool:
    return isinstance(spec.default, int) and spec.high - spec.low < SWITCH_VALUES


def _is_accepted(loaded: LoadedStrategy, params: Mapping[str, float]) -> bool:
    try:
        loaded.build(params)
    except StrategyError:
        return False
    return True


def _drawn(spec: ParamSpec, share: float, is_exact: bool) -> float:
    """Draw between the lower bound and a few times the default: periods that a short market can show."""
    high = min(spec.high, max(4.0 * abs(spec.default), spec.low + 2.0))
    value = spec.low + share * (high - spec.low)
    if not isinstance(spec.default, int):
        return value
    whole = round(value)
    return _exact(spec, whole) if is_exact else float(whole)


def _exact(spec: ParamSpec, whole: int) -> float:
    """Return the largest 2^k - 1 up to a whole number, or the number where the bounds do not allow it."""
    exact = (1 << (whole + 1).bit_length() - 1) - 1
    return float(exact if spec.low <= exact <= spec.high and whole > 2 else whole)


def _first_divergence(
    loaded: LoadedStrategy,
    way: Way,
    cases: Sequence[Case],
    sets: Sequence[dict[str, float]],
    tally: Tally,
    on_progress: Progress | None,
) -> Divergence | None:
    work = [(case, params) for params in sets for case in cases]
    for done, (case, params) in enumerate(work):
        if on_progress is not None:
            on_progress(done, len(work))
        found = compare_way(case, params, _maker(loaded, params), way, tally)
        if found is None and loaded.is_compiled:
            found = compare_compiled(case, params, loaded.name, _maker(loaded, params), tally)
        if found is not None:
            return found
    if on_progress is not None:
        on_progress(len(work), len(work))
    return None


def _maker(loaded: LoadedStrategy, params: Mapping[str, float]) -> Make:
    """Return what makes a fresh interpreted instance, also of a strategy that is compiled into the kernel."""

    def make() -> Strategy:
        built = BUNDLED[loaded.name].kind(**params) if loaded.is_compiled else loaded.build(params)
        assert isinstance(built, Strategy)
        return built

    return make


def compare_way(
    case: Case, params: Mapping[str, float], make: Make, way: Way, tally: Tally
) -> Divergence | None:
    """Compare the interpreted source with one build of it on one case: answers, state, accounts."""
    compared = answers.compare_answers(case, params, make, way)
    tally.bars += compared.bars
    tally.answers += compared.answers
    tally.ways |= {"interpreted", way.name}
    if compared.divergence is not None:
        return compared.divergence
    for config in accounts.CONFIGS:
        wanted = run_account(case, config, make(), params)
        got = run_account(case, config, way.lane(params), params)
        tally.account_bars += len(case)
        tally.decisions += len(wanted.decisions)
        found = compare_accounts(case, params, ("interpreted", way.name), wanted, got)
        if found is None and not way.reads_side and not way.has_levels:
            found = _against_reference(case, params, make, config, wanted, tally)
        if found is not None:
            return found
    return None


def _against_reference(
    case: Case, params: Mapping[str, float], make: Make, config: KernelConfig, account: Account, tally: Tally
) -> Divergence | None:
    """Compare with the plain-Python account, where that models all that happened."""
    if config.stops != "intrabar" or make().warmup_bars or not accounts.is_plain(case, account):
        return None
    tally.ways.add("reference")
    twin = accounts.reference_account(
        case, config, list(_wanted(case, make())), params.get("max_contracts", 0.0)
    )
    return compare_accounts(case, params, ("interpreted", "reference"), account, twin)


def _wanted(case: Case, strategy: Strategy) -> Iterator[int | None]:
    for index, row in enumerate(case.rows()):
        yield answered(strategy.on_bar(PlainBar(index, *row, 0)))[0]  # type: ignore[arg-type]


def compare_compiled(
    case: Case, params: Mapping[str, float], name: str, make: Make, tally: Tally
) -> Divergence | None:
    """Compare what is compiled into the kernel with its source, and with its plain-Python twin."""
    tally.ways.add("compiled")
    for config in accounts.CONFIGS:
        account = run_account(case, config, name, params)
        source = run_account(case, config, make(), params)
        tally.account_bars += len(case)
        tally.decisions += len(account.decisions)
        found = compare_accounts(case, params, ("compiled", "interpreted"), account, source)
        if found is None and config.stops == "intrabar" and accounts.is_plain(case, account):
            tally.ways.add("reference")
            twin = accounts.builtin_reference(case, config, name, params)
            found = compare_accounts(case, params, ("compiled", "reference"), account, twin)
        if found is not None:
            return found
    return None


def _report(
    loaded: LoadedStrategy,
    stamp: Stamp,
    cases: Sequence[Case],
    sets: Sequence[dict[str, float]],
    tally: Tally,
    divergence: Divergence | None,
) -> VerifyReport:
    return VerifyReport(
        strategy=loaded.name,
        source_file=stamp.source_file,
        source_sha256=stamp.source_sha256,
        build_sha256=stamp.build_sha256,
        artifact_sha256=stamp.artifact_sha256,
        kernel_sha256=kernel_sha256(),
        corpus_sha256=corpus_sha256(cases),
        verdict=EQUIVALENT if divergence is None else DIVERGED,
        ways=tuple(sorted(tally.ways)),
        params=tuple(sets),
        cases=tuple(CaseRecord(name=case.name, bars=len(case), sha256=case.sha256) for case in cases),
        bars=tally.bars,
        account_bars=tally.account_bars,
        answers=tally.answers,
        decisions=tally.decisions,
        divergence=divergence,
    )
