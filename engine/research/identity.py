"""Identity: hashes of what takes part in a run."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from native.identity import kernel_sha256

__all__ = ["git_commit", "kernel_sha256", "python_facts", "strategy_sha256"]
ROOT = Path(__file__).resolve().parents[2]


def strategy_sha256(
    name: str,
    params: Mapping[str, float],
    source_sha256: str,
    build_sha256: str = "",
    *,
    kernel: str = "",
) -> str:
    """Return the sha256 (hex) of a strategy: its name, parameters, source and build.

    The kernel's hash stands for the build: it runs compiled strategies and interprets the others. A
    forged strategy has a build of its own beside it. `kernel`: the hash to use, empty for the loaded one's.
    """
    kernel = kernel or kernel_sha256()
    build = f"{kernel} {build_sha256}" if build_sha256 else kernel
    parts = {"name": name, "params": dict(params), "source": source_sha256, "build": build}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def git_commit() -> str:
    """Return the commit of the checkout the code runs from, or `unknown` (an installed wheel)."""
    folder = ROOT / ".git"
    try:
        if folder.is_file():  # a worktree: its own head, and the references of the checkout it belongs to
            folder = Path(folder.read_text().removeprefix("gitdir: ").strip())
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        reference = head.removeprefix("ref: ")
        if (folder / "commondir").is_file():
            folder = folder / (folder / "commondir").read_text().strip()
        if (folder / reference).is_file():
            return (folder / reference).read_text().strip()
        packed = (folder / "packed-refs").read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.split(" ")[0] for line in packed if line.endswith(f" {reference}")), "unknown")


def python_facts() -> tuple[str, str]:
    """Return the interpreter's path and version."""
    return sys.executable, platform.python_version()
