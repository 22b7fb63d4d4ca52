"""The coordinator: hands a sweep's trials to workers over JetStream and takes each task's answer once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError, ObjectNotFoundError

from engine.research.identity import kernel_sha256
from engine.research.kernels import NOTHING
from engine.research.sweep import wire
from engine.research.sweep.plan import Plan
from engine.research.sweep.trials import Result, Trial
from engine.research.sweep.wire import Answer, ClusterFailed, Job, Refused, Task
from seams.clock import NS_PER_S, Clock

TASK_TRIALS, FLIP_TASK_TRIALS = 8, 256
ACK_WAIT_S, PATIENCE_S = 30.0, 120.0
FETCH, FETCH_S = 64, 0.5
Note = Callable[[str], None]


class ClusterExecutor:
    """An executor whose trials run on the workers that listen at `url`.

    Answers may come more than once and in any order: the first of a task counts, and the store refuses one
    that differs. `note` is told of workers that refuse. `patience_s`: how long tasks may wait for a worker.
    """

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        url: str,
        creds: Path | None,
        *,
        note: Note = lambda _: None,
        task_trials: int = 0,
        ack_wait_s: float = ACK_WAIT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._plan, self._clock, self._url, self._creds, self._note = plan, clock, url, creds, note
        self._task_trials = task_trials or (
            FLIP_TASK_TRIALS if plan.choice.strategy == "ema_cross" else TASK_TRIALS
        )
        self._ack_wait_s, self._patience_s = ack_wait_s, patience_s
        self._runner = asyncio.Runner()
        self._client: Client | None = None
        self._answers: JetStreamContext.PullSubscription | None = None
        self._lost: list[str] = []
        self._refusals: list[str] = []

    @property
    def _id(self) -> str:
        return self._plan.sweep_id

    def results(self, trials: Sequence[Trial]) -> Iterator[list[Result]]:
        """Yield results as they arrive. Raises `ClusterUnreachable` or `ClusterFailed`."""
        size = self._task_trials
        tasks = [wire.task_of(tuple(trials[first : first + size])) for first in range(0, len(trials), size)]
        self._runner.run(self._publish(tasks))
        open_tasks = {task.task_id for task in tasks}
        wanted = {trial.number for trial in trials}
        waiting_since = self._clock.monotonic_ns()
        while wanted:
            answers = self._runner.run(self._take())
            found = [result for each in answers for result in each.results if result.number in wanted]
            open_tasks -= {each.task_id for each in answers}
            wanted -= {result.number for result in found}
            if answers:
                waiting_since = self._clock.monotonic_ns()
            elif self._clock.monotonic_ns() - waiting_since > self._patience_s * NS_PER_S:
                self._runner.run(self._demand_work())
                waiting_since = self._clock.monotonic_ns()
            if found:
                yield found

    def close(self) -> None:
        """Take the sweep off the cluster: nobody begins another of its tasks."""
        try:
            if self._client is not None:
                self._runner.run(self._leave(self._client))
        finally:
            self._runner.close()

    async def _publish(self, tasks: Sequence[Task]) -> None:
        client = self._client or await self._join()
        js = client.jetstream()
        for task in tasks:
            await js.publish(
                wire.subject(self._id, "task"),
                msgspec.json.encode(task),
                headers={"Nats-Msg-Id": f"{self._id}.{task.task_id}"},
            )

    async def _join(self) -> Client:
        """Connect, ship the bars under their hash, make the streams, then announce the job."""
        client = self._client = await wire.connect(self._url, self._creds, f"sweep {self._id}")
        js = client.jetstream()
        try:
            await wire.ensure_stores(js)
        except nats.errors.Error as error:
            raise wire.ClusterUnreachable(f"the bus serves no JetStream to us: {error}") from error
        data_sha256 = await self._ship(js, wire.pack_bars(self._plan.searched))
        beside_sha256 = ""
        if self._plan.beside != NOTHING:
            beside_sha256 = await self._ship(js, wire.pack_beside(self._plan.beside))
        await wire.make_streams(js, self._id, self._ack_wait_s)
        await client.subscribe(wire.subject(self._id, "refusal"), cb=self._on_refusal)
        advisory = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{wire.tasks_stream(self._id)}.*"
        await client.subscribe(advisory, cb=self._on_lost)
        self._answers = await js.pull_subscribe(
            wire.subject(self._id, "result"), stream=wire.results_stream(self._id)
        )
        jobs = await js.key_value(wire.JOBS)
        await jobs.put(self._id, msgspec.json.encode(self._job(data_sha256, beside_sha256)))
        return client

    async def _ship(self, js: JetStreamContext, packed: bytes) -> str:
        """Put bytes where workers find them, once; return their hash."""
        sha256 = wire.digest(packed)
        objects = await js.object_store(wire.DATA)
        try:
            await objects.get_info(sha256)
        except ObjectNotFoundError:
            await objects.put(sha256, packed)
        return sha256

    def _job(self, data_sha256: str, beside_sha256: str) -> Job:
        bare = {"data": "", "name": ""}
        return Job(
            sweep_id=self._id,
            base=msgspec.structs.replace(self._plan.portable_base, **bare),  # type: ignore[type-var]
            config=self._plan.config,
            kernel_sha256=kernel_sha256(),
            strategy_sha256=self._plan.choice.source_sha256,
            data_sha256=data_sha256,
            beside_sha256=beside_sha256,
            ack_wait_s=self._ack_wait_s,
        )

    async def _take(self) -> list[Answer]:
        """Return the answers that have come, waiting a moment for the first."""
        assert self._answers is not None
        if self._lost:
            raise ClusterFailed(
                "cluster_stalled", f"{self._lost[0]} failed {wire.MAX_DELIVER} workers in turn"
            )
        try:
            messages = await self._answers.fetch(FETCH, timeout=FETCH_S)
        except (nats.errors.TimeoutError, TimeoutError):
            return []
        answers = []
        for message in messages:
            answer = msgspec.json.decode(message.data, type=Answer)
            if answer.code:
                raise ClusterFailed(answer.code, f"{answer.worker}: {answer.message}")
            if answer.kernel_sha256 != kernel_sha256():
                raise ClusterFailed("kernel_mismatch", f"{answer.worker} answered with another kernel")
            answers.append(answer)
            await message.ack()
        return answers

    async def _demand_work(self) -> None:
        """Nothing has come for long: fail unless some worker holds a task. Raises `ClusterFailed`."""
        assert self._client is not None
        info = await self._client.jetstream().consumer_info(wire.tasks_stream(self._id), wire.CONSUMER)
        if info.num_ack_pending:
            return
        why = f"; refused by {'; '.join(self._refusals)}" if self._refusals else ""
        raise ClusterFailed("cluster_stalled", f"no worker has taken a task for {self._patience_s:g} s{why}")

    async def _on_refusal(self, message: Msg) -> None:
        refused = msgspec.json.decode(message.data, type=Refused)
        text = f"{refused.worker}: {refused.code}: {refused.message}"
        if text not in self._refusals:
            self._refusals.append(text)
            self._note(f"refused by {text}")

    async def _on_lost(self, message: Msg) -> None:
        self._lost.append("a task")

    async def _leave(self, client: Client) -> None:
        js = client.jetstream()
        try:
            jobs = await js.key_value(wire.JOBS)
            await jobs.purge(self._id)
            for stream in (wire.tasks_stream(self._id), wire.results_stream(self._id)):
                await js.delete_stream(stream)
        except (nats.errors.Error, NotFoundError, TimeoutError):
            pass  # the bus is gone or was never complete; the next coordinator of this sweep makes them anew
        await client.close()
