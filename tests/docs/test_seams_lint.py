"""Time, chance, names, sockets and files enter through the seams, or stand in the table below."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("interlock.py", "native", "safety", "venues", "engine", "console", "config")
SEALED_MODULES = {
    "time": "time",
    "random": "chance",
    "secrets": "chance",
    "uuid": "names",
    "socket": "socket",
}
SEALED_CALLS = {
    ("datetime", "now"): "time",
    ("datetime", "utcnow"): "time",
    ("datetime", "today"): "time",
    ("date", "today"): "time",
    ("os", "urandom"): "chance",
    ("os", "open"): "file",
}
WRITERS = ("write_text", "write_bytes")

ALLOWED: dict[tuple[str, str], str] = {
    ("engine/api/feed.py", "file"): "the log is handed to a new process as a descriptor",
    ("engine/api/launch.py", "file"): "the log is handed to a new process as a descriptor, and tailed",
    ("console/cli/app.py", "file"): "after a broken pipe, stdout is pointed at the null device",
    ("console/cli/reference.py", "file"): "a developer's tool that writes generated documents",
    ("engine/api/sandbox.py", "file"): "the log is handed to a new process as a descriptor",
    ("engine/rehearsal.py", "file"): "the log is handed to new processes as a descriptor",
    ("engine/bus.py", "file"): "the pinned server binary is hashed as a stream before it is run",
    ("engine/bus.py", "socket"): "a free loopback port is found for the private bus server",
    (
        "engine/feed/questions.py",
        "file",
    ): "a socket is named by its folder's descriptor: 108 bytes at most",
    ("engine/journal.py", "file"): "a finished HDF5 journal is hashed as a stream; it may not fit in memory",
    ("engine/lock.py", "file"): "an advisory lock lives on an open descriptor",
    ("engine/research/artifacts.py", "file"): "an evidence folder is written whole or not at all, and synced",
    ("console/cli/sim.py", "file"): "the trace goes where the user says",
    (
        "engine/sim/runner.py",
        "time",
    ): "how long a simulation took, told to the user; nothing in it depends on it",
    ("engine/sim/campaign.py", "time"): "a campaign of simulations is bounded and dated by the user's clock",
    ("engine/sim/campaign.py", "file"): "what a campaign did goes where the user says",
    ("engine/sim/kills.py", "time"): "how long a simulation took, told to the user",
    ("engine/store/store.py", "file"): "SQLite needs its file made with mode 0600 before it opens it",
    ("native/selfcheck.py", "chance"): "seeded cases for comparing compiled with interpreted code",
    ("safety/beat.py", "file"): "a beat is a shared memory map; the watchdog reads it with the engine frozen",
    ("safety/killbyte.py", "file"): "the kill byte is a shared memory map; it must work with no engine",
    ("safety/state_page.py", "file"): "the shared state is a memory map that other processes read",
    ("safety/secrets.py", "file"): "a secret is opened without following links, then judged by its mode",
}
"""(file, what) -> why it may pass the seams by."""


def breaches(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what) for everything in a module that goes past the seams."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in SEALED_MODULES:
                    yield node.lineno, SEALED_MODULES[alias.name]
        elif isinstance(node, ast.ImportFrom) and node.module in SEALED_MODULES:
            yield node.lineno, SEALED_MODULES[node.module]
        elif isinstance(node, ast.Call) and (what := _judge(node)):
            yield node.lineno, what


def _judge(call: ast.Call) -> str:
    target = call.func
    if isinstance(target, ast.Name):
        return "file" if target.id == "open" else ""
    if not isinstance(target, ast.Attribute):
        return ""
    owner = target.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    if what := SEALED_CALLS.get((name, target.attr), ""):
        return what
    if target.attr in WRITERS:
        return "file"
    return "file" if target.attr == "open" and _opens_a_file(call) else ""


def _opens_a_file(call: ast.Call) -> bool:
    """Tell `path.open("rb")` from `tickets.open()`: a mode or an encoding is named."""
    has_mode = any(
        isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and set(value.value) <= set("rwaxbt+")
        for value in call.args
    )
    return has_mode or any(keyword.arg in ("mode", "encoding") for keyword in call.keywords)


def _modules() -> list[Path]:
    found = [ROOT / room for room in ROOMS if room.endswith(".py")]
    for room in ROOMS:
        found += [path for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts]
    return sorted(found)


def _found() -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for path in _modules():
        for line, what in breaches(path.read_text(encoding="utf-8")):
            found.setdefault((path.relative_to(ROOT).as_posix(), what), []).append(line)
    return found


def test_nothing_goes_past_the_seams() -> None:
    assert {place: lines for place, lines in _found().items() if place not in ALLOWED} == {}


def test_every_exception_is_still_needed() -> None:
    found = _found()
    assert [place for place in ALLOWED if place not in found] == []
    assert all(len(reason) > 20 for reason in ALLOWED.values())


def test_the_lint_sees_what_it_must_see() -> None:
    source = (
        "import time\nfrom random import Random\nimport socket\nnow = datetime.datetime.now()\n"
        "os.urandom(8)\nopen('x')\npath.write_text('y')\npath.open('rb')\nuuid.uuid4()\nimport uuid\n"
        "tickets.open()\nclock.now_ns()\n"
    )
    assert sorted(breaches(source)) == [
        (1, "time"), (2, "chance"), (3, "socket"), (4, "time"), (5, "chance"), (6, "file"), (7, "file"),
        (8, "file"), (10, "names"),
    ]  # fmt: skip
