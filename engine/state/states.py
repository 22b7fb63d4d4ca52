"""The states that a home has imported: `outputs/states/NAME.json`, each proved when it came in."""

from __future__ import annotations

import re
from pathlib import Path

from engine.research.choice import RunFailed
from engine.state.init_state import InitState, read_state, state_bytes
from engine.state.start import proved
from seams.disk import Disk

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
FOLDER = Path("outputs") / "states"
ID_CHARACTERS = 16


def import_state(
    path: Path, name: str, home: Path, disk: Disk, *, strategy: str = "", replaces: bool = False
) -> tuple[str, InitState, bool]:
    """Take a state into a home; return its name, the state, and whether it was new.

    Without a name it is called by its hash. The same state again changes nothing. Raises `OSError` or
    `RunFailed` (see `read_state`, `proved`; state_exists where the name is another state's), nothing written.
    """
    state = read_state(disk.read(path))
    proved(state, home, disk, strategy)
    name = name or state.state_sha256[:ID_CHARACTERS]
    place = _place(home, name)
    if disk.exists(place):
        if _is_same(disk.read(place), state):
            return name, state, False
        if not replaces:
            raise RunFailed("state_exists", f"{name} is another state")
    disk.make_folder(place.parent)
    disk.write_atomic(place, state_bytes(state))
    return name, state, True


def open_state(where: str, home: Path, disk: Disk) -> InitState:
    """Return a state by file, or by the name of an imported one. Raises as `stored_state`."""
    path = Path(where).expanduser()
    return _read(path, disk) if path.suffix == ".json" else stored_state(where, home, disk)


def stored_state(name: str, home: Path, disk: Disk) -> InitState:
    """Return an imported state. Raises `RunFailed`: unknown_state, or what `read_state` raises."""
    return _read(_place(home, name), disk)


def _read(path: Path, disk: Disk) -> InitState:
    try:
        return read_state(disk.read(path))
    except OSError as error:
        raise RunFailed(
            "unknown_state", f"no init state {path.name[:80]!r}: {type(error).__name__}"
        ) from error


def imported(home: Path, disk: Disk) -> tuple[tuple[str, InitState], ...]:
    """Return the imported states by name; what does not read is left out."""
    found = []
    for each in sorted(disk.list(home / FOLDER)):
        if each.endswith(".json"):
            try:
                found.append((each.removesuffix(".json"), read_state(disk.read(home / FOLDER / each))))
            except (RunFailed, OSError):
                continue
    return tuple(found)


def _place(home: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise RunFailed("unknown_state", f"{name[:80]!r} is no state's name")
    return home / FOLDER / f"{name}.json"


def _is_same(data: bytes, state: InitState) -> bool:
    try:
        return read_state(data).state_sha256 == state.state_sha256
    except RunFailed:
        return False
