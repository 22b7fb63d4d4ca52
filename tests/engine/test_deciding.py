"""What a rule approves goes on the database's record in one commit with its order, or not at all."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

from sqlalchemy import text

from engine.api.commands import PaperStart
from engine.daemon import Engine, Seams, build_core
from safety.killbyte import KillByte, KillLevel
from seams import chaos
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.rng import Rng

START = PaperStart(strategies=("ema_cross",), symbols=("BTC-PERP",), scenario="sideways", speed=100.0, seed=3)
TABLES = ("judgements", "signals", "decision_events", "tickets", "intents", "orders")


def engine_at(home: Path) -> Engine:
    return Engine(build_core(Seams(SystemClock(), None, Rng(1), RealDisk()), home, {}, KillByte.anonymous()))


def counted(engine: Engine) -> dict[str, int]:
    """Return how many rows each table of an order holds, those of the open transaction included."""
    with engine.core.store.transaction() as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in TABLES
        }


async def test_the_decision_its_ticket_and_the_order_share_one_commit(tmp_path: Path) -> None:
    engine, seen = engine_at(tmp_path), list[dict[str, int]]()

    def look(site: str) -> None:
        if site == "store.before_commit" and not (seen and seen[-1]["orders"]):
            seen.append(counted(engine))

    try:
        with chaos.installed(look):
            engine.desk.start_paper(START, "tester", "R-1")
            for _ in range(400):
                if seen and seen[-1]["orders"]:
                    break
                await asyncio.sleep(0.05)
        nothing = dict.fromkeys(TABLES, 0)
        assert seen[-1] == {**dict.fromkeys(TABLES, 1), "judgements": 2}, "one commit wrote all of it"
        assert all(each == nothing for each in seen[:-1])
    finally:
        await engine.close()


async def test_where_that_commit_fails_nothing_is_on_record_and_nothing_leaves(tmp_path: Path) -> None:
    engine, failed = engine_at(tmp_path), list[dict[str, int]]()

    def fail(site: str) -> None:
        if site == "store.before_commit" and not failed and counted(engine)["orders"]:
            failed.append(counted(engine))
            raise OSError(errno.ENOSPC, "full")

    try:
        with chaos.installed(fail):
            entry = engine.desk.start_paper(START, "tester", "R-1")
            for _ in range(400):
                if failed and entry.session.failure:
                    break
                await asyncio.sleep(0.05)
        assert failed[0]["orders"] == failed[0]["decision_events"] == 1
        left = counted(engine)
        assert left.pop("tickets") <= 1, "the end of the session writes how its ticket ended"
        assert set(left.values()) == {0}
        assert entry.session.orders.sends == 0 and engine.core.kill.level is KillLevel.HALT_ALL
        said = engine.core.paths.audit.read_text()
        assert '"outcome":"proposed"' in said, "the chain knows what was decided"
    finally:
        await engine.close()
