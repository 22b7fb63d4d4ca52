"""A sweep on worker processes over a real NATS server: the local tables, whoever dies on the way."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import nats
import numpy as np
import pytest

from engine.bus import find_server
from engine.market.catalogue import BarColumns
from engine.research.sweep import wire
from engine.research.sweep.cluster import ClusterExecutor
from engine.research.sweep.plan import Plan
from engine.research.sweep.wire import ClusterFailed, ClusterUnreachable
from seams.clock import SystemClock

from .conftest import Sweep, tables

ROOT = Path(__file__).resolve().parents[2]
CLOCK = SystemClock()
HANGS = '''
import os, time
from pathlib import Path
from interlock import Strategy, param, Bar


class Hangs(Strategy):
    """Trades at every fifth bar; in a process that is told to, it stops for ever in the middle."""

    gap = param(5, low=2, high=50)
    seen = 0

    def on_bar(self, bar: Bar):
        self.seen += 1
        mark = os.environ.get("HANG_MARK", "")
        if mark and self.seen == 1000:
            Path(mark).write_text(str(os.getpid()))
            time.sleep(600)
        return None if self.seen % self.gap else (1 if self.seen % (2 * self.gap) else -1)
'''


class Server:
    """A NATS server with JetStream and one user, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        config = folder / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:-1"\nports_file_dir: "{folder}"\nmax_payload: 1048576\n'
            f'jetstream {{store_dir: "{folder}/js"}}\n'
            'authorization {users = [{user: "desk", password: "secret"}]}\n'
        )
        self.creds = folder / "desk.creds"
        self.creds.write_text(json.dumps({"role": "operator", "user": "desk", "password": "secret"}))
        self.creds.chmod(0o600)
        self.process = subprocess.Popen(
            [str(find_server()), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while not (ports := list(folder.glob("*.ports"))) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.url = json.loads(ports[0].read_text())["nats"][0]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Workers:
    """Worker processes of the real command."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, **environ: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "interlock", "sweep", "worker", "--cluster", self.server.url,
                 "--creds", str(self.server.creds), "--idle-exit", "4", "--json"]  # fmt: skip
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, "INTERLOCK_HOME": str(self.folder), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def reports(self) -> list[dict[str, Any]]:
        """Wait for those that live and return what they did."""
        found = []
        for process in self.processes:
            out, err = process.communicate(timeout=60)
            if process.returncode >= 0:
                assert process.returncode == 0, (out, err)
                found.append(json.loads(out)["worker"])
        return found

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "bus")
    yield made
    made.stop()


@pytest.fixture
def workers(server: Server, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(server, tmp_path / "worker")
    yield made
    made.stop()


def over(server: Server, notes: list[str] | None = None, **options: Any) -> Callable[[Plan], ClusterExecutor]:
    said = notes if notes is not None else []
    options = {"patience_s": 40.0, "ack_wait_s": 1.5, **options}
    return lambda plan: ClusterExecutor(plan, CLOCK, server.url, server.creds, note=said.append, **options)


def test_two_workers_give_the_local_tables_and_each_task_one_answer(
    sweep: Sweep, server: Server, workers: Workers
) -> None:
    space = {
        "method": "tpe",
        "trials": 60,
        "generation": 20,
        "param_grid": {"fast": "2:30:1", "slow": "31:99:1"},
    }
    workers.start()
    workers.start()
    far = sweep("far", executor_of=over(server, task_trials=4), **space)
    assert tables(far) == tables(sweep("near", **space))
    reports = workers.reports()
    assert sum(report["trials"] for report in reports) == 60
    assert sum(report["tasks"] for report in reports) == 15
    assert streams(server) == {"KV_ILK_SWEEPS", "OBJ_ILK_SWEEP_DATA"}


def test_a_worker_killed_in_the_middle_of_a_task_changes_nothing(
    sweep: Sweep, server: Server, workers: Workers, tmp_path: Path
) -> None:
    strategy, mark = tmp_path / "hangs.py", tmp_path / "mark"
    strategy.write_text(HANGS)
    changes = {"strategy": str(strategy), "param_grid": {"gap": "2:13:1"}}
    doomed = workers.start(HANG_MARK=str(mark))

    def kill_then_help() -> None:
        deadline = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(doomed.pid, signal.SIGKILL)
        workers.start()
        workers.start()

    helper = threading.Thread(target=kill_then_help)
    helper.start()
    far = sweep("far", executor_of=over(server, task_trials=2), **changes)
    helper.join()
    assert mark.exists() and doomed.wait() == -signal.SIGKILL
    assert tables(far) == tables(sweep("near", **changes))
    assert sum(report["trials"] for report in workers.reports()) == 12


def test_a_coordinator_killed_on_the_way_is_resumed(sweep: Sweep, server: Server, workers: Workers) -> None:
    space = {"param_grid": {"fast": "2:9:1", "slow": "20:29:1"}}
    workers.start()

    class Crash(Exception):
        pass

    def crash(done: int, total: int) -> None:
        if done >= 20:
            raise Crash

    def die_hard(plan: Plan) -> ClusterExecutor:
        executor = over(server, task_trials=4)(plan)
        # No farewell: the streams stay.
        executor.close = executor._runner.close  # type: ignore[method-assign]
        return executor

    with pytest.raises(Crash):
        sweep("far", executor_of=die_hard, on_progress=crash, **space)
    far = sweep("far", executor_of=over(server, task_trials=4), resume=True, **space)
    assert tables(far) == tables(sweep("near", **space))
    workers.reports()


def test_another_kernel_strategy_or_silence_is_told(
    sweep: Sweep, server: Server, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.research.sweep.cluster.kernel_sha256", lambda: "ab" * 32)
    notes: list[str] = []
    process = workers.start()
    with pytest.raises(ClusterFailed, match="kernel_mismatch") as raised:
        sweep(executor_of=over(server, notes, patience_s=8.0))
    assert raised.value.code == "cluster_stalled"
    assert len(notes) == 1 and "wanted" in notes[0]
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 1 and json.loads(out)["code"] == "kernel_mismatch"


def test_a_strategy_that_raises_rejects_that_trial_alone(
    sweep: Sweep, server: Server, workers: Workers, tmp_path: Path
) -> None:
    strategy = tmp_path / "broken.py"
    strategy.write_text(HANGS.replace("self.seen += 1", "self.seen += 1 // (self.gap - 4)"))
    workers.start()
    changes = {"strategy": str(strategy), "param_grid": {"gap": [3, 4, 5]}}
    far = sweep("far", executor_of=over(server), **changes)
    (reason,) = [row.reject_reason for row in far.leaderboard if row.rejected]
    assert re.fullmatch(r"strategy_failed: \w+\.py:\d+", reason)
    assert tables(far) == tables(sweep("near", **changes))


def test_bars_that_are_not_those_of_their_hash_are_refused() -> None:
    column = np.arange(3.0)
    bars = BarColumns(
        ts_ns=np.arange(3), open=column, high=column, low=column, close=column + 0.1, volume=column,
        content_sha256="c" * 64, interval_ns=60,
    )  # fmt: skip
    packed = wire.pack_bars(bars)

    sha256 = hashlib.sha256(packed).hexdigest()
    back = wire.unpack_bars(packed, sha256)
    assert back.close.tolist() == bars.close.tolist() and back.interval_ns == 60
    with pytest.raises(ClusterFailed, match="hash") as raised:
        wire.unpack_bars(packed[:-1] + b"\x00", sha256)
    assert raised.value.code == "data_mismatch"


def test_a_bus_that_is_not_there_or_refuses_is_unreachable(sweep: Sweep, server: Server) -> None:
    nowhere = Server.__new__(Server)
    nowhere.url, nowhere.creds = "nats://127.0.0.1:9", server.creds
    with pytest.raises(ClusterUnreachable):
        sweep("a", executor_of=over(nowhere))
    server.creds.write_text(json.dumps({"role": "operator", "user": "desk", "password": "wrong"}))
    with pytest.raises(ClusterUnreachable):
        sweep("b", executor_of=over(server))
    server.creds.chmod(0o644)
    with pytest.raises(PermissionError):
        sweep("c", executor_of=over(server))


def test_equal_trials_make_the_same_task_and_others_another() -> None:
    first = wire.Trial(number=3, params={"fast": 5.0})
    assert wire.task_of((first,)) == wire.task_of((msgspec.structs.replace(first),))  # type: ignore[type-var]
    assert (
        wire.task_of((first,)).task_id != wire.task_of((wire.Trial(number=3, params={"fast": 6.0}),)).task_id
    )


def streams(server: Server) -> set[str]:
    async def read() -> set[str]:
        client = await nats.connect(server.url, user="desk", password="secret")
        try:
            return {info.config.name or "" for info in await client.jetstream().streams_info()}
        finally:
            await client.close()

    return asyncio.run(read())
