"""Where alarms go besides the console: log, file, command, webhook. Each has its own queue and deadline.

A sink never holds up the engine or another sink. What it cannot deliver becomes a dead letter (a file, and
a count that is shown) and its failure is an alarm of its own, which goes to the other sinks.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import urllib.request
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from engine.api.views import AlarmRow, SinkRow, SinksView
from engine.config.settings import SinkBlock
from engine.core import Core
from safety.secrets import KeyReference, load_secret
from safety.text import clean
from seams.children import end_group
from seams.clock import NS_PER_MS, NS_PER_S, iso_z
from venues.types import Record

ATTEMPTS = 2
PAUSE_S = 0.5
FAILED = "alarm_sink_failed"
DIGEST_EVERY_NS = 600 * NS_PER_S
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ")
"""What of our environment a command sees: never a key, never a setting."""


class Letter(Record):
    """What a sink is given, as one JSON object. A digest of a flood has the code `alarm_flood`."""

    schema: str
    at: str
    at_ns: int
    epoch: int
    alarm_id: str
    code: str
    priority: int
    state: str
    subject: str
    message: str
    count: int
    consequence: str
    respond_within: str
    first_action: str
    runbook: str


class DeadLetter(Record):
    """A letter that no attempt delivered."""

    sink: str
    why: str
    letter: Letter


Deliver = Callable[[bytes], Awaitable[None]]


class Sink:
    """One destination: its queue, its worker, its counts."""

    def __init__(self, name: str, block: SinkBlock, core: Core) -> None:
        self.name, self.block, self._core = name, block, core
        self.queue: deque[Letter] = deque()
        self.has_work = asyncio.Event()
        self.delivered = self.failed = self.dead = 0
        self.last_error = ""
        self.slowest_ms = 0.0
        self._deliver = _DELIVERIES[block.kind](block, core)

    def put(self, letter: Letter) -> bool:
        """Queue a letter; False where the queue is full."""
        if len(self.queue) >= self.block.queue:
            return False
        self.queue.append(letter)
        self.has_work.set()
        return True

    async def work(self, bury: Callable[[Sink, Letter, str], None]) -> None:
        """Deliver what is queued, one after the other, until cancelled."""
        while True:
            while self.queue:
                letter = self.queue[0]
                why = await self._attempts(msgspec.json.encode(letter))
                self.queue.popleft()
                if why:
                    bury(self, letter, why)
                    continue
                self.delivered += 1
                took_ms = (self._core.clock.now_ns() - letter.at_ns) / NS_PER_MS
                self.slowest_ms = max(self.slowest_ms, took_ms)
                self.last_error = ""
                self._core.calm(FAILED, self.name)
            self.has_work.clear()
            await self.has_work.wait()

    async def _attempts(self, body: bytes) -> str:
        """Try to deliver; return why it failed, or nothing."""
        why = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._core.clock.sleep(PAUSE_S)
            try:
                await asyncio.wait_for(self._deliver(body), self.block.deadline_s)
                return ""
            except TimeoutError:
                why = f"no answer within {self.block.deadline_s:g} s"
            except Exception as error:  # a sink may fail in any way; none of them is the engine's end
                why = clean(f"{type(error).__name__}: {error}", 200)
            self.failed += 1
        return why


class Sinks:
    """All sinks of one engine."""

    def __init__(self, core: Core, blocks: Mapping[str, SinkBlock]) -> None:
        """Raises `Refusal` where a webhook's address file cannot be used."""
        self._core = core
        self.all = [Sink(name, block, core) for name, block in sorted(blocks.items())]
        self._held: Counter[str] = Counter()
        self._digest_ns = 0
        self._tasks: list[asyncio.Task[None]] = []
        core.alarms.on_ring.append(self.ring)

    def start(self) -> None:
        """Begin to deliver."""
        self._tasks = [
            asyncio.create_task(sink.work(self._bury), name=f"sink {sink.name}") for sink in self.all
        ]

    async def close(self, seconds: float = 1.0) -> None:
        """Give what is queued a last moment, then stop."""
        ends = self._core.clock.monotonic_ns() + round(seconds * NS_PER_S)
        while any(sink.queue for sink in self.all) and self._core.clock.monotonic_ns() < ends:
            await self._core.clock.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def ring(self, row: AlarmRow) -> None:
        """Pass an alarm on. In a flood only priority 1 goes singly; the rest are counted for a digest."""
        if self._core.alarms.is_flooding and row.priority > 1:
            self._held[row.code] += 1
            return
        self._spread(self._letter(row))

    def tend(self) -> None:
        """Send the digest of a flood when it ends, and every ten minutes of it; call about once a second."""
        now_ns = self._core.clock.monotonic_ns()
        if not self._held or (self._core.alarms.is_flooding and now_ns - self._digest_ns < DIGEST_EVERY_NS):
            return
        self._digest_ns = now_ns
        counts = ", ".join(f"{code} {count}" for code, count in self._held.most_common(12))
        self._held.clear()
        self._spread(
            Letter(
                schema="interlock.alarm.v1",
                at=iso_z(self._core.clock.now_ns()),
                at_ns=self._core.clock.now_ns(),
                epoch=self._core.epoch,
                alarm_id="",
                code="alarm_flood",
                priority=2,
                state="UNACK",
                subject="desk",
                message=f"held back in a flood: {counts}",
                count=1,
                consequence="More rings than a person can handle",
                respond_within="10 minutes",
                first_action="Work by priority; look at interlock alarms ls",
                runbook="alarms.md",
            )
        )

    def view(self) -> SinksView:
        """Return what each sink has done."""
        return SinksView(at_ns=self._core.clock.now_ns(), rows=tuple(_row(sink) for sink in self.all))

    def _letter(self, row: AlarmRow) -> Letter:
        now_ns = self._core.clock.now_ns()
        facts = {name: getattr(row, name) for name in _COPIED}
        return Letter(
            schema="interlock.alarm.v1", at=iso_z(now_ns), at_ns=now_ns, epoch=self._core.epoch, **facts
        )

    def _spread(self, letter: Letter) -> None:
        for sink in self.all:
            is_own_failure = letter.code == FAILED and letter.subject == sink.name
            if letter.priority <= sink.block.min_priority and not is_own_failure and not sink.put(letter):
                self._bury(sink, letter, "its queue is full")

    def _bury(self, sink: Sink, letter: Letter, why: str) -> None:
        sink.dead += 1
        sink.last_error = why
        core = self._core
        line = msgspec.json.encode(DeadLetter(sink=sink.name, why=why, letter=letter)) + b"\n"
        try:
            core.disk.make_folder(core.paths.alarms)
            core.disk.append(core.paths.alarms / "dead_letters.jsonl", line)
        except OSError as error:
            core.events.add("dead_letter_not_kept", "eng", f"{sink.name}: {error}")
        core.alarm(FAILED, sink.name, "eng", f"{letter.code} {letter.subject} not delivered: {why}")


