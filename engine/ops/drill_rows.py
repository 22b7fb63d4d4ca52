"""The last drill of each kind as it is shown: its figures, and whether it counts at an instant."""

from __future__ import annotations

from pathlib import Path

from engine.api.drills import DRILL_KINDS, DrillFigure, DrillRow
from engine.ops.drill_evidence import DAY_NS, MAX_AGE_DAYS, SealedDrill, newest_drills, problem_of
from safety.reasons import Refusal
from safety.secrets import Secret
from seams.disk import Disk


def drill_rows(
    outputs: Path, disk: Disk, now_ns: int, kernel_sha256: str, key: Secret | Refusal | None
) -> tuple[DrillRow, ...]:
    """Return a row for each kind, of the drills that had begun by `now_ns` (UTC).

    `key` proves who signed them; a `Refusal` is why it cannot be used: then none counts.
    """
    newest = newest_drills(outputs, disk, now_ns)
    return tuple(
        _row(kind, *newest.get(kind, ("", None)), now_ns, kernel_sha256, key) for kind in DRILL_KINDS
    )


def _row(
    kind: str,
    file: str,
    found: SealedDrill | None,
    now_ns: int,
    kernel_sha256: str,
    key: Secret | Refusal | None,
) -> DrillRow:
    if isinstance(key, Refusal):
        problem = key.code
    else:
        problem = problem_of(file, found, now_ns, kernel_sha256, key)
    if found is None:
        return DrillRow(kind=kind, problem=problem, began_ns=0, days_left=0.0, operator="", reason="",
                        is_signed=False, said="", figures=(), file=file)  # fmt: skip
    drill = found.drill
    left = MAX_AGE_DAYS - (now_ns - drill.began_ns) / DAY_NS
    return DrillRow(
        kind=kind,
        problem=problem,
        began_ns=drill.began_ns,
        days_left=0.0 if problem else round(left, 1),
        operator=drill.operator,
        reason=drill.reason,
        is_signed=bool(found.signature),
        said=drill.problem,
        figures=tuple(
            DrillFigure(name=goal.name, value=goal.value, at_most=goal.at_most, is_met=goal.is_met)
            for goal in drill.goals
        ),
        file=file,
    )
