"""`interlock replay`: find what was recorded, execute it again, compare, and write what promotion reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.lifecycle.parity.candidates import FINGERPRINT, is_sweep
from engine.lifecycle.parity.contract import (
    KERNEL,
    MIXED,
    Contract,
    contract_differences,
    contract_sha256,
)
from engine.lifecycle.parity.portfolios import portfolio_subject
from engine.lifecycle.parity.report import (
    BLOCKER_FILE,
    FAIL,
    INVALID,
    PASS,
    REPORT_FILE,
    Measured,
    ReleaseBlocker,
    ReplayReport,
    blocker_of,
    counted,
    listed,
)
from engine.lifecycle.parity.runs import Where, read_report, run_subject
from engine.lifecycle.parity.sessions import session_subject
from engine.lifecycle.parity.subject import Subject
from engine.lifecycle.parity.sweeps import sweep_subject
from engine.lifecycle.parity.trace import Cause, Difference, Trace, compare, in_order, sha256_of
from engine.research import identity
from engine.research.artifacts import RUN_ID
from engine.research.choice import RunFailed
from engine.research.schemas import json_bytes
from seams.clock import NS_PER_MS, Clock, iso_z
from seams.disk import Disk

KERNEL_MISMATCH = "kernel_hash_mismatch"
OWN_HASHES = frozenset({KERNEL, "config_hash", "contract_hash", FINGERPRINT})
"""Keys that another kernel may change; the others hash records whose fields a later build may add to."""

Progress = Callable[[int, int], None]


def parity_folder(home: Path, name: str) -> Path:
    """Return where a replayed run's or session's evidence lies."""
    return home / "outputs" / "parity" / name


def replay_recorded(
    name: str,
    home: Path,
    disk: Disk,
    clock: Clock,
    *,
    where: Where,
    allows_other_kernel: bool = False,
    report_path: Path | None = None,
    top: int,
    on_progress: Progress | None = None,
) -> ReplayReport:
    """Replay a run, a sweep with its `top` candidates, or a paper session; write report and release blocker.

    Raises `RunFailed` with kernel_hash_mismatch (the blocker then blocks), not_reproducible or
    config_mutated, `UnknownRun`, `UnknownSession`, `JournalDamaged`, or `OSError`.
    """
    folder = parity_folder(home, name)
    try:
        subject = _subject(name, home, disk, where, top, on_progress)
        demand_kernel(subject.recorded_contract, allows_other_kernel)
        report = judge(subject, clock, allows_other_kernel)
        if subject.publish is not None:
            report = subject.publish(report, folder)
    except Exception as error:
        if code := getattr(error, "code", ""):
            block(folder, code, disk, clock)
        raise
    return write(report, folder, report_path, disk)


def _subject(
    name: str, home: Path, disk: Disk, where: Where, top: int, on_progress: Progress | None
) -> Subject:
    if is_run(name):
        if is_sweep(home, name, disk):
            return sweep_subject(name, home, disk, where, top, on_progress)
        if read_report(home, name, disk).config_resolved.lanes:
            return portfolio_subject(name, home, disk, where, on_progress)
        return run_subject(name, home, disk, where, on_progress)
    return session_subject(name, home, disk, where)


def demand_kernel(recorded: Contract, allows_other_kernel: bool) -> None:
    """Refuse a record of another kernel (QX-12). Raises `RunFailed` with kernel_hash_mismatch."""
    if recorded[KERNEL] != identity.kernel_sha256() and not allows_other_kernel:
        raise RunFailed(
            KERNEL_MISMATCH,
            f"recorded by kernel {str(recorded[KERNEL])[:12]}, this is {identity.kernel_sha256()[:12]}",
        )


def judge(subject: Subject, clock: Clock, allows_other_kernel: bool) -> ReplayReport:
    """Compare contracts, and only where they are equal the traces."""
    is_own = subject.recorded_contract[KERNEL] == subject.contract[KERNEL]
    assert is_own or allows_other_kernel, "another kernel was refused before"
    mixed = contract_differences(
        subject.recorded_contract, subject.contract, but=frozenset() if is_own else OWN_HASHES
    )
    replayed: Trace | None = None
    differences = mixed
    if not mixed:
        replayed, claims = subject.execute()
        differences = in_order([*compare(subject.recorded, replayed), *claims])
        if is_own and not differences:
            differences = _bits(subject.recorded, replayed)
    verdict = INVALID if mixed else FAIL if differences else PASS
    at_ns = clock.now_ns()
    return ReplayReport(
        subject=subject.name,
        kind=subject.kind,
        generated_at=iso_z(at_ns),
        generated_at_ms=at_ns // NS_PER_MS,
        verdict=verdict,
        is_evidence=is_own,
        reason_codes=codes_of(mixed, differences),
        contract=subject.contract,
        contract_hash=contract_sha256(subject.contract),
        recorded_contract_hash=contract_sha256(subject.recorded_contract),
        kernel_sha256=str(subject.contract[KERNEL]),
        recorded_kernel_sha256=str(subject.recorded_contract[KERNEL]),
        recorded=measured(subject.recorded),
        replayed=None if replayed is None else measured(replayed),
        is_bit_equal=None if replayed is None else _are_bits_equal(subject.recorded, replayed),
        trusted=subject.trusted,
        counts=counted(differences),
        differences=listed(differences),
    )


def codes_of(mixed: list[Difference], differences: list[Difference]) -> tuple[str, ...]:
    """Return the reason codes of a report: mixed_contract first, then the causes in their order."""
    causes = dict.fromkeys(f"parity_{each.cause.lower()}" for each in differences)
    return ((MIXED,) if mixed else ()) + tuple(causes)


def _bits(recorded: Trace, replayed: Trace) -> list[Difference]:
    """One kernel has one reduction order: what lies within the tolerance but differs is named too."""
    if _are_bits_equal(recorded, replayed):
        return []
    return [
        Difference(
            cause=Cause.REDUCTION_ORDER,
            table="trace",
            row=-1,
            field="bits",
            at_ns=0,
            recorded=f"{sha256_of(recorded.decisions)} {sha256_of(recorded.trades)}",
            replayed=f"{sha256_of(replayed.decisions)} {sha256_of(replayed.trades)}",
        )
    ]


def _are_bits_equal(recorded: Trace, replayed: Trace) -> bool:
    pairs = (
        (recorded.decisions, replayed.decisions),
        (recorded.trades, replayed.trades),
        (recorded.equity, replayed.equity),
    )
    return all(left.tobytes() == right.tobytes() for left, right in pairs)


def measured(trace: Trace) -> Measured:
    """Return a trace's size and hashes."""
    return Measured(
        decisions=len(trace.decisions),
        decision_sha256=trace.decision_sha256,
        trades=len(trace.trades),
        trades_sha256=trace.trades_sha256,
        final_equity=float(trace.equity[-1]) if len(trace.equity) else None,
    )


def write(report: ReplayReport, folder: Path, report_path: Path | None, disk: Disk) -> ReplayReport:
    """Write the report, then the blocker: a crash between them leaves the older, ageing blocker."""
    path = report_path or folder / REPORT_FILE
    report = msgspec.structs.replace(report, path=str(path))  # type: ignore[type-var]
    for where in (folder, path.parent):
        disk.make_folder(where)
    disk.write_atomic(path, json_bytes(report))
    disk.write_atomic(folder / BLOCKER_FILE, json_bytes(blocker_of(report)))
    return report


def block(folder: Path, code: str, disk: Disk, clock: Clock) -> None:
    """Write a blocker for what could not be replayed, so that no older pass stands."""
    disk.make_folder(folder)
    blocker = ReleaseBlocker(
        blocked=True, generated_at_ms=clock.now_ns() // NS_PER_MS, reason_codes=(code,), report_path=""
    )
    disk.write_atomic(folder / BLOCKER_FILE, json_bytes(blocker))


def is_run(name: str) -> bool:
    """Tell a run's id from a paper session's."""
    return RUN_ID.fullmatch(name) is not None
