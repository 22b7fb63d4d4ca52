"""The managed bus against a real nats-server: ports, deaths, roles and the stale-command trap."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.aio.msg import Msg

from engine.api import subjects
from engine.api.nats import NatsNet
from engine.bus import BusFailed, ManagedBus, find_server, join, verify_server
from seams.clock import SystemClock
from seams.disk import RealDisk
from seams.net import NetDown, NoAnswer
from tests.survival.patience import eventually


class Watched:
    """A started bus with its watcher running."""

    def __init__(self, run: Path) -> None:
        self.downs = self.ups = 0
        self.bus = ManagedBus(run, SystemClock(), on_down=self._down, on_up=self._up)

    def _down(self) -> None:
        self.downs += 1

    def _up(self) -> None:
        self.ups += 1

    async def connect(self, role: str = "engine") -> NatsNet:
        credential = self.bus.credentials[role]
        return await NatsNet.connect(self.bus.url, credential.user, credential.password, f"test-{role}")


@pytest_asyncio.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    kept = Watched(tmp_path / "run")
    await kept.bus.start()
    watcher = asyncio.create_task(kept.bus.watch())
    yield kept
    await kept.bus.stop()
    await asyncio.wait_for(watcher, 60)


async def until(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.01)


async def test_starts_within_two_seconds_with_private_files(tmp_path: Path) -> None:
    bus = ManagedBus(tmp_path / "run", SystemClock())
    for _ in range(5):  # a loaded host may take longer, but not each time
        began = time.monotonic()
        url = await bus.start()
        if time.monotonic() - began < 2.0:
            break
        await bus.stop()
    else:
        raise AssertionError("it never started within two seconds")
    assert url == f"nats://127.0.0.1:{bus.port}"
    for name in ("nats.conf", "engine.creds", "operator.creds", "observer.creds"):
        assert (tmp_path / "run" / name).stat().st_mode & 0o777 == 0o600
    await bus.stop()
    assert not bus.is_up


async def test_port_and_credentials_outlive_a_restart(tmp_path: Path) -> None:
    first = ManagedBus(tmp_path / "run", SystemClock())
    await first.start()
    await first.stop()
    second = ManagedBus(tmp_path / "run", SystemClock())
    await second.start()
    assert (second.port, second.credentials) == (first.port, first.credentials)
    await second.stop()


async def test_killed_server_is_back_on_its_port_and_clients_return(watched: Watched) -> None:
    engine, operator = await watched.connect("engine"), await watched.connect("operator")
    port, received = watched.bus.port, []

    async def answer(_: str, body: bytes) -> bytes:
        received.append(body)
        return b"done"

    await engine.subscribe(subjects.COMMAND, answer)
    await asyncio.sleep(0.05)
    assert await operator.request(subjects.COMMAND, b"one", 20) == b"done"
    os.kill(watched.bus.pid, signal.SIGKILL)
    await until(lambda: watched.ups == 1)
    assert (watched.bus.port, watched.bus.restarts, watched.downs) == (port, 1, 1)
    await until(lambda: engine.is_connected and operator.is_connected)
    await until(lambda: watched.bus.is_up)
    said: list[bytes] = []

    async def is_answered() -> bool:
        with suppress(NetDown):  # connected again, and what it listens to is not known yet
            said.append(await operator.request(subjects.COMMAND, b"two", 20))
        return bool(said)

    await eventually(is_answered)
    assert said == [b"done"]
    assert received == [b"one", b"two"]
    await operator.close()
    await engine.close()


async def test_command_sent_while_down_fails_at_once_and_never_executes_later(tmp_path: Path) -> None:
    kept = Watched(tmp_path / "run")
    await kept.bus.start()
    engine, operator = await kept.connect("engine"), await kept.connect("operator")
    received = []

    async def answer(_: str, body: bytes) -> bytes:
        received.append(body)
        return b"done"

    await engine.subscribe(subjects.COMMAND, answer)
    os.kill(kept.bus.pid, signal.SIGKILL)
    await until(lambda: not operator.is_connected)
    began = time.monotonic()
    with pytest.raises(NetDown):
        await operator.publish(subjects.COMMAND, b"stale")
    with pytest.raises((NetDown, NoAnswer)):
        await operator.request(subjects.COMMAND, b"stale", 0.3)
    assert time.monotonic() - began < 10.0
    watcher = asyncio.create_task(kept.bus.watch())
    await until(lambda: engine.is_connected and operator.is_connected)
    await asyncio.sleep(1.0)
    assert received == []
    await operator.close()
    await engine.close()
    await kept.bus.stop()
    await watcher


@pytest.mark.parametrize("turns", range(8))
async def test_a_connection_closes_quietly_at_every_moment_of_its_loss(tmp_path: Path, turns: int) -> None:
    """The client library cancels its own reconnection while closing: that is nobody's cancellation."""
    kept = Watched(tmp_path / "run")
    await kept.bus.start()
    net = await kept.connect("operator")
    os.kill(kept.bus.pid, signal.SIGKILL)
    while net.is_connected:  # noqa: ASYNC110 - the very turn of the loop counts
        await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    began = time.monotonic()
    await net.close()
    assert time.monotonic() - began < 30.0
    with pytest.raises(NetDown):
        await net.publish(subjects.COMMAND, b"late")
    await kept.bus.stop()


