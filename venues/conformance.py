"""Which adapters have passed the conformance suite, as their source stands now.

The suite (`tests/conformance`) writes the record; whoever selects a venue for real money reads it. An
adapter that was changed since, by one byte of it or of anything of ours that it imports, has not passed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from venues.types import Record

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "venues" / "conformance.json"
LEAST_CASES = 90
"""A record of fewer cases is of another, smaller suite."""
OURS = ("venues", "seams")
ADAPTERS = {
    "hyperliquid": "venues.hyperliquid",
    "kraken": "venues.kraken",
    "sandbox-exchange": "venues.sandbox.link",
    "template": "venues.template",
}
"""The venue that a key file names -> the package or module of its adapter."""


class Passed(Record):
    """One adapter that passed every case: what it was, what was asked, and what it was shown to lack."""

    sources_sha256: str
    suite_sha256: str
    cases: int
    refused: tuple[str, ...]
    """The cases in which the venue was shown to refuse what it has not."""


def sources_of(name: str, root: Path = ROOT) -> list[Path]:
    """Return the files of a package or module and of everything of ours that it imports, sorted.

    Raises `ValueError` where there is no such module.
    """
    waiting = _files_of(name, root)
    if not waiting:
        raise ValueError(f"there is no module {name}")
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for imported in _imports(path):
            waiting += [each for each in _module(imported, root) if each not in found]
    return sorted(found)


def digest(paths: list[Path], root: Path = ROOT) -> str:
    """Return the SHA-256 over names and contents of files, in their order."""
    whole = sha256()
    for path in paths:
        whole.update(f"{path.relative_to(root).as_posix()} ".encode())
        whole.update(sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def read_record(path: Path = RECORD) -> dict[str, Passed]:
    """Return the record: venue -> what it passed. Raises `ValueError` where there is none to read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Passed])
    except (OSError, msgspec.MsgspecError) as error:
        raise ValueError(f"no record of the conformance suite can be read: {error}") from error


def problem(venue: str, path: Path | None = None, root: Path = ROOT) -> str:
    """Return why a venue's adapter does not count as conformant; nothing where it does."""
    try:
        passed = read_record(RECORD if path is None else path).get(venue)
        if passed is None or venue not in ADAPTERS:
            return f"{venue} has never passed the suite"
        if passed.cases < LEAST_CASES:
            return f"{venue} passed {passed.cases} cases of at least {LEAST_CASES}"
        if passed.sources_sha256 != digest(sources_of(ADAPTERS[venue], root), root):
            return f"the adapter of {venue} was changed after it passed"
    except (ValueError, OSError, SyntaxError) as error:
        return str(error)
    return ""


def _files_of(name: str, root: Path) -> list[Path]:
    folder = root.joinpath(*name.split("."))
    return sorted(folder.rglob("*.py")) if folder.is_dir() else _module(name, root)


def _module(name: str, root: Path) -> list[Path]:
    """Return the file of a module and those of the packages above it, as far as they exist."""
    parts, found = name.split("."), []
    for count in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:count])
        found += [each for each in (place / "__init__.py", place.with_suffix(".py")) if each.is_file()]
    return found


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in OURS)
