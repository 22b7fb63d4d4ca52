"""Research runs asked for from a console: each a process of its own that may crash alone."""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from engine.api.commands import RunStart
from engine.api.views import RunRow
from engine.core import Core
from safety.reasons import Refusal
from seams.clock import iso_z

MAX_JOBS = 4
JOB_DEADLINE_S = 3600.0


class Jobs:
    """The running jobs and those that failed under this engine."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rows: dict[str, RunRow] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start_run(self, run: RunStart, operator: str) -> str:
        """Start a run in a worker process and return the job's id. Raises `Refusal`."""
        if len(self._tasks) >= MAX_JOBS:
            raise Refusal("session_exists", f"{MAX_JOBS} jobs run already")
        job_id = self._core.ids.new("J")
        self._rows[job_id] = _row(job_id, run, iso_z(self._core.clock.now_ns()), "running")
        self._core.note("run_started", operator, f"{job_id}: {run.strategy} on {run.data}")
        self._tasks[job_id] = asyncio.get_running_loop().create_task(self._run(job_id, run))
        return job_id

    def rows(self) -> tuple[RunRow, ...]:
        """Return jobs that run or failed; a finished run is in the index."""
        return tuple(self._rows.values())

    async def close(self) -> None:
        """Stop every job: a run that did not finish leaves nothing."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, job_id: str, run: RunStart) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "engine.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "INTERLOCK_HOME": str(self._core.paths.home)},
        )
        try:
            _, errors = await asyncio.wait_for(child.communicate(msgspec.json.encode(run)), JOB_DEADLINE_S)
        except BaseException:
            if child.returncode is None:
                child.kill()
                await child.wait()
            raise
        finally:
            del self._tasks[job_id]
        if child.returncode == 0:
            del self._rows[job_id]
            self._core.note("run_finished", "eng", job_id)
            return
        lines = errors.decode(errors="replace").strip().splitlines()
        message = lines[-1] if lines else f"exit {child.returncode}"
        self._rows[job_id] = _row(job_id, run, iso_z(self._core.clock.now_ns()), "failed")
        self._core.note("run_failed", "eng", f"{job_id}: {message}")


def _row(job_id: str, run: RunStart, created_at: str, status: str) -> RunRow:
    return RunRow(
        run_id=job_id,
        mode="run",
        strategy=run.strategy or run.preset,
        ticker=run.data,
        interval="",
        created_at=created_at,
        status=status,
        sharpe_simple=None,
        total_return=None,
        max_drawdown=None,
        trades=0,
        data_sha256="",
        config_hash="",
        decision_sha256="",
        path="",
    )
