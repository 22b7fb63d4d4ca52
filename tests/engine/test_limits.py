"""A breached limit holds new risk back until a named operator clears it; exits go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.api.commands import PaperStart
from engine.api.demo import write_demo_bars
from engine.core import Core
from engine.daemon import Engine, Seams, build_core
from engine.limits import clear_limits, watch_limits
from engine.research.sessions import read_status
from engine.trading.inputs import JOURNAL, read_journal
from native.codes import Action, Gate
from safety.interlock import HoldLevel
from safety.killbyte import KillByte
from safety.rejudge import rejudge
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng


async def _lose(home: Path, limits: str) -> Engine:
    """Replay a losing strategy under tight limits and return the engine after it."""
    (home / "config").mkdir()
    (home / "config" / "interlock.yaml").write_text(f"risk: {{{limits}}}\n")
    data = write_demo_bars(home, 1)
    core = build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous())
    engine = Engine(core)
    start = PaperStart(strategies=(), preset="oracle-flip", feed=f"replay:{data}", speed=0.0, max_bars=1500)
    entry = engine.desk.start_paper(start, "tester", "R-1")
    assert entry.task is not None
    await asyncio.wait_for(entry.task, 60)
    return engine


def _judge_again(core: Core, session_id: str) -> None:
    """Every verdict of the session, made again from the record alone, is the one that was given (I29)."""
    rows = core.store.risk.judgements(session_id)
    assert {row.phase for row in rows} == {"proposal", "send"}
    assert any(row.is_allowed for row in rows)
    for row in rows:
        policy = core.store.risk.policy(row.policy_sha256)
        assert policy is not None
        again = rejudge(intent=row.intent, facts=row.facts, policy=policy.body, instrument=row.instrument)
        assert (again.allowed, again.reasons) == (row.is_allowed, row.reasons)


async def test_a_daily_loss_closes_the_desk_for_new_risk_only(tmp_path: Path) -> None:
    engine = await _lose(tmp_path, "daily_loss_close_only_usd: 150, daily_loss_halt_usd: 90000")
    core = engine.core
    try:
        assert core.interlock.has("limits", "daily_loss_limit")
        assert core.interlock.level is HoldLevel.CLOSE_ONLY
        assert any(row.code == "daily_loss_limit" for row in core.alarms.rows())
        ended = engine.desk.ended[-1]
        kept = read_journal((Path(ended.path) / "artifacts" / JOURNAL).read_bytes()).decisions
        blocked = kept[(kept["gates"] & Gate.INTERLOCK) != 0]
        assert len(blocked) and set(blocked["action"].tolist()) == {Action.BLOCKED}
        late = kept[kept["step"] >= blocked["step"][0]]["action"].tolist()
        assert Action.OPEN not in late and Action.CLOSE in late, "only exits are decided under the hold"
        decisions = core.store.decisions.decisions_of(ended.session_id)
        assert any(row.event_type == "exit" and row.status == "proposed" for row in decisions)
        _judge_again(core, ended.session_id)
        row, status = core.store.sessions.get(ended.session_id), read_status(Path(ended.path), core.disk)
        assert row is not None, "a session's last counts are in both records"
        assert (row.bars, row.fills) == (status.bars, status.fills) and row.bars == 1500 and row.fills > 0
    finally:
        await engine.close()


async def test_a_deep_loss_halts_and_the_operator_clears_by_name(tmp_path: Path) -> None:
    engine = await _lose(tmp_path, "daily_loss_close_only_usd: 20, daily_loss_halt_usd: 40")
    core = engine.core
    try:
        assert core.interlock.level is HoldLevel.HALT
        with pytest.raises(Exception, match="operator_required"):
            clear_limits(core, "", "because")
        clear_limits(core, "ana", "looked at it")
        assert core.interlock.level is HoldLevel.CLEAR
        watch_limits(core, [])
        assert core.interlock.level is HoldLevel.CLEAR
    finally:
        await engine.close()
