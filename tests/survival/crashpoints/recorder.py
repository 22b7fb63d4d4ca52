"""Run a scenario under the shim and read what it wrote down."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
ACK = ".ack"
_HEAD = struct.Struct("<cIQQ")


class NoCompiler(Exception):
    """There is no gcc here, so nothing can be recorded."""


@dataclass(frozen=True)
class Op:
    """One change: `kind` as in shim.c, and `A` for a line that the scenario acknowledged."""

    kind: str
    path: str
    offset: int = 0
    data: bytes = b""


def build_shim(folder: Path) -> Path:
    """Compile the shim. Raises `NoCompiler`."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompiler("crash points need gcc (or cc) to build their recorder")
    made = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(made), str(source), "-ldl"], check=True
    )
    return made


def record(subject: str, root: Path, shim: Path, size: int) -> list[Op]:
    """Run a subject's scenario below `root` and return its operations. Raises where the scenario fails."""
    log = root.with_name(root.name + ".ops")
    root.mkdir(parents=True)
    words = [sys.executable, "-P", "-m", "tests.survival.crashpoints.scenario", subject, str(root), str(size)]
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("INTERLOCK_")},
        "PYTHONPATH": str(REPOSITORY),
        "LD_PRELOAD": str(shim),
        "CRASHPOINTS_ROOT": str(root),
        "CRASHPOINTS_LOG": str(log),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(words, env=environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"scenario {subject} failed:\n{done.stderr[-2000:]}")
    return parse(log.read_bytes(), str(root) + "/")


def parse(data: bytes, root: str) -> list[Op]:
    """Read a log; paths become relative to the scenario's folder."""
    ops, at = [], 0
    while at < len(data):
        kind, length, offset, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        path = data[at : at + length].decode()
        body = data[at + length : at + length + size]
        at += length + size
        name = path.removeprefix(root) if path.startswith(root) else ""
        if name == ACK:
            if kind == b"W":
                ops.append(Op("A", "", 0, body.strip()))
            continue
        if kind == b"R":
            body = body.decode().removeprefix(root).encode()
        ops.append(Op(kind.decode(), name, offset, body))
    return ops
