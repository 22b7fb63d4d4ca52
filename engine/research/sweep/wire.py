"""What coordinator and workers of a cluster say to each other, and the streams it goes through.

ILK_SWEEPS (key-value)             sweep id -> Job
ILK_SWEEP_DATA (objects)           sha256 of the bytes -> packed bars, and what stands beside them
ILK_SWEEP_<id>_TASKS (work queue)  Task, taken by one worker at a time, acknowledged explicitly
ILK_SWEEP_<id>_RESULTS (stream)    Answer, one for each task: the message id is the task's
ilk.sweep.<id>.refusal (subject)   Refused: a worker that will not take part, and why
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import nats
import numpy as np
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    KeyValueConfig,
    RetentionPolicy,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError

from engine.api.endpoint import read_credential
from engine.market.catalogue import BarColumns
from engine.market.funding import DTYPE, FundingWindow
from engine.research.kernels import Beside
from engine.research.request import RunRequest
from engine.research.schemas import RunConfig
from engine.research.sweep.trials import Result, Trial
from venues.types import Record

JOBS, DATA, CONSUMER = "ILK_SWEEPS", "ILK_SWEEP_DATA", "workers"
MAX_DELIVER = 5
DUPLICATE_WINDOW_S = 3600.0
CONNECT_S = 5.0
COLUMNS = (("ts_ns", "<i8"), ("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("close", "<f8"),
           ("volume", "<f8"))  # fmt: skip


class ClusterUnreachable(ConnectionError):
    """The cluster's bus cannot be reached or does not serve JetStream; `code` is cluster_unreachable."""

    code = "cluster_unreachable"


class ClusterFailed(Exception):
    """The cluster cannot finish the sweep; `code` says why (a reason code)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Job(Record):
    """A sweep as workers need to know it; the hashes are what they must have themselves, or are sent.

    `ack_wait_s`: a task whose worker is silent for so long goes to another.
    """

    sweep_id: str
    base: RunRequest
    config: RunConfig
    kernel_sha256: str
    strategy_sha256: str
    data_sha256: str
    ack_wait_s: float
    beside_sha256: str = ""


class Task(Record):
    """Trials to evaluate together; `task_id` is the same whenever the same trials are asked for."""

    task_id: str
    trials: tuple[Trial, ...]


class Answer(Record):
    """A task's results, or why it cannot be done anywhere (`code`, `message`)."""

    task_id: str
    kernel_sha256: str
    worker: str
    results: tuple[Result, ...] = ()
    code: str = ""
    message: str = ""


class Refused(Record):
    """A worker refuses a sweep: kernel_mismatch, strategy_mismatch or data_mismatch."""

    worker: str
    code: str
    message: str


class PackedHead(Record):
    """The first line of packed bars; the columns follow as little-endian 8-byte numbers."""

    count: int
    interval_ns: int
    content_sha256: str


def task_of(trials: tuple[Trial, ...]) -> Task:
    """Make a task; its id names its trials."""
    digest = hashlib.sha256(msgspec.json.encode(trials)).hexdigest()[:16]
    return Task(task_id=f"{trials[0].number}-{trials[-1].number}-{digest}", trials=trials)


def tasks_stream(sweep_id: str) -> str:
    return f"ILK_SWEEP_{sweep_id}_TASKS"


def results_stream(sweep_id: str) -> str:
    return f"ILK_SWEEP_{sweep_id}_RESULTS"


def subject(sweep_id: str, what: str) -> str:
    """Return the subject of a sweep's `task`, `result` or `refusal` messages."""
    return f"ilk.sweep.{sweep_id}.{what}"


def pack_bars(bars: BarColumns) -> bytes:
    """Return bars as bytes with their head."""
    head = PackedHead(count=len(bars), interval_ns=bars.interval_ns, content_sha256=bars.content_sha256)
    columns = [np.ascontiguousarray(getattr(bars, name), dtype=kind).tobytes() for name, kind in COLUMNS]
    return b"".join([msgspec.json.encode(head), b"\n", *columns])


def unpack_bars(data: bytes, sha256: str) -> BarColumns:
    """Read packed bars. Raises `ClusterFailed` with `data_mismatch` when they are not those of `sha256`."""
    if (found := digest(data)) != sha256:
        raise ClusterFailed("data_mismatch", f"the shipped bars hash to {found[:16]}, not {sha256[:16]}")
    line, _, body = data.partition(b"\n")
    head = msgspec.json.decode(line, type=PackedHead)
    columns: dict[str, Any] = {
        name: np.frombuffer(body, kind, head.count, offset=index * 8 * head.count).copy()
        for index, (name, kind) in enumerate(COLUMNS)
    }
    return BarColumns(interval_ns=head.interval_ns, content_sha256=head.content_sha256, **columns)


