"""The crucible: one run at a time, seen while it runs, its report is the run's, a stopped one is aborted."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.api.demo import write_demo_bars
from engine.ops.process_use import process_use
from seams.disk import RealDisk

from .conftest import Rig, eventually
from .test_lab import SLOW

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "home")
    yield rig
    await rig.close()


async def shell(rig: Rig, *words: str) -> tuple[int, dict[str, object]]:
    """Run a command on the desk; return its exit code and its JSON."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "interlock.py"), "crucible", *words, "--json",
        cwd=ROOT,
        env={**os.environ, "INTERLOCK_HOME": str(rig.home), "INTERLOCK_OPERATOR": "alice"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate()
    assert out, err.decode()
    found = json.loads(out)
    assert isinstance(found, dict) and child.returncode is not None
    return child.returncode, found


async def jobs(rig: Rig) -> list[dict[str, object]]:
    code, body = await shell(rig, "status")
    assert code == 0 and isinstance(body["jobs"], list)
    return body["jobs"]


async def test_one_at_a_time_seen_while_it_runs_and_aborted_when_stopped(rig: Rig, tmp_path: Path) -> None:
    await rig.start()
    data = write_demo_bars(rig.home, 1)
    slow = tmp_path / "slow.py"
    slow.write_text(SLOW)
    code, started = await shell(rig, "start", str(slow), "--version", "1.0.0", "--data", data)
    assert code == 0
    seen: dict[str, object] = {}

    async def moves() -> bool:
        seen.update((await jobs(rig) or [{}])[0])
        return bool(seen.get("done")) and bool(seen.get("rss_mb"))

    await eventually(moves, rig.log)
    assert (seen["job_id"], seen["version"], seen["state"]) == (started["job_id"], "1.0.0", "running")
    assert str(seen["strategy"]) == str(slow) and seen["total"] == 6_000
    assert float(str(seen["cpu_pct"])) > 1.0 and 10.0 < float(str(seen["rss_mb"])) < 4_000.0
    code, refused = await shell(rig, "start", "ema_cross", "--version", "2.0.0", "--data", data)
    assert (
        code == 1 and refused["code"] == "crucible_busy" and str(started["job_id"]) in str(refused["message"])
    )
    code, stopped = await shell(rig, "stop")
    assert code == 0 and isinstance(stopped["job"], dict) and stopped["job"]["state"] == "aborted"
    assert [row["state"] for row in await jobs(rig)] == ["aborted"]
    assert (await shell(rig, "stop"))[1]["code"] == "not_found"
    assert (await shell(rig, "report", str(slow)))[1]["code"] == "not_found"


async def test_its_report_is_the_metrics_of_its_run(rig: Rig) -> None:
    await rig.start()
    data = write_demo_bars(rig.home, 1)
    for version, fast in (("1.0.0", "5"), ("1.1.0", "9")):
        words = ("--version", version, "--data", data, "--max-bars", "2000", "--set", f"fast={fast}")
        assert (await shell(rig, "start", "ema_cross", *words))[0] == 0

        async def done(wanted: str = version) -> bool:
            return [row["state"] for row in await jobs(rig) if row["version"] == wanted] == ["finished"]

        await eventually(done, rig.log)
    for version in ("1.0.0", "1.1.0"):
        code, found = await shell(rig, "report", "ema_cross", "--version", version)
        assert code == 0 and found["version"] == version
        path = rig.paths.runs / str(found["run_id"]) / "metrics.json"
        assert found["metrics"] == json.loads(path.read_bytes())
    assert (await shell(rig, "report", "ema_cross"))[1]["version"] == "1.1.0"
    assert (await shell(rig, "start", "ema_cross", "--version", "../1", "--data", data))[0] == 2


def test_a_process_that_is_gone_uses_nothing() -> None:
    assert process_use(2**22 + 1, RealDisk()) is None
    own = process_use(os.getpid(), RealDisk())
    assert own is not None and own.cpu_s > 0.0 and own.rss_mb > 10.0
