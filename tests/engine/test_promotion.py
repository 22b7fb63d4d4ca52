"""A strategy's stage and blockers follow from what it has done; gates that are not built block by name."""

from __future__ import annotations

import asyncio
import importlib.util
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.api.home import HomePaths
from engine.api.research import list_runs, list_sessions, run_request, set_baseline, start_run
from engine.api.run_views import RunRow, RunsView, SessionRow
from engine.api.views import OrdersView, PromotionRow
from engine.daemon import Engine, Seams, build_core
from engine.promotion import (
    CLEAN_SESSIONS,
    NOT_BUILT,
    Configured,
    Parity,
    Verified,
    baseline_of,
    config_reader,
    parity_reader,
    promotion_rows,
)
from safety.killbyte import KillByte
from seams.clock import FixedClock, SystemClock
from seams.disk import MemoryDisk, RealDisk
from seams.rng import Rng
from tests.console.desk_fixture import order
from venues.types import OrderStatus

UNBUILT = tuple(f"not_built:{gate}" for gate in NOT_BUILT)
NO_ORDERS = OrdersView(seq=0, at_ns=0, rows=())
RUN = RunRow(
    run_id="r", mode="run", strategy="cross", ticker="BTC", interval="1m", created_at="2026-01-01T00:00:00Z",
    status="success", sharpe_simple=None, total_return=None, max_drawdown=None, trades=1, data_sha256="",
    config_hash="", decision_sha256="", path="", trust="passed",
)  # fmt: skip
SESSION = SessionRow(
    session_id="s", status="success", status_reason="completed", strategies=("cross",), symbols=("BTC",),
    feed="sandbox", is_supervised=False, started_ns=1, finished_ns=2, bars=1, decisions=1, orders=0, fills=0,
    equity_usd=Decimal(1), decision_sha256="", message="", path="",
    config_ids={"cross": "c1"},
)  # fmt: skip


def _session(status: str, number: int) -> SessionRow:
    ended_ns = 0 if status == "running" else number + 1
    changed: SessionRow = msgspec.structs.replace(  # type: ignore[type-var]
        SESSION, status=status, session_id=f"s{number}", started_ns=number, finished_ns=ended_ns
    )
    return changed


def _run(**words: object) -> RunRow:
    changed: RunRow = msgspec.structs.replace(RUN, **words)  # type: ignore[type-var]
    return changed


def _rows(
    runs: tuple[RunRow, ...] = (),
    states: tuple[str, ...] = (),
    orders: OrdersView = NO_ORDERS,
    parity: Parity = lambda _: (),
    verified: Verified = lambda _: (),
    configured: Configured = lambda _: ("cross", "c1"),
) -> tuple[PromotionRow, ...]:
    sessions = tuple(_session(status, number) for number, status in enumerate(states, start=1))
    view = RunsView(seq=0, at_ns=0, runs=runs, sessions=sessions)
    return promotion_rows(view, orders, parity, verified, configured, "B-1")


@pytest.mark.parametrize(
    ("runs", "states", "stage", "blockers"),
    [
        ((RUN,), (), "research", ("clean_paper_sessions_0_of_5",)),
        ((), ("running",), "paper", ("no_successful_run", "clean_paper_sessions_0_of_5")),
        (
            (_run(status="failed"),),
            ("success",),
            "paper",
            ("no_successful_run", "clean_paper_sessions_1_of_5"),
        ),
        ((RUN,), ("success",) * 5, "paper", ()),
        ((RUN,), ("failed", *("success",) * 5), "paper", ()),
        ((RUN,), (*("success",) * 5, "failed", "running"), "paper", ("last_paper_session_failed",)),
        ((RUN,), ("success", "aborted"), "paper", ("clean_paper_sessions_1_of_5",)),
        ((_run(trust="failed"),), ("success",) * 5, "paper", ("run_checks_failed",)),
        ((_run(trust="not_checked"),), ("success",) * 5, "paper", ("run_checks_not_checked",)),
        (
            (RUN, _run(created_at="2026-02-01T00:00:00Z", trust="failed")),
            ("success",) * 5,
            "paper",
            ("run_checks_failed",),
        ),
    ],
)
def test_stage_and_blockers_follow_from_the_evidence(
    runs: tuple[RunRow, ...], states: tuple[str, ...], stage: str, blockers: tuple[str, ...]
) -> None:
    (row,) = _rows(runs, states)
    assert (row.strategy, row.stage, row.blockers) == ("cross", stage, (*blockers, *UNBUILT))