class BesideHead(Record):
    """The first line of what stands beside the bars: the bytes of each part, and the payments' facts."""

    payments: int
    sub_bars: int
    from_marks: int = 0
    missing: int = 0
    assumption: str = ""
    content_sha256: str = ""


def pack_beside(beside: Beside) -> bytes:
    """Return payments and finer bars as bytes with their head."""
    funding, sub_bars, _ = beside
    payments = b"" if funding is None else funding.payments.tobytes()
    bars = b"" if sub_bars is None else pack_bars(sub_bars)
    head = BesideHead(payments=len(payments), sub_bars=len(bars))
    if funding is not None:
        head = BesideHead(
            payments=len(payments),
            sub_bars=len(bars),
            from_marks=funding.from_marks,
            missing=funding.missing,
            assumption=funding.assumption,
            content_sha256=funding.content_sha256,
        )
    return b"".join([msgspec.json.encode(head), b"\n", payments, bars])


def unpack_beside(data: bytes, sha256: str) -> Beside:
    """Read what `pack_beside` made. Raises `ClusterFailed` with `data_mismatch` as `unpack_bars` does."""
    if (found := digest(data)) != sha256:
        raise ClusterFailed("data_mismatch", f"what was shipped beside hashes to {found[:16]}")
    line, _, body = data.partition(b"\n")
    head = msgspec.json.decode(line, type=BesideHead)
    payments, bars = body[: head.payments], body[head.payments :]
    funding = None
    if head.content_sha256:
        funding = FundingWindow(
            payments=np.frombuffer(payments, DTYPE).copy(),
            from_marks=head.from_marks,
            missing=head.missing,
            assumption=head.assumption,
            content_sha256=head.content_sha256,
        )
    return Beside(funding, unpack_bars(bars, digest(bars)) if head.sub_bars else None)


def digest(data: bytes) -> str:
    """Return the sha256 (hex) under which bytes are shipped."""
    return hashlib.sha256(data).hexdigest()


async def connect(url: str, creds: Path | None, name: str) -> Client:
    """Open a connection that comes back by itself. Raises `ClusterUnreachable` or `PermissionError`."""
    options: dict[str, Any] = {}
    if creds is not None:
        credential = read_credential(creds)
        options = {"user": credential.user, "password": credential.password}

    async def ignore(_: Exception) -> None:
        """Errors show in the calls that meet them."""

    client = Client()
    opening = client.connect(
        url,
        name=name,
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        error_cb=ignore,
        **options,
    )
    try:
        # nats-py tries a dead address or a refused credential for ever; the deadline here is ours.
        await asyncio.wait_for(opening, CONNECT_S)
    except (nats.errors.Error, OSError, TimeoutError) as error:
        await client.close()
        raise ClusterUnreachable(f"no bus at {_bare(url)}: {type(error).__name__} {error}") from error
    return client


async def ensure_stores(js: JetStreamContext) -> None:
    """Make the two stores that all sweeps share, where they are missing."""
    # Bad request: it is there with settings of its own, which is as good.
    with contextlib.suppress(BadRequestError):
        await js.create_key_value(KeyValueConfig(bucket=JOBS, history=1))
    with contextlib.suppress(BadRequestError):
        await js.create_object_store(DATA)


async def make_streams(js: JetStreamContext, sweep_id: str, ack_wait_s: float) -> None:
    """Make an empty task queue with its consumer, and the stream of results where it is missing."""
    with contextlib.suppress(NotFoundError):
        await js.delete_stream(tasks_stream(sweep_id))
    await js.add_stream(
        StreamConfig(
            name=tasks_stream(sweep_id),
            subjects=[subject(sweep_id, "task")],
            retention=RetentionPolicy.WORK_QUEUE,
            duplicate_window=DUPLICATE_WINDOW_S,
        )
    )
    await js.add_consumer(
        tasks_stream(sweep_id),
        ConsumerConfig(
            durable_name=CONSUMER,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ack_wait_s,
            max_deliver=MAX_DELIVER,
        ),
    )
    await js.add_stream(
        StreamConfig(
            name=results_stream(sweep_id),
            subjects=[subject(sweep_id, "result")],
            duplicate_window=DUPLICATE_WINDOW_S,
        )
    )


def _bare(url: str) -> str:
    """Leave out user and password."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
