"""Where each strategy stands on its way to real money, and what blocks the next step: read from evidence.

A stage is what a strategy has done, never what somebody wishes. A gate that is not built blocks by name:
a missing check is a blocker (QL-06, QL-46, QL-113, QL-114), not a formality.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.api.home import HomePaths
from engine.api.run_views import RunRow, RunsView, SessionRow
from engine.api.views import OrdersView, PromotionRow
from engine.lifecycle.parity.report import BLOCKER_FILE, judge_blocker
from engine.lifecycle.verify.gate import demand_verified
from engine.lifecycle.verify.report import VerifyReport
from engine.research.candidates import CandidateBook, CandidatesDamaged
from engine.research.identity import strategy_sha256
from engine.research.schemas import RunConfig, RunMetadata
from engine.research.sweep.trials import config_id
from engine.strategies.registry import BUNDLED
from safety.canonical import changed
from safety.intent import Stage
from safety.reasons import Refusal
from seams.clock import NS_PER_MS, Clock
from seams.disk import Disk
from venues.types import Environment, OrderStatus

Parity = Callable[[str], tuple[str, ...]]
"""A run's id → why its replay evidence blocks promotion."""
Verified = Callable[[RunRow], tuple[str, ...]]
"""A run → why its strategy counts as not verified."""
Configured = Callable[[RunRow], tuple[str, str]]
"""A run → its strategy's name and the id of that with all its parameters; empty where it cannot be read."""

CLEAN_SESSIONS = 5
"""Paper sessions that must have ended in order (QL-114)."""
MAX_STRATEGIES = 50
NOT_BUILT: dict[str, str] = {"strategy_seal": "safety.seal"}
"""Gate → the module that will judge it. While it is in this table it blocks, also when the module is
there: it is taken out where its evidence is read here instead (a test says when)."""


def promotion_rows(
    runs: RunsView,
    orders: OrdersView,
    parity: Parity,
    verified: Verified,
    configured: Configured,
    baseline_run_id: str = "",
    drills: tuple[str, ...] = (),
) -> tuple[PromotionRow, ...]:
    """Return each strategy that ran or traded, those of running sessions first, then by name.

    `parity` tells why the replay evidence of a run blocks (empty: it does not); see `parity_reader`.
    `verified` tells why a run's strategy counts as not verified; see `verify_reader`. `configured` reads a
    run's configuration id (`config_reader`): paper sessions of another prove nothing about it (OC-44).
    `drills` is what the desk's drills block, for every strategy (`engine.ops.drill_evidence`).
    """
    running = {name for row in runs.sessions if row.status == "running" for name in row.strategies}
    traded = {name for row in runs.sessions for name in row.strategies}
    researched = {row.strategy for row in runs.runs}
    names = sorted(traded | researched, key=lambda name: (name not in running, name))
    rows = (
        _row(name, name in traded, runs, orders, (parity, verified, configured), baseline_run_id)
        for name in names[:MAX_STRATEGIES]
    )
    return tuple(changed(row, blockers=(*row.blockers, *drills)) for row in rows)


def _row(
    name: str,
    has_traded: bool,
    runs: RunsView,
    orders: OrdersView,
    readers: tuple[Parity, Verified, Configured],
    baseline_run_id: str,
) -> PromotionRow:
    parity, verified, configured = readers
    newest = max(
        (row for row in runs.runs if row.strategy == name and row.status == "success"),
        key=lambda row: row.created_at,
        default=None,
    )
    strategy, identity = ("", "") if newest is None else configured(newest)
    sessions = tuple(row for row in runs.sessions if name in row.strategies)
    return PromotionRow(
        strategy=name,
        stage=_stage(sessions, strategy, identity) if has_traded else "research",
        blockers=(
            *_research(newest, parity, verified),
            *_paper(sessions),
            *(() if newest is None else _unmutated(sessions, strategy, identity)),
            *_orders(name, orders),
            *(f"not_built:{gate}" for gate in NOT_BUILT),
        ),
        run_id="" if newest is None else newest.run_id,
        config_id=identity,
        baseline_run_id=baseline_run_id,
    )


def _stage(sessions: tuple[SessionRow, ...], strategy: str, identity: str) -> str:
    """Return how far a strategy with these very parameters has gone: another id is back at paper (I25)."""
    real = (row for row in sessions if row.environment == Environment.MAINNET)
    is_micro = any(identity and row.config_ids.get(strategy) == identity for row in real)
    return Stage.MICRO.value if is_micro else "paper"