_COPIED = ("alarm_id", "code", "priority", "state", "subject", "message", "count", "consequence",
           "respond_within", "first_action", "runbook")  # fmt: skip


def _row(sink: Sink) -> SinkRow:
    return SinkRow(
        name=sink.name,
        kind=sink.block.kind,
        state="failed" if sink.last_error else "ok",
        queued=len(sink.queue),
        delivered=sink.delivered,
        failed=sink.failed,
        dead=sink.dead,
        slowest_ms=round(sink.slowest_ms, 1),
        last_error=sink.last_error,
    )


def _to_log(block: SinkBlock, core: Core) -> Deliver:
    async def deliver(body: bytes) -> None:
        sys.stderr.write(f"alarm {body.decode()}\n")
        sys.stderr.flush()

    return deliver


def _to_file(block: SinkBlock, core: Core) -> Deliver:
    path = Path(block.target).expanduser()

    async def deliver(body: bytes) -> None:
        await asyncio.to_thread(core.disk.append, path, body + b"\n")

    return deliver


def _to_command(block: SinkBlock, core: Core) -> Deliver:
    words = shlex.split(block.target)

    async def deliver(body: bytes) -> None:
        environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        quiet = asyncio.subprocess.DEVNULL
        child = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=quiet,
            stderr=quiet,
            env=environ,
            start_new_session=True,
        )
        try:
            await child.communicate(body)
        finally:
            if child.returncode is None:
                await end_group(child)
        if child.returncode:
            raise OSError(f"{words[0]} ended with {child.returncode}")

    return deliver


def _to_webhook(block: SinkBlock, core: Core) -> Deliver:
    """The address may hold a token, so it is kept in a 0600 file and never shown."""
    secret = load_secret(KeyReference(name="the webhook's address", path=block.target))
    parts = urlsplit(secret.reveal())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a webhook's address begins with https:// or http://")

    def post(body: bytes) -> None:
        request = urllib.request.Request(
            secret.reveal(), data=body, method="POST", headers={"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=block.deadline_s) as answer:
                status = answer.status
        except Exception as error:  # its words may quote the address
            raise OSError(f"webhook: {type(error).__name__} {getattr(error, 'code', '')}".rstrip()) from None
        if status >= 300:
            raise OSError(f"webhook answered {status}")

    async def deliver(body: bytes) -> None:
        await asyncio.to_thread(post, body)

    return deliver


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An alarm goes where the operator said, nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_DELIVERIES: Mapping[str, Callable[[SinkBlock, Core], Deliver]] = {
    "log": _to_log,
    "file": _to_file,
    "command": _to_command,
    "webhook": _to_webhook,
}