def test_an_order_whose_outcome_is_unknown_blocks_its_strategy_and_no_other() -> None:
    orders = OrdersView(seq=0, at_ns=0, rows=(order(1, status=OrderStatus.UNKNOWN, strategy="cross"),))
    other = _run(strategy="other")
    rows = {row.strategy: row.blockers for row in _rows((RUN, other), ("success",) * CLEAN_SESSIONS, orders)}
    assert rows["cross"] == ("order_outcome_unknown", *UNBUILT)
    assert "order_outcome_unknown" not in rows["other"]


@pytest.mark.parametrize(
    ("of_run", "of_sessions", "blockers"),
    [
        ("c1", {"cross": "c1"}, ()),
        ("c2", {"cross": "c1"}, ("config_mutated",)),
        ("", {"cross": "c1"}, ("config_mutated",)),
        ("c1", {}, ("config_mutated",)),
        ("c1", {"other": "c1"}, ("config_mutated",)),
        ("", {}, ("config_mutated",)),
    ],
)
def test_paper_of_another_configuration_than_the_replayed_run_is_mutated(
    of_run: str, of_sessions: dict[str, str], blockers: tuple[str, ...]
) -> None:
    ended = tuple(_session("success", number) for number in range(1, CLEAN_SESSIONS + 1))
    last: SessionRow = msgspec.structs.replace(ended[-1], config_ids=of_sessions)  # type: ignore[type-var]
    view = RunsView(seq=0, at_ns=0, runs=(RUN,), sessions=(*ended[:-1], last))
    (row,) = promotion_rows(view, NO_ORDERS, lambda _: (), lambda _: (), lambda _: ("cross", of_run), "B-1")
    assert row.blockers == (*blockers, *UNBUILT)
    assert (row.run_id, row.config_id, row.baseline_run_id) == ("r", of_run, "B-1")


@pytest.mark.parametrize(
    ("environment", "of_sessions", "stage"),
    [
        ("mainnet", {"cross": "c1"}, "micro"),
        ("mainnet", {"cross": "c2"}, "paper"),
        ("mainnet", {}, "paper"),
        ("testnet", {"cross": "c1"}, "paper"),
        ("", {"cross": "c1"}, "paper"),
    ],
)
def test_only_real_money_with_these_very_parameters_is_the_micro_stage(
    environment: str, of_sessions: dict[str, str], stage: str
) -> None:
    row: SessionRow = msgspec.structs.replace(  # type: ignore[type-var]
        SESSION, environment=environment, config_ids=of_sessions
    )
    view = RunsView(seq=0, at_ns=0, runs=(RUN,), sessions=(row,))
    (found,) = promotion_rows(view, NO_ORDERS, lambda _: (), lambda _: (), lambda _: ("cross", "c1"))
    assert found.stage == stage


def test_only_the_sessions_that_count_are_compared() -> None:
    ended = [_session("success", number) for number in range(1, CLEAN_SESSIONS + 2)]
    ended[0] = msgspec.structs.replace(ended[0], config_ids={"cross": "old"})  # type: ignore[type-var]
    view = RunsView(seq=0, at_ns=0, runs=(RUN,), sessions=tuple(ended))
    (row,) = promotion_rows(view, NO_ORDERS, lambda _: (), lambda _: (), lambda _: ("cross", "c1"))
    assert row.blockers == UNBUILT


def test_strategies_that_trade_now_come_first() -> None:
    names = [row.strategy for row in _rows((_run(strategy="alpha"),), ("running",))]
    assert names == ["cross", "alpha"]
    assert _rows() == ()