def parity_reader(outputs: Path, disk: Disk, now_ns: int) -> Parity:
    """Return what judges a run's `release_blocker.json` as of now; what cannot be read blocks (OC-43)."""

    def judge(run_id: str) -> tuple[str, ...]:
        try:
            data = disk.read(outputs / "parity" / run_id / BLOCKER_FILE)
        except FileNotFoundError:
            data = None
        except OSError:
            data = b""
        return judge_blocker(data, now_ns // NS_PER_MS)

    return judge


def config_reader(home: HomePaths, disk: Disk) -> Configured:
    """Return what reads a run's configuration id from its config.json."""

    def read(row: RunRow) -> tuple[str, str]:
        try:
            data = disk.read(home.runs / row.run_id / "config.json")
            config = msgspec.json.decode(data, type=RunConfig)
        except (OSError, msgspec.MsgspecError):
            return "", ""
        return config.strategy, config_id(config.strategy, config.params)

    return read


def baseline_of(home: HomePaths, disk: Disk, clock: Clock) -> str:
    """Return the run that is the baseline now; empty without one, or where the store cannot be read."""
    try:
        return CandidateBook(home.runs, disk, clock).read().baseline_run_id or ""
    except CandidatesDamaged:
        return ""


def verify_reader(home: HomePaths, disk: Disk, kernel_sha256: str) -> Verified:
    """Return what judges a run's strategy by its latest verification (QX-25); what cannot be read blocks.

    The run must be of the very source that was verified, and the verification of the kernel that runs now.
    """

    def judge(row: RunRow) -> tuple[str, ...]:
        try:
            report = demand_verified(home.home, disk, row.strategy, kernel_sha256=kernel_sha256)
            return () if _is_of(row, report, home, disk) else ("verify_stale",)
        except Refusal as refusal:
            return (refusal.code,)

    return judge


def _is_of(row: RunRow, report: VerifyReport, home: HomePaths, disk: Disk) -> bool:
    """Whether a run's strategy is the source of a report: its hash is made again of the run's parameters."""
    folder = home.runs / row.run_id
    try:
        config = msgspec.json.decode(disk.read(folder / "config.json"), type=RunConfig)
        proof = msgspec.json.decode(disk.read(folder / "metadata.json"), type=RunMetadata).identity
    except (OSError, msgspec.MsgspecError):
        return False
    is_compiled = row.strategy in BUNDLED and BUNDLED[row.strategy].is_compiled
    # The kernel's hash stands for what is compiled into it; its source is then named and not hashed.
    source = hashlib.sha256(row.strategy.encode()).hexdigest() if is_compiled else report.source_sha256
    return proof.strategy_sha256 in {
        strategy_sha256(row.strategy, config.params, source, build, kernel=proof.kernel_sha256)
        for build in ("", report.build_sha256)
    }


def _research(newest: RunRow | None, parity: Parity, verified: Verified) -> tuple[str, ...]:
    """Judge the newest run that succeeded: its checks must have passed, its replay and its strategy's
    verification must be fresh."""
    if newest is None:
        return ("no_successful_run",)
    checks = () if newest.trust == "passed" else (f"run_checks_{newest.trust}",)
    return (*checks, *parity(newest.run_id), *verified(newest))


def _paper(sessions: tuple[SessionRow, ...]) -> tuple[str, ...]:
    """Count sessions that ended in order; the newest that ended must not have failed."""
    ended = [row for row in sessions if row.finished_ns]
    clean = sum(1 for row in ended if row.status == "success")
    newest = max(ended, key=lambda row: row.finished_ns, default=None)
    few = (f"clean_paper_sessions_{clean}_of_{CLEAN_SESSIONS}",) if clean < CLEAN_SESSIONS else ()
    failed = ("last_paper_session_failed",) if newest is not None and newest.status == "failed" else ()
    return (*few, *failed)


def _unmutated(sessions: tuple[SessionRow, ...], strategy: str, identity: str) -> tuple[str, ...]:
    """The sessions that count must have traded what the replayed run was; an id that is not known differs."""
    clean = sorted(
        (row for row in sessions if row.finished_ns and row.status == "success"),
        key=lambda row: row.finished_ns,
        reverse=True,
    )
    ids = {row.config_ids.get(strategy, "") for row in clean[:CLEAN_SESSIONS]}
    return () if ids <= {identity} - {""} else ("config_mutated",)


def _orders(name: str, orders: OrdersView) -> tuple[str, ...]:
    is_open = any(row.strategy == name and row.status == OrderStatus.UNKNOWN for row in orders.rows)
    return ("order_outcome_unknown",) if is_open else ()
