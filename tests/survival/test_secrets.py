"""Canary keys: after a day's work no file, output, screen, argument or environment holds one (I35, QL-62)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .live import ExchangeProcess, LiveRig
from .terminal import REPOSITORY, Terminal, surroundings

AUDIT = "canary-audit-0f6a2b7c41d94e5e9b1f3c8a"
DRILL = "canary-drill-7d1e55aa02c94b6c8f00d3e1"
HOOK = "canary-hook-93be1c60a7f24d0d"
COMMANDS = (
    "status --json", "health", "health --json", "check --json", "events --json", "alarms sinks --json",
    "status", "gates", "events", "config show --origin", "check", "keys", "doctor", "positions",
    "alarms list", "alarms sinks", "audit verify", "orders list", "tickets ls", "paper list",
    "limits show", "engine logs", "watchdog status", "incidents ls",
)  # fmt: skip


def forms(canary: str) -> Iterator[bytes]:
    """Yield a value as it may be written: plain, hexadecimal, and base64 at each of its three offsets."""
    plain = canary.encode()
    yield plain
    yield plain.hex().encode()
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + plain)
        yield coded[4:-4]


def held_in(data: bytes, canaries: dict[str, str]) -> list[str]:
    return [name for name, value in canaries.items() if any(form in data for form in forms(value))]


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


@pytest.fixture
def sealed_by_gpg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key ring of our own, for the engine as well."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    ring = tmp_path / "ring"
    ring.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(ring))
    words = [
        "gpg",
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-generate-key",
        "desk",
        "future-default",
    ]
    subprocess.run(words, capture_output=True, timeout=60, check=True)
    return tmp_path / "venue.key.gpg"


def seal(data: bytes, target: Path) -> None:
    words = ["gpg", "--batch", "--quiet", "--trust-model", "always", "-r", "desk", "--encrypt"]
    done = subprocess.run(words, input=data, capture_output=True, timeout=60, check=True)
    target.write_bytes(done.stdout)


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def output_of(command: str, environ: dict[str, str]) -> bytes:
    """Return all that a command writes; it may find fault with the desk, and must not fail."""
    words = [sys.executable, "-P", "-m", "interlock", *command.split()]
    done = subprocess.run(words, env=environ, cwd=REPOSITORY, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 1), f"{command}: {done.stderr.decode()}"
    return done.stdout + done.stderr


def screens(home: Path) -> bytes:
    """Return everything that a console paints on each of its screens."""
    terminal, painted = Terminal(home, "console"), b""
    try:
        terminal.wait_for(b"BTC-PERP")
        for key in "1234567890?":
            terminal.press(key.encode())
            until = time.monotonic() + 0.8
            while time.monotonic() < until:
                if select.select([terminal._master], [], [], 0.1)[0]:
                    painted += os.read(terminal._master, 1 << 16)
        return painted
    finally:
        terminal.close()


@pytest.mark.slow
async def test_no_canary_leaves_the_process_that_signs(tmp_path: Path, sealed_by_gpg: Path) -> None:
    """Keys from gpg, a credential and private files; a session, a kill, every command and screen."""
    exchange = ExchangeProcess(tmp_path / "exchange")
    rig = LiveRig(tmp_path / "home", exchange)
    try:
        body = Path(exchange.ready.keys["engine"]).read_bytes()
        canaries = {"venue": json.loads(body)["secret"], "audit": AUDIT, "drill": DRILL, "hook": HOOK}
        seal(body, sealed_by_gpg)
        (tmp_path / "credentials").mkdir(mode=0o700)
        private(tmp_path / "credentials" / "audit", AUDIT)
        (rig.home / "config").mkdir(parents=True)
        hook = private(tmp_path / "hook", f"http://127.0.0.1:9/{HOOK}")
        (rig.home / "config" / "interlock.yaml").write_text(
            f"alarms: {{sinks: {{log: {{kind: log}}, hook: {{kind: webhook, target: {hook}}}}}}}\n"
        )
        references = {
            "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"),
            "INTERLOCK_EXECUTION__VENUE_KEY_FILE": f"gpg:{sealed_by_gpg}",
            "INTERLOCK_RECORD__AUDIT_KEY_FILE": "credential:audit",
            "INTERLOCK_WATCHDOG__DRILL_KEY_FILE": private(tmp_path / "drill", DRILL),
        }
        client = await rig.start(**references)
        assert await rig.synced() == "clean"
        await rig.trade_live(client)
        await rig.kill(client)
        said = {"screens": await asyncio.to_thread(screens, rig.home)}
        environ = {**surroundings(rig.home), **rig.environ(), **references}
        for command in COMMANDS:
            said[f"interlock {command}"] = await asyncio.to_thread(output_of, command, environ)
        for pid in family(rig.pid):
            for name in ("environ", "cmdline"):
                said[f"{name} of {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes()
        await rig.kill_hard()
        said |= {str(path): path.read_bytes() for path in rig.home.rglob("*") if path.is_file()}
        assert len(said) > 60 and len(said["screens"]) > 10_000, "there was something to look at"
        assert {name: held for name, data in said.items() if (held := held_in(data, canaries))} == {}
        found = held_in(b"x" + base64.b64encode(b"ab" + AUDIT.encode()) + body, canaries)
        assert found == ["venue", "audit"], "the search must be able to find one"
    finally:
        await rig.close()
        exchange.close()
