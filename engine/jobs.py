"""Research asked for from a console: each a process of its own that may crash or be cancelled alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence

import msgspec

from engine.api.commands import FoundryForge, FoundryVerify, JobBody, RunStart, SweepStart
from engine.api.run_views import JobRow
from engine.core import Core
from engine.job_book import JobBook
from engine.ops.process_use import process_use
from engine.worker import Failed, Progress, Published
from safety.canonical import changed
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_S

MAX_JOBS = 4
KEPT_ROWS = 20
JOB_DEADLINE_S = 24 * 3600.0
GRACE_S = 5.0
"""How long a cancelled job may take to leave by itself."""
LINES = msgspec.json.Decoder(Progress | Published | Failed)


class Jobs:
    """The running jobs, and the last ones that ended, also under engines before this one."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._book = JobBook(core.paths.jobs, core.disk, core.token)
        self._rows: dict[str, JobRow] = {row.job_id: row for row in self._book.reopen()[-KEPT_ROWS:]}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._children: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, body: JobBody, operator: str) -> str:
        """Start a worker process and return the job's id. Raises `Refusal`."""
        if len(self._tasks) >= MAX_JOBS:
            raise Refusal("session_exists", f"{MAX_JOBS} jobs run already")
        version = body.version if isinstance(body, RunStart) else ""
        busy = next((row for row in self._rows.values() if row.version and row.job_id in self._tasks), None)
        if version and busy is not None:
            raise Refusal("crucible_busy", f"{busy.job_id} runs {busy.strategy} {busy.version}")
        job_id = self._book.new_id()
        kind, what = _described(body)
        row = JobRow(
            job_id=job_id,
            kind=kind,
            what=what,
            operator=operator,
            state="running",
            started_ns=self._core.clock.now_ns(),
            strategy=(body.strategy or body.preset) if isinstance(body, RunStart) and version else "",
            version=version,
        )
        try:
            self._book.keep(row)
        except OSError as error:
            raise Refusal("invalid_request", f"the job cannot be kept: {error.strerror}") from error
        self._rows[job_id] = row
        self._core.note(f"{kind}_started", operator, f"{job_id}: {what}")
        self._tasks[job_id] = asyncio.get_running_loop().create_task(self._run(job_id, body))
        return job_id

    def cancel(self, job_id: str, operator: str) -> None:
        """Ask a job to leave; it publishes nothing. Raises `Refusal`: not_found for one that has ended."""
        child = self._children.get(job_id)
        if child is None or self._rows[job_id].state != "running":
            raise Refusal("not_found", f"no job {clean(job_id, 80)} runs")
        self._core.note("job_cancelled", operator, job_id)
        self._change(job_id, state="cancelling")
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        asyncio.get_running_loop().call_later(GRACE_S, self._end, child)

    def rows(self) -> tuple[JobRow, ...]:
        """Return the jobs, newest first, with what the running ones use now."""
        return tuple(self._with_use(row) for row in reversed(self._rows.values()))

    def rows_of(self, kinds: Sequence[str]) -> tuple[JobRow, ...]:
        """Return the jobs of these kinds, oldest first, as they were last told."""
        return tuple(row for row in self._rows.values() if row.kind in kinds)

    def _with_use(self, row: JobRow) -> JobRow:
        child = self._children.get(row.job_id)
        use = process_use(child.pid, self._core.disk) if child is not None else None
        if use is None:
            return row
        elapsed_s = max(1e-6, (self._core.clock.now_ns() - row.started_ns) / NS_PER_S)
        return changed(row, cpu_pct=100.0 * use.cpu_s / elapsed_s, rss_mb=use.rss_mb)

    async def close(self) -> None:
        """Stop every job: one that did not finish leaves nothing."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, job_id: str, body: JobBody) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "engine.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "INTERLOCK_HOME": str(self._core.paths.home)},
        )
        self._children[job_id] = child
        try:
            errors = await asyncio.wait_for(self._follow(job_id, child, body), JOB_DEADLINE_S)
        except BaseException:
            self._end(child)
            await child.wait()
            self._change(job_id, state="aborted", message="the engine stopped it")
            self._remember(job_id)
            raise
        finally:
            del self._tasks[job_id], self._children[job_id]
            self._forget()
        self._ended(job_id, child.returncode, errors)
        self._remember(job_id)

    async def _follow(self, job_id: str, child: asyncio.subprocess.Process, body: JobBody) -> str:
        """Hand the job its request, keep its progress, and return the last line it complained with."""
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        complaint = asyncio.get_running_loop().create_task(child.stderr.read())
        with contextlib.suppress(ConnectionError):  # it died before it read: its exit says more
            child.stdin.write(msgspec.json.encode(body))
            await child.stdin.drain()
            child.stdin.close()
        async for line in child.stdout:
            with contextlib.suppress(msgspec.MsgspecError):
                self._progress(job_id, LINES.decode(line))
        await child.wait()
        lines = (await complaint).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit {child.returncode}"

    def _progress(self, job_id: str, said: Progress | Published | Failed) -> None:
        if isinstance(said, Published):
            self._change(job_id, run_id=said.run_id, message=said.status, folder=said.folder)
            return
        if isinstance(said, Failed):
            self._change(job_id, code=said.code, message=clean(said.message), folder=said.folder)
            return
        elapsed_s = max(1e-6, (self._core.clock.now_ns() - self._rows[job_id].started_ns) / NS_PER_S)
        rate = said.done / elapsed_s
        left = (said.total - said.done) / rate if rate > 0 else None
        self._change(job_id, done=said.done, total=said.total, unit=said.unit, rate_per_s=rate, left_s=left)

    def _ended(self, job_id: str, code: int | None, complaint: str) -> None:
        row = self._rows[job_id]
        if code == 0:
            self._change(job_id, state="finished", done=row.total, left_s=0.0)
            self._core.note(f"{row.kind}_finished", "eng", f"{job_id}: {row.run_id}")
        elif row.state == "cancelling":
            self._change(job_id, state="aborted", message="cancelled; nothing was published")
            self._core.note("job_aborted", "eng", job_id)
        else:
            said = row.message if row.code else clean(complaint)
            self._change(job_id, state="failed", message=said)
            self._core.note(f"{row.kind}_failed", "eng", f"{job_id}: {said}", code=row.code)

    def _remember(self, job_id: str) -> None:
        """Keep how a job ended; where that fails, the next engine says that it was aborted."""
        if job_id in self._rows:
            try:
                self._book.keep(self._rows[job_id])
            except OSError as error:
                self._core.events.add("job_not_kept", "eng", f"{job_id}: {error.strerror}")

    def _change(self, job_id: str, **fields: object) -> None:
        self._rows[job_id] = changed(self._rows[job_id], **fields)

    def _forget(self) -> None:
        ended = [name for name in self._rows if name not in self._tasks]
        for name in ended[: max(0, len(self._rows) - KEPT_ROWS)]:
            del self._rows[name]

    def _end(self, child: asyncio.subprocess.Process) -> None:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()


def _described(body: JobBody) -> tuple[str, str]:
    """Return a job's kind and what it does, in words."""
    if isinstance(body, FoundryForge):
        return "forge", f"{body.component_type} {body.name} in {body.target_lang}"
    if isinstance(body, FoundryVerify):
        return "verify", body.strategy_name
    what = f"{body.strategy or body.preset} on {body.data}"
    if isinstance(body, SweepStart):
        return "sweep", f"{what}: {' '.join(f'{name}={axis}' for name, axis in body.grid.items())}"
    return "run", what
