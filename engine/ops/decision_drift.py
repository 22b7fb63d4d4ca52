"""Whether the desk decides otherwise than it used to: this week's decisions against the weeks before (QT-14).

What is compared is the share of each (intent category, outcome, first reason) among the decisions of the
audit log. The measure is the population stability index, PSI = sum((p - q) * ln(p / q)) with half a count
added to every share; 0.25 is the customary bound of a shift that somebody should explain.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from engine.core import Core
from safety.audit import DECISION
from safety.audit_chain import segments_of
from seams.clock import NS_PER_S
from seams.disk import Disk
from venues.types import Record

DAY_NS = 86_400 * NS_PER_S
WEEK_NS = 7 * DAY_NS
BASELINE_WEEKS = 4
SHIFT_PSI = 0.25
MIN_DECISIONS = 50
ALARM = "decision_drift"
_MARK = b'"kind":"' + DECISION.encode() + b'"'


class Share(Record):
    """How often one kind of decision was made: counts and shares of both periods, and its part of the PSI."""

    kind: str
    baseline: int
    week: int
    baseline_share: float
    week_share: float
    psi: float


class DecisionDrift(Record):
    """The comparison. `state` is steady, shifted, or too_few where a period has under 50 decisions."""

    state: str
    psi: float
    bound: float
    baseline_decisions: int
    week_decisions: int
    shares: tuple[Share, ...]


class _Line(msgspec.Struct):
    at_ns: int
    body: dict[str, object]


_LINE = msgspec.json.Decoder(_Line)


class DriftWatch:
    """Compares once a day, in a thread beside the main loop, and rings where the decisions have shifted."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._due_ns = core.clock.monotonic_ns()
        self._task: asyncio.Task[None] | None = None

    def tend(self) -> None:
        """Start a comparison where one is due; never waits."""
        now_ns = self._core.clock.monotonic_ns()
        if now_ns >= self._due_ns and (self._task is None or self._task.done()):
            self._due_ns = now_ns + DAY_NS
            self._task = asyncio.get_running_loop().create_task(self._compare(), name="decision drift")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _compare(self) -> None:
        core = self._core
        try:
            found = await asyncio.to_thread(decision_drift, core.disk, core.paths.audit, core.clock.now_ns())
        except (OSError, ValueError) as error:
            core.events.add("drift_unknown", "eng", f"{type(error).__name__}: {error}")
            return
        if found.state == "shifted":
            top = found.shares[0]
            moved = f"{top.kind} {top.baseline_share:.0%} -> {top.week_share:.0%}"
            core.alarm(ALARM, "desk", "eng", f"PSI {found.psi:.2f}, most of it: {moved}")
        else:
            core.calm(ALARM, "desk")


def decision_drift(disk: Disk, log: Path, now_ns: int) -> DecisionDrift:
    """Compare the last seven days with the four weeks before them. Raises `OSError` or `ValueError`."""
    week: Counter[str] = Counter()
    baseline: Counter[str] = Counter()
    for at_ns, kind in decisions(disk, log):
        age_ns = now_ns - at_ns
        if 0 <= age_ns < WEEK_NS:
            week[kind] += 1
        elif WEEK_NS <= age_ns < (1 + BASELINE_WEEKS) * WEEK_NS:
            baseline[kind] += 1
    return compared(baseline, week)


def compared(baseline: Mapping[str, int], week: Mapping[str, int]) -> DecisionDrift:
    """Judge two counts of decisions; the kinds that moved most stand first."""
    before, after = sum(baseline.values()), sum(week.values())
    kinds = sorted(baseline.keys() | week.keys())
    shares = [_share(kind, baseline.get(kind, 0), before, week.get(kind, 0), after, len(kinds))
              for kind in kinds]  # fmt: skip
    psi = sum(share.psi for share in shares)
    is_enough = min(before, after) >= MIN_DECISIONS
    return DecisionDrift(
        state="too_few" if not is_enough else "shifted" if psi >= SHIFT_PSI else "steady",
        psi=round(psi, 4),
        bound=SHIFT_PSI,
        baseline_decisions=before,
        week_decisions=after,
        shares=tuple(sorted(shares, key=lambda share: (-share.psi, share.kind))),
    )


def decisions(disk: Disk, log: Path) -> Iterator[tuple[int, str]]:
    """Yield time and kind of every decision in a log, oldest first; a line that is none of ours is passed."""
    for segment in segments_of(disk, log):
        for line in disk.read(segment).splitlines():
            if _MARK not in line:
                continue
            try:
                found = _LINE.decode(line)
            except msgspec.MsgspecError:
                continue
            yield found.at_ns, kind_of(found.body)


def kind_of(body: Mapping[str, object]) -> str:
    """Name a decision by category, outcome and the first reason of its policy result."""
    policy = body.get("policy_result")
    reasons = policy.get("reasons") if isinstance(policy, dict) else None
    reason = f" {reasons[0]}" if isinstance(reasons, list) and reasons else ""
    return f"{body.get('intent_category', '?')} {body.get('outcome', '?')}{reason}"


def _share(kind: str, before: int, all_before: int, after: int, all_after: int, kinds: int) -> Share:
    q = (before + 0.5) / (all_before + 0.5 * kinds)
    p = (after + 0.5) / (all_after + 0.5 * kinds)
    return Share(
        kind=kind,
        baseline=before,
        week=after,
        baseline_share=round(q, 4),
        week_share=round(p, 4),
        psi=(p - q) * math.log(p / q),
    )
