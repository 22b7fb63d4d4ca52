"""Real engines on homes of their own: started, hurt and looked at from outside."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.api.client import EngineClient
from engine.api.commands import Kill, KillDone, PaperStart, Resume, SessionStarted
from engine.api.endpoint import read_endpoint
from engine.api.home import HomePaths
from engine.api.views import OverviewView, StatusView
from engine.research.session_records import SessionStatus
from engine.research.sessions import read_status
from safety.audit import VerifyResult, verify_log
from safety.killbyte import KillLevel
from safety.killswitch import read_latch
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.ids import SortableIds
from seams.net import NetDown, NoAnswer

from .patience import ANSWER_S, PatientClient, eventually

__all__ = ["CLOCK", "REPOSITORY", "Rig", "bars_of", "eventually", "hurt", "is_gone", "level_of"]

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
CLOCK = SystemClock()
TEST_S = 300.0
PACE = 8.0
"""Market seconds in one of ours: a session that trades within two seconds."""


class Rig:
    """One home and its engine process."""

    def __init__(self, home: Path) -> None:
        self.home, self.paths = home, HomePaths(home)
        self.process: subprocess.Popen[bytes] | None = None
        self.clients: list[PatientClient] = []

    # --- the process -----------------------------------------------------------------------------

    def spawn(self, **environ: str) -> subprocess.Popen[bytes]:
        self.paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        words = [sys.executable, "-P", "-m", "engine.daemon", "--home", str(self.home)]
        base = {k: v for k, v in os.environ.items() if not k.startswith("INTERLOCK_")}
        with self.paths.log.open("ab") as log:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**base, "PYTHONPATH": str(REPOSITORY), **environ},
                start_new_session=True,
            )

    async def start(self, **environ: str) -> PatientClient:
        self.process = self.spawn(**environ)
        await eventually(self._is_ready, self.log)
        return await self.client()

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return read_endpoint(self.paths.endpoint).pid == self.process.pid
        except FileNotFoundError:
            return False

    async def client(self, role: str = "operator", operator: str = "ada") -> PatientClient:
        made = await PatientClient.connect(
            self.home, CLOCK, SortableIds(CLOCK), operator, role, timeout_s=ANSWER_S
        )
        assert isinstance(made, PatientClient)
        self.clients.append(made)
        return made

    async def kill_hard(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.ended()

    async def ended(self) -> int:
        process = self.process
        assert process is not None
        await eventually(lambda: process.poll() is not None, self.log)
        for client in self.clients:
            await client.close()
        self.clients.clear()
        return int(process.returncode)

    async def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            await self.kill_hard()
        for client in self.clients:
            await client.close()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def bus_pid(self) -> int:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        names = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in children}
        return next((pid for pid, name in names.items() if name.startswith("nats")), 0)

    def log(self) -> str:
        return self.paths.log.read_text(errors="replace")[-2000:] if self.paths.log.exists() else ""

    # --- what is on the disk ---------------------------------------------------------------------

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.paths.database / "paper.db", timeout=30.0) as database:
            return list(database.execute(query))

    def entries(self) -> int:
        """Count the orders that add risk."""
        (found,) = self.rows("SELECT count(*) FROM orders WHERE reduce_only = 0")[0]
        assert isinstance(found, int)
        return found

    def latch(self) -> KillLevel:
        return read_latch(RealDisk(), self.paths.safety).level

    def audit(self) -> VerifyResult:
        return verify_log(RealDisk(), self.paths.audit)

    def status_of(self, session_id: str) -> SessionStatus:
        return read_status(self.paths.sessions / session_id, RealDisk())

    # --- what operators do -----------------------------------------------------------------------

    async def trade(self, client: EngineClient, **words: object) -> str:
        """Start a session that trades on its own and wait for its first fill."""
        request = PaperStart(strategies=("ema_cross", "rsi_ma_cross"), scenario="bull", seed=3, speed=PACE)
        for name, value in words.items():
            request = _with(request, name, value)
        started = await client.demand(request, SessionStarted)
        if not request.is_supervised:
            await eventually(lambda: bool(self.rows("SELECT 1 FROM fills")), self.log)
        return started.session_id

    async def kill(self, client: EngineClient, level: str = "halt_all") -> KillDone:
        return await client.demand(Kill(level=level, confirm="KILL"), KillDone, reason="test")

    async def resume(self, client: EngineClient) -> None:
        body = Resume(confirm="RESUME", note="a test pulled it")
        await client.demand(body, object, reason="looked, all is well")


def _with(request: PaperStart, name: str, value: object) -> PaperStart:
    import msgspec

    changed: PaperStart = msgspec.structs.replace(request, **{name: value})  # type: ignore[type-var]
    return changed


async def bars_of(client: EngineClient) -> int:
    """Return how many bars the running sessions have seen, 0 where the engine does not answer."""
    try:
        overview = await client.query_view("overview", OverviewView)
    except (NetDown, NoAnswer):
        return 0
    return overview.bars


async def level_of(client: EngineClient) -> str:
    return (await client.query_view("status", StatusView)).kill_level


def is_gone(pid: int) -> bool:
    """Tell whether a process has let go of everything: its first thread ends before the others do."""
    try:
        os.kill(pid, 0)
        is_ended = Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        return is_ended and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (ProcessLookupError, FileNotFoundError):
        return True


def hurt(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of real processes may take its time: what is in it says itself when it hangs."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_S))


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path / "home")
    yield made
    await made.close()


@pytest.fixture
async def other_rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path / "other")
    yield made
    await made.close()
