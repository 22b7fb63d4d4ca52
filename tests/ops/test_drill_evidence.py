"""A drill's evidence: goals, seals, and what a promotion gate makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.ops.drill_evidence import (
    DAY_NS,
    MAX_AGE_DAYS,
    Drill,
    SealedDrill,
    drill_blockers,
    drills_in,
    goals_of,
    is_intact,
    keep,
    seal,
)
from safety.canonical import changed
from safety.secrets import Secret
from seams.disk import RealDisk

NOW_NS = 1_790_000_000 * 10**9
KERNEL = "k" * 64
KEY = Secret("a key of the tests, long enough")


def drill(**words: object) -> Drill:
    made = Drill(
        kind="kill",
        scope="rehearsal",
        ok=True,
        problem="",
        operator="ada",
        reason="weekly",
        began_ns=NOW_NS,
        goals=goals_of({"blocked_ms": 3}, {"blocked_ms": 50}),
        facts={"cancels": 2},
        engine_version="0.1.0",
        commit="0" * 40,
        kernel_sha256=KERNEL,
    )
    return changed(made, **words)


def blockers(folder: Path, key: Secret | None = None, now_ns: int = NOW_NS + 1) -> tuple[str, ...]:
    return drill_blockers(folder, RealDisk(), now_ns, KERNEL, key, ("kill",))


def test_a_figure_that_is_missing_is_a_goal_not_met() -> None:
    (goal,) = goals_of({}, {"verified_ms": 5_000})
    assert not goal.is_met
    assert [g.is_met for g in goals_of({"a": 5, "b": 6}, {"a": 5, "b": 5})] == [True, False]


@pytest.mark.parametrize("key", [None, KEY])
def test_good_evidence_blocks_nothing_also_after_the_disk(tmp_path: Path, key: Secret | None) -> None:
    assert blockers(tmp_path, key) == ("drill_absent:kill",)
    keep(tmp_path, RealDisk(), seal(drill(), key))
    ((_, kept),) = drills_in(tmp_path, RealDisk())
    assert isinstance(kept, SealedDrill) and is_intact(kept, key)
    assert blockers(tmp_path, key) == ()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"ok": False}, "failed"),
        ({"goals": goals_of({"blocked_ms": 51}, {"blocked_ms": 50})}, "failed"),
        ({"kernel_sha256": "x" * 64}, "other_kernel"),
        ({"began_ns": NOW_NS - MAX_AGE_DAYS * DAY_NS}, "stale"),
        ({"began_ns": NOW_NS + DAY_NS}, "stale"),
    ],
)
def test_a_bad_old_or_foreign_drill_blocks(tmp_path: Path, words: dict[str, object], code: str) -> None:
    keep(tmp_path, RealDisk(), seal(drill(**words), None))
    assert blockers(tmp_path) == (f"drill_{code}:kill",)


def test_a_touched_file_or_one_without_the_key_s_signature_is_not_trusted(tmp_path: Path) -> None:
    path = keep(tmp_path, RealDisk(), seal(drill(), None))
    assert blockers(tmp_path, KEY) == ("drill_not_trusted:kill",)
    path.write_bytes(path.read_bytes().replace(b'"value":3.0', b'"value":2.0'))
    assert blockers(tmp_path) == ("drill_not_trusted:kill",)
    path.write_bytes(b"{")
    assert blockers(tmp_path) == ("drill_not_trusted:kill",)


def test_the_newest_drill_counts(tmp_path: Path) -> None:
    keep(tmp_path, RealDisk(), seal(drill(), None))
    keep(tmp_path, RealDisk(), seal(drill(ok=False, began_ns=NOW_NS + 10**9), None))
    assert blockers(tmp_path, now_ns=NOW_NS + 2 * 10**9) == ("drill_failed:kill",)
