"""What a drill leaves behind: figures against goals, sealed by hash and, with a key, by HMAC-SHA-256.

A promotion gate reads it: a drill counts for `MAX_AGE_DAYS`, on the very kernel it was made with, when
every goal was met and nobody has touched the file.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.api.drills import DRILL_KINDS as DRILL_KINDS
from safety.canonical import canonical, digest
from safety.secrets import Secret
from seams.clock import NS_PER_S, iso_z
from seams.disk import Disk
from venues.types import Record

DAY_NS = 86_400 * NS_PER_S
MAX_AGE_DAYS = 30
FOLDER = "drills"
UNSIGNED = ""


class Goal(Record):
    """One figure and the most it may be."""

    name: str
    value: float
    at_most: float
    is_met: bool


class Drill(Record):
    """One drill. Figures end in their unit; `scope` says on what it was made."""

    kind: str
    scope: str
    ok: bool
    problem: str
    operator: str
    reason: str
    began_ns: int
    goals: tuple[Goal, ...]
    facts: dict[str, int]
    engine_version: str
    commit: str
    kernel_sha256: str
    schema: str = "interlock.drill.v1"


class SealedDrill(Record):
    """A drill with its hash, and a signature where a key is configured."""

    drill: Drill
    sha256: str
    key_id: str = UNSIGNED
    signature: str = UNSIGNED


def goals_of(figures: Mapping[str, float], bounds: Mapping[str, float]) -> tuple[Goal, ...]:
    """Compare figures with their bounds; a figure that is missing is not met, at any bound."""
    return tuple(
        Goal(
            name=name,
            value=round(float(figures.get(name, -1.0)), 3),
            at_most=float(bound),
            is_met=0 <= figures.get(name, -1.0) <= bound,
        )
        for name, bound in bounds.items()
    )


def seal(drill: Drill, key: Secret | None) -> SealedDrill:
    """Return the drill with its hash, signed where there is a key."""
    if key is None:
        return SealedDrill(drill=drill, sha256=digest(drill))
    raw = key.reveal().encode()
    signature = hmac.new(raw, canonical(drill), hashlib.sha256).hexdigest()
    key_id = hashlib.sha256(b"interlock.drill.key_id" + raw).hexdigest()[:16]
    return SealedDrill(drill=drill, sha256=digest(drill), key_id=key_id, signature=signature)


def is_intact(sealed: SealedDrill, key: Secret | None) -> bool:
    """Tell whether nobody touched it; with a key, whether that key signed it."""
    if sealed.sha256 != digest(sealed.drill):
        return False
    return key is None or hmac.compare_digest(seal(sealed.drill, key).signature, sealed.signature)


def keep(outputs: Path, disk: Disk, sealed: SealedDrill) -> Path:
    """Write the evidence and return its path."""
    folder = outputs / FOLDER
    disk.make_folder(folder)
    path = folder / f"{_stamp(sealed.drill.began_ns)}_{sealed.drill.kind}.json"
    disk.write_atomic(path, canonical(sealed))
    return path


def _stamp(at_ns: int) -> str:
    """Write an instant as file names have it: they sort by time."""
    return iso_z(at_ns).replace("-", "").replace(":", "").replace(".", "_")


def drills_in(outputs: Path, disk: Disk) -> list[tuple[str, SealedDrill | None]]:
    """Return every drill kept, oldest first; None for what cannot be read."""
    found: list[tuple[str, SealedDrill | None]] = []
    for name in disk.list(outputs / FOLDER):
        if name.endswith(".json"):
            try:
                found.append(
                    (name, msgspec.json.decode(disk.read(outputs / FOLDER / name), type=SealedDrill))
                )
            except (OSError, msgspec.MsgspecError):
                found.append((name, None))
    return found


def drill_blockers(
    outputs: Path, disk: Disk, now_ns: int, kernel_sha256: str, key: Secret | None, kinds: tuple[str, ...]
) -> tuple[str, ...]:
    """Return why the drills block a promotion, one code for each kind that does; empty where none does."""
    newest = newest_drills(outputs, disk)
    return tuple(
        f"drill_{problem}:{kind}"
        for kind in kinds
        if (problem := problem_of(*newest.get(kind, ("", None)), now_ns, kernel_sha256, key))
    )


def newest_drills(
    outputs: Path, disk: Disk, by_ns: int | None = None
) -> dict[str, tuple[str, SealedDrill | None]]:
    """Return the last drill of each kind: its file, and None where it cannot be read.

    With `by_ns` (UTC) those that had begun by then; of one that cannot be read the name says when.
    """
    newest: dict[str, tuple[str, SealedDrill | None]] = {}
    last = None if by_ns is None else f"{_stamp(by_ns)}_~"
    for name, sealed in drills_in(outputs, disk):
        if last is not None and name > last:
            continue
        kind = sealed.drill.kind if sealed is not None else name.removesuffix(".json").rsplit("_", 1)[-1]
        newest[kind] = (name, sealed)
    return newest


def problem_of(
    file: str, sealed: SealedDrill | None, now_ns: int, kernel_sha256: str, key: Secret | None
) -> str:
    """Return why a drill does not count, or nothing; `file` is empty where there is none."""
    if not file:
        return "absent"
    if sealed is None or not is_intact(sealed, key):
        return "not_trusted"
    drill = sealed.drill
    if not 0 <= now_ns - drill.began_ns <= MAX_AGE_DAYS * DAY_NS:
        return "stale"
    if drill.kernel_sha256 != kernel_sha256:
        return "other_kernel"
    return "" if drill.ok and all(goal.is_met for goal in drill.goals) else "failed"
