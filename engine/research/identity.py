"""Identity: hashes of what takes part in a run."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import native.kernel

ROOT = Path(__file__).resolve().parents[2]


@cache
def kernel_sha256() -> str:
    """Return one sha256 (hex) over the loaded kernel's binaries, by name."""
    folder = Path(native.kernel.__file__).parent
    binaries = sorted(folder.glob("*.so"))
    assert binaries, "the kernel is compiled"
    lines = [
        f"{path.name.split('.')[0]} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in binaries
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def strategy_sha256(name: str, params: Mapping[str, float], source: str = "") -> str:
    """Return the sha256 (hex) of a strategy: its name, parameters and source.

    A compiled strategy has no source; the kernel's hash covers its code.
    """
    text = json.dumps(
        {"name": name, "params": dict(params), "source": source or kernel_sha256()}, sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def git_commit() -> str:
    """Return the commit of the checkout the code runs from, or `unknown` (an installed wheel)."""
    folder = ROOT / ".git"
    try:
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        reference = head.removeprefix("ref: ")
        if (folder / reference).is_file():
            return (folder / reference).read_text().strip()
        packed = (folder / "packed-refs").read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.split(" ")[0] for line in packed if line.endswith(f" {reference}")), "unknown")


def python_facts() -> tuple[str, str]:
    """Return the interpreter's path and version."""
    return sys.executable, platform.python_version()
