"""A cluster worker: takes tasks of sweeps whose kernel, strategy and data it has exactly."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from collections.abc import Callable
from pathlib import Path

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NoKeysError, NotFoundError

from engine.research.choice import RunFailed
from engine.research.identity import kernel_sha256
from engine.research.kernels import NOTHING
from engine.research.sweep import wire
from engine.research.sweep.evaluate import Field
from engine.research.sweep.wire import Answer, ClusterFailed, Job, Refused, Task
from engine.strategies import StrategyError, load_strategy
from seams.clock import NS_PER_S, Clock
from venues.types import Record

LOOK_S = 0.5
"""How often the list of sweeps is read, and how long a task is waited for."""
Note = Callable[[str], None]


class WorkerReport(Record):
    """What a worker did before it left; `refusals` are `code: message`."""

    worker: str
    tasks: int
    trials: int
    refusals: tuple[str, ...]


class _Bench(msgspec.Struct):
    """A sweep this worker takes part in."""

    job: Job
    field: Field
    tasks: JetStreamContext.PullSubscription


class Worker:
    """Works until cancelled, or until there has been nothing to do for `idle_exit_s` (0: for ever)."""

    def __init__(
        self,
        clock: Clock,
        url: str,
        creds: Path | None,
        *,
        threads: int = 1,
        idle_exit_s: float = 0.0,
        note: Note = lambda _: None,
    ) -> None:
        self._clock, self._url, self._creds = clock, url, creds
        self._threads, self._idle_exit_s, self._note = threads, idle_exit_s, note
        self.name = f"{platform.node() or 'host'}-{os.getpid()}"
        self._benches: dict[str, _Bench] = {}
        self._refused: dict[str, str] = {}
        self._tasks = self._trials = 0

    async def run(self) -> WorkerReport:
        """Work. Raises `ClusterUnreachable` when the bus cannot be reached at the start."""
        client = await wire.connect(self._url, self._creds, f"sweep worker {self.name}")
        try:
            js = client.jetstream()
            idle_since = self._clock.monotonic_ns()
            while True:
                if await self._turn(client, js):
                    idle_since = self._clock.monotonic_ns()
                elif 0.0 < self._idle_exit_s * NS_PER_S < self._clock.monotonic_ns() - idle_since:
                    return self.report()
        finally:
            await client.close()

    def report(self) -> WorkerReport:
        return WorkerReport(
            worker=self.name,
            tasks=self._tasks,
            trials=self._trials,
            refusals=tuple(self._refused.values()),
        )

    async def _turn(self, client: Client, js: JetStreamContext) -> bool:
        """Look for sweeps, then take one task of each; tell whether there was any."""
        try:
            await self._look(client, js)
        except (nats.errors.Error, TimeoutError):
            await self._clock.sleep(LOOK_S)  # no sweep yet, or the bus is away for a moment
            return False
        if not self._benches:
            await self._clock.sleep(LOOK_S)
            return False
        worked = False
        for bench in list(self._benches.values()):
            worked |= await self._take(js, bench)
        return worked

    async def _look(self, client: Client, js: JetStreamContext) -> None:
        """Join sweeps that are new, leave those that are over."""
        jobs = await js.key_value(wire.JOBS)
        try:
            names = await jobs.keys()
        except NoKeysError:
            names = []
        for gone in set(self._benches) - set(names):
            del self._benches[gone]
        for name in sorted(set(names) - set(self._benches) - set(self._refused)):
            entry = await jobs.get(name)
            job = msgspec.json.decode(entry.value or b"", type=Job)
            try:
                self._benches[name] = await self._join(js, job)
            except ClusterFailed as error:
                self._refused[name] = f"{error.code}: {error}"
                self._note(f"sweep {name} refused: {error.code}: {error}")
                refused = Refused(worker=self.name, code=error.code, message=str(error))
                await client.publish(wire.subject(name, "refusal"), msgspec.json.encode(refused))
            else:
                self._note(f"joined sweep {name}")

    async def _join(self, js: JetStreamContext, job: Job) -> _Bench:
        """Check that equal work is possible here. Raises `ClusterFailed` with the code of what differs."""
        if kernel_sha256() != job.kernel_sha256:
            raise ClusterFailed(
                "kernel_mismatch", f"kernel {kernel_sha256()[:16]} here, {job.kernel_sha256[:16]} wanted"
            )
        try:
            found = load_strategy(job.base.strategy or job.config.strategy).source_sha256
        except StrategyError as error:
            raise ClusterFailed("strategy_mismatch", str(error)) from error
        if found != job.strategy_sha256:
            raise ClusterFailed(
                "strategy_mismatch", f"{job.base.strategy} is not the coordinator's: sha256 {found[:16]}"
            )
        objects = await js.object_store(wire.DATA)
        shipped = await objects.get(job.data_sha256)
        bars = wire.unpack_bars(shipped.data or b"", job.data_sha256)
        beside = NOTHING
        if job.beside_sha256:
            sent = await objects.get(job.beside_sha256)
            beside = wire.unpack_beside(sent.data or b"", job.beside_sha256)
        tasks = await js.pull_subscribe_bind(wire.CONSUMER, wire.tasks_stream(job.sweep_id))
        return _Bench(job=job, field=Field(job.base, job.config, bars, beside), tasks=tasks)

    async def _take(self, js: JetStreamContext, bench: _Bench) -> bool:
        try:
            (message,) = await bench.tasks.fetch(1, timeout=LOOK_S)
        except (nats.errors.Error, TimeoutError):
            return False
        task = msgspec.json.decode(message.data, type=Task)
        beating = asyncio.get_running_loop().create_task(self._beat(message, bench.job.ack_wait_s / 3.0))
        try:
            answer = await asyncio.to_thread(self._answer, bench, task)
        finally:
            beating.cancel()
        try:
            await js.publish(
                wire.subject(bench.job.sweep_id, "result"),
                msgspec.json.encode(answer),
                headers={"Nats-Msg-Id": f"{bench.job.sweep_id}.{task.task_id}"},
            )
            # Only now: were we killed before, another worker answers, and the message id keeps one answer.
            await message.ack_sync()
        except (nats.errors.Error, NotFoundError, TimeoutError):
            self._note(f"task {task.task_id} was not taken: the sweep is over or the bus away")
            return True
        self._tasks += 1
        self._trials += len(task.trials)
        return True

    def _answer(self, bench: _Bench, task: Task) -> Answer:
        try:
            results = tuple(bench.field.results(task.trials, self._threads))
        except RunFailed as error:
            return self._failed(task, error.code, str(error))
        except Exception as error:  # a strategy may raise anything; the coordinator must hear of it
            return self._failed(task, "strategy_failed", f"{type(error).__name__}: {error}")
        return Answer(task_id=task.task_id, kernel_sha256=kernel_sha256(), worker=self.name, results=results)

    def _failed(self, task: Task, code: str, message: str) -> Answer:
        return Answer(
            task_id=task.task_id,
            kernel_sha256=kernel_sha256(),
            worker=self.name,
            code=code,
            message=message[:500],
        )

    async def _beat(self, message: Msg, every_s: float) -> None:
        """Tell the queue that the task is being worked on."""
        while True:
            await self._clock.sleep(every_s)
            with contextlib.suppress(nats.errors.Error):
                await message.in_progress()
