"""A long run on record: one line of JSON for each batch of seeds, so that it may be stopped at any moment."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from engine.research.identity import git_commit
from engine.sim.faults import Fault
from engine.sim.runner import SANDBOX, SeedResult, run_many

BATCH = 20
COUNTS = ("seeds", "events", "faults", "crashes", "orders", "fills", "checks", "violations")
MORE_COUNTS = ("unknown", "dead", "wrongly_dead", "simulated_s", "wall_s", "cpu_s")
Report = dict[str, object]


def recorded(path: Path) -> list[Report]:
    """Return the batches on record; a line that was cut off while it was written does not count."""
    lines: list[Report] = []
    for raw in path.read_bytes().splitlines() if path.exists() else ():
        try:
            lines.append(msgspec.json.decode(raw, type=Report))
        except msgspec.MsgspecError:
            continue
    return lines


def run_on(
    path: Path,
    first: int,
    seeds: int,
    for_s: float,
    only: frozenset[Fault] | None,
    jobs: int,
    on_result: Callable[[SeedResult, float], None],
    venue: str = SANDBOX,
) -> Report:
    """Run batches from seed `first`, or from where the file ends, until `seeds` are done or `for_s` is over.

    Each batch is appended to `path` when it is done; returns the sum of all that stands there.
    """
    first = max([first, *(_int(line["last"]) + 1 for line in recorded(path))])
    ends_s, after = time.monotonic() + for_s, first + seeds
    commit = git_commit()
    while first < after and (not for_s or time.monotonic() < ends_s):
        batch = range(first, min(after, first + BATCH * jobs))
        did = run_many(batch, only, jobs, on_result, venue)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = {"at": at, "commit": commit, "venue": venue, "first": batch[0], "last": batch[-1], **did}
        with path.open("ab") as out:
            out.write(msgspec.json.encode(line) + b"\n")
        first = batch[-1] + 1
    return total(recorded(path))


def total(lines: Iterable[Report]) -> Report:
    """Add batches up: counts, faults by kind, what was broken, and how long doubt lasted."""
    sums: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    resolved_ms: list[int] = []
    broken: list[object] = []
    commits: dict[str, None] = {}
    for line in lines:
        commits[str(line["commit"])[:12]] = None
        for name in (*COUNTS, *MORE_COUNTS):
            count = line.get(name, 0)
            assert isinstance(count, int | float)
            sums[name] += count  # type: ignore[assignment]
        faults, took, told = line["faults_by_kind"], line.get("resolved_ms", []), line["broken"]
        assert isinstance(faults, Mapping) and isinstance(took, list) and isinstance(told, list)
        kinds.update(faults)
        resolved_ms += took
        broken += told
    return {
        **{name: round(sums[name], 1) for name in (*COUNTS, *MORE_COUNTS)},
        "faults_by_kind": dict(sorted(kinds.items())),
        **doubt_times(resolved_ms),
        "commits": list(commits),
        "broken": broken[:100],
    }


def doubt_times(resolved_ms: list[int]) -> dict[str, object]:
    """Return how long orders stayed UNKNOWN: median, 95th percentile and longest, in simulated seconds."""
    ordered = sorted(resolved_ms)
    if not ordered:
        return {"resolved": 0}
    at = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in SHARES}
    return {"resolved": len(ordered), **{name: ms / 1000 for name, ms in at.items()}}


SHARES = (("resolved_p50_s", 0.5), ("resolved_p95_s", 0.95), ("resolved_max_s", 1.0))


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
