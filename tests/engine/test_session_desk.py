"""What the bus tells of a session's account, and how a simulated one begins anew (AQ-22, AQ-23)."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import desk as desk_module
from engine.api import commands as c
from engine.api.account import PortfolioState
from engine.api.commands import PaperStart, SimReset
from engine.daemon import Engine, Seams, build_core
from engine.desk import Running
from engine.portfolio_state import portfolio_state
from engine.resetting import sim_reset
from engine.trading.session import PaperSession
from safety.killbyte import KillByte
from safety.reasons import Refusal
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng
from venues.types import Mode

START = PaperStart(strategies=("ema_cross",), symbols=("BTC-PERP",), scenario="sideways", speed=100.0, seed=3)


def engine_at(home: Path) -> Engine:
    return Engine(build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous()))


async def until_held(entry: Running) -> PortfolioState:
    for _ in range(400):
        state = portfolio_state(entry.session, 1)
        if state.positions:
            return state
        await asyncio.sleep(0.05)
    raise AssertionError("the session never held anything")


async def test_the_portfolio_has_equity_drawdown_and_positions_with_their_exits(tmp_path: Path) -> None:
    engine = engine_at(tmp_path)
    try:
        entry = engine.desk.start_paper(START, "tester", "R-1")
        state = await until_held(entry)
        held, ledger = state.positions[0], entry.session.ledger
        assert held.symbol == "BTC-PERP" and held.quantity > 0 and held.opened_at_ns > 0
        assert held.stop_loss is not None, "every entry states where it is wrong"
        is_long = held.side == "buy"
        assert (held.stop_loss < float(held.entry_price)) == is_long
        assert held.max_hold_bars is None and held.held_bars >= 0 and held.take_profit is None
        assert state.peak_equity_usd >= state.equity_usd and 0.0 <= state.drawdown <= state.max_drawdown < 1.0
        assert state.max_drawdown == pytest.approx(ledger.worst_drawdown)
        query = c.Query(request_id="q", body=c.PortfolioShow(session_id=entry.session.plan.session_id))
        found = engine.questions._ask(query.body)
        assert isinstance(found, PortfolioState) and found.session_id == state.session_id
    finally:
        await engine.close()


async def test_a_reset_ends_the_session_and_starts_a_fresh_one_with_the_overrides(tmp_path: Path) -> None:
    engine = engine_at(tmp_path)
    try:
        entry = engine.desk.start_paper(START, "tester", "R-1")
        await until_held(entry)
        old = entry.session.plan.session_id
        body = SimReset(session_id=old, overrides={"seed": 9, "speed": 50.0})
        fresh = await sim_reset(engine.desk, body, "tester", "R-2")
        assert fresh.session.plan.session_id != old and list(engine.desk.running) == [
            fresh.session.plan.session_id
        ]
        assert (fresh.start.seed, fresh.start.speed, fresh.start.symbols) == (9, 50.0, ("BTC-PERP",))
        state = portfolio_state(fresh.session, 1)
        assert state.positions == () and state.max_drawdown == 0.0
        ended = next(row for row in engine.desk.rows() if row.session_id == old)
        assert ended.status == "aborted" and (Path(ended.path) / "report.json").is_file()
    finally:
        await engine.close()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"session_id": "nobody"}, "unknown_session"),
        ({"overrides": {"sped": 1.0}}, "invalid_request"),
        ({"overrides": {"speed": "fast"}}, "invalid_request"),
        ({"overrides": {"strategies": ["nobody"]}}, "unknown_strategy"),
        ({"overrides": {"scenario": "nowhere"}}, "invalid_config"),
    ],
)
async def test_a_reset_that_cannot_be_started_ends_nothing(
    tmp_path: Path, words: dict[str, Any], code: str
) -> None:
    engine = engine_at(tmp_path)
    try:
        entry = engine.desk.start_paper(START, "tester", "R-1")
        fields: dict[str, Any] = {"session_id": entry.session.plan.session_id, **words}
        with pytest.raises(Refusal) as error:
            await sim_reset(engine.desk, SimReset(**fields), "tester", "R-2")
        assert error.value.code == code
        assert entry.session.plan.session_id in engine.desk.running and not entry.is_aborted
    finally:
        await engine.close()


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode not in (Mode.SIM, Mode.PAPER)])
async def test_an_engine_that_trades_money_resets_nothing(tmp_path: Path, mode: Mode) -> None:
    engine = engine_at(tmp_path)
    try:
        entry = engine.desk.start_paper(START, "tester", "R-1")
        engine.desk.core = replace(engine.desk.core, mode=mode)
        with pytest.raises(Refusal) as error:
            await sim_reset(engine.desk, SimReset(session_id=entry.session.plan.session_id), "tester", "R-2")
        assert error.value.code == "not_permitted" and not entry.is_aborted
    finally:
        await engine.close()


@pytest.mark.parametrize("fails", ["session_folder", "restore_traffic", "share_board"])
async def test_a_session_that_could_not_begin_hears_nothing_and_runs_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Found by the simulator (seeds 20151 and 20184): a disk that was full left a feed listening for ever."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    stopped: list[str] = []
    build = desk_module.build_session

    def built(*args: Any) -> PaperSession:
        session = build(*args)
        stop = session.stop_feed
        session.stop_feed = lambda: (stopped.append(session.plan.session_id), stop())[1]
        return session

    engine = engine_at(tmp_path)
    try:
        with monkeypatch.context() as broken:
            broken.setattr(desk_module, "build_session", built)
            broken.setattr(desk_module, fails, full)
            with pytest.raises(OSError, match="full"):
                engine.desk.start_paper(START, "tester", "R-1")
        assert engine.desk.running == {} and len(stopped) == 1
        entry = engine.desk.start_paper(START, "tester", "R-2")
        assert list(engine.desk.running) == [entry.session.plan.session_id]
    finally:
        await engine.close()