async def test_a_close_that_is_cancelled_says_so(watched: Watched) -> None:
    net = await watched.connect("operator")
    closing = asyncio.create_task(net.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing


async def test_observer_may_ask_and_kill_but_not_command(watched: Watched) -> None:
    engine, observer = await watched.connect("engine"), await watched.connect("observer")
    received = []

    async def answer(subject: str, _: bytes) -> bytes:
        received.append(subject)
        return b"answer"

    for subject in (subjects.COMMAND, subjects.KILL, subjects.QUERY):
        await engine.subscribe(subject, answer)
    await asyncio.sleep(0.05)
    with pytest.raises((NetDown, NoAnswer)):
        await observer.request(subjects.COMMAND, b"{}", 0.2)
    assert await observer.request(subjects.KILL, b"{}", 20) == b"answer"
    await observer.publish(subjects.view("status"), b"forged")
    assert await observer.request(subjects.QUERY, b"{}", 20) == b"answer"
    assert received == [subjects.KILL, subjects.QUERY]
    await observer.close()
    await engine.close()


async def test_request_without_an_answer_is_unknown_not_unsent(watched: Watched) -> None:
    engine, operator = await watched.connect("engine"), await watched.connect("operator")

    async def silent(_: str, __: bytes) -> None:
        return None

    await engine.subscribe(subjects.COMMAND, silent)
    await asyncio.sleep(0.05)
    try:
        with pytest.raises(NoAnswer):
            await operator.request(subjects.COMMAND, b"{}", 0.2)
    finally:
        await operator.close()
        await engine.close()


async def test_stranger_is_refused(watched: Watched) -> None:
    with pytest.raises((NetDown, TimeoutError)):
        await asyncio.wait_for(NatsNet.connect(watched.bus.url, "engine", "guess", "test"), 1)


async def test_two_homes_live_side_by_side(tmp_path: Path) -> None:
    one, two = (ManagedBus(tmp_path / name, SystemClock()) for name in ("one", "two"))
    await one.start()
    await two.start()
    assert one.port != two.port
    assert one.credential.password != two.credential.password
    with pytest.raises((NetDown, TimeoutError)):
        await asyncio.wait_for(NatsNet.connect(two.url, "engine", one.credential.password, "test"), 1)
    await one.stop()
    await two.stop()


async def test_existing_server_is_joined_by_url(watched: Watched, tmp_path: Path) -> None:
    joined = join(watched.bus.url, tmp_path / "run" / "engine.creds")
    assert await joined.start() == watched.bus.url
    net = await NatsNet.connect(joined.url, joined.credential.user, joined.credential.password, "test")
    assert net.is_connected
    await net.close()
    await joined.stop()


async def test_server_dies_with_a_killed_engine(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom engine.bus import ManagedBus\n"
        "from seams.clock import SystemClock\n"
        "async def main():\n"
        "    bus = ManagedBus(Path(sys.argv[1]), SystemClock())\n"
        "    await bus.start()\n    print(bus.pid, flush=True)\n    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "run")]
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 60))
    assert _is_alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not _is_alive(pid))


async def test_a_taken_port_is_not_fought_over(tmp_path: Path) -> None:
    first = ManagedBus(tmp_path / "one", SystemClock())
    await first.start()
    (tmp_path / "two").mkdir()
    RealDisk().write_atomic(tmp_path / "two" / "nats.port", f"{first.port}\n".encode())
    second = ManagedBus(tmp_path / "two", SystemClock())
    await second.start()
    assert second.port != first.port
    await second.stop()
    await first.stop()


def test_foreign_binary_is_refused(tmp_path: Path) -> None:
    forged = tmp_path / "nats-server"
    forged.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(BusFailed, match="pinned"):
        verify_server(forged)


def test_shipped_server_is_found_without_a_path() -> None:
    assert find_server({"PATH": ""}).name == "nats-server"


def test_server_on_the_path_comes_first(tmp_path: Path) -> None:
    own = tmp_path / "nats-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert find_server({"PATH": str(tmp_path)}) == own


async def test_server_that_cannot_start_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    bus = ManagedBus(tmp_path / "run", SystemClock(), server=broken)
    with pytest.raises(BusFailed, match="ended with 3"):
        await bus.start()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def test_watcher_keeps_trying_while_the_server_cannot_start(tmp_path: Path) -> None:
    server = tmp_path / "nats-server"
    server.symlink_to(find_server())
    bus = ManagedBus(tmp_path / "run", SystemClock(), server=server)
    await bus.start()
    port = bus.port
    watcher = asyncio.create_task(bus.watch())
    server.unlink()
    os.kill(bus.pid, signal.SIGKILL)
    await asyncio.sleep(0.5)
    assert not bus.is_up and not watcher.done()
    server.symlink_to(find_server())
    await until(lambda: bus.is_up)
    assert (bus.port, bus.restarts) == (port, 1)
    await bus.stop()
    await watcher


async def test_an_answer_in_the_turn_of_its_cancellation_does_not_swallow_it() -> None:
    """Found as a kill campaign that never ended: its time was up in the turn in which an answer came."""
    answered: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

    class Library(Client):
        async def request(self, subject: str, *_: object, timeout: float = 0.5, **__: object) -> Msg:
            return await asyncio.wait_for(answered, timeout)

    asked = asyncio.create_task(NatsNet(Library()).request("any", b"", 5.0))
    await asyncio.sleep(0.01)
    answered.set_result(Msg(_client=Library(), data=b"late"))
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