def test_the_newest_run_needs_a_fresh_replay_that_does_not_block(tmp_path: Path) -> None:
    now_ns, disk = 400 * 60_000 * 1_000_000, MemoryDisk()

    def blockers(run_id: str) -> tuple[str, ...]:
        run = _run(run_id=run_id)
        return _rows((run,), ("success",) * 5, parity=parity_reader(tmp_path, disk, now_ns))[0].blockers

    def write(run_id: str, age_min: int, *codes: str) -> None:
        body = {
            "blocked": bool(codes), "generated_at_ms": (400 - age_min) * 60_000, "reason_codes": codes,
            "report_path": "",
        }  # fmt: skip
        path = tmp_path / "parity" / run_id / "release_blocker.json"
        disk.write_atomic(path, msgspec.json.encode(body))

    write("good", 360)
    write("old", 361)
    write("bad", 0, "parity_state_machine")
    disk.write_atomic(tmp_path / "parity" / "torn" / "release_blocker.json", b'{"blocked"')
    assert blockers("good") == UNBUILT
    assert blockers("none") == ("replay_absent", *UNBUILT)
    assert blockers("old") == ("replay_stale", *UNBUILT)
    assert blockers("torn") == ("replay_unreadable", *UNBUILT)
    assert blockers("bad") == ("replay_blocked", "parity_state_machine", *UNBUILT)


def test_a_gate_that_has_been_built_is_read_here_and_no_longer_listed_as_missing() -> None:
    assert [gate for gate, module in NOT_BUILT.items() if _exists(module)] == []


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def test_a_run_and_a_session_of_the_same_parameters_have_the_same_id(tmp_path: Path) -> None:
    data = write_demo_bars(tmp_path, seed=1)
    params: dict[str, float | str] = {"fast": 3.0, "slow": 8.0}
    asked = {"strategy": "ema_cross", "data": data, "params": params, "max_bars": 400}
    start_run(run_request(asked), tmp_path, clock=FixedClock())
    (row,) = list_runs(tmp_path).runs
    paths = HomePaths(tmp_path)
    name, identity = config_reader(paths, RealDisk())(row)

    async def trade(**changes: float | str) -> dict[str, str]:
        seams = Seams(SystemClock(), None, Rng(1), RealDisk())
        engine = Engine(build_core(seams, tmp_path, {}, KillByte.anonymous()))
        try:
            start = PaperStart(
                strategies=("ema_cross",), feed=f"replay:{data}", params=params | changes, speed=0.0,
                max_bars=50,
            )  # fmt: skip
            entry = engine.desk.start_paper(start, "tester", "R-1")
            assert entry.task is not None
            while not entry.task.done():
                await engine.desk.tend()
                await asyncio.wait([entry.task], timeout=1.0)
            session_id = entry.session.plan.session_id
            (live,) = [each for each in engine.desk.rows() if each.session_id == session_id]
            (stored,) = [each for each in list_sessions(tmp_path) if each.session_id == session_id]
            assert live.config_ids == stored.config_ids
            return stored.config_ids
        finally:
            await engine.close()

    assert asyncio.run(trade()) == {name: identity} and len(identity) == 12
    assert asyncio.run(trade(slow=9.0)) != {name: identity}
    assert config_reader(paths, RealDisk())(_run(run_id="gone")) == ("", "")


def test_the_baseline_of_the_moment_is_pinned(tmp_path: Path) -> None:
    paths, disk = HomePaths(tmp_path), RealDisk()
    assert baseline_of(paths, disk, FixedClock()) == ""
    data = write_demo_bars(tmp_path, seed=1)
    asked = {"preset": "oracle-flip", "data": data, "max_bars": 200}
    made = start_run(run_request(asked), tmp_path, clock=FixedClock())
    set_baseline(tmp_path, made.run_id)
    assert baseline_of(paths, disk, FixedClock()) == made.run_id


def test_what_the_drills_block_blocks_every_strategy() -> None:
    view = RunsView(seq=0, at_ns=0, runs=(RUN,), sessions=())
    readers = (lambda _: (), lambda _: (), lambda _: ("cross", "c1"))
    free, blocked = (
        promotion_rows(view, NO_ORDERS, *readers, "B-1", drills)[0].blockers
        for drills in ((), ("drill_stale:kill",))
    )
    assert blocked == (*free, "drill_stale:kill")
