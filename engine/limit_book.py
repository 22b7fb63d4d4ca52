"""The limits in force: lowered at once, raised after a cool-down, counted by epochs (C28, I24).

The cool-down is counted on the monotonic clock of this run: neither a step of the host's clock nor a
restart shortens it. What is in force is durable, so that a restart cannot loosen it either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from engine.config.risk import RiskBlock
from engine.soft_caps import SoftCaps
from engine.store.facts import FactRows
from engine.store.risk import RiskRows
from engine.store.rows import LimitsRecord
from safety.limits import (
    BLOCK_PREFIX,
    CAP_PREFIX,
    LOOSER,
    MAJOR_PREFIX,
    Change,
    Limits,
    LimitValue,
    applied,
    bounded,
    is_looser,
    limits_hash,
    looser_way,
    split,
)
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_S, Clock

_CAP_FIELDS = ("order_usd", "exposure_usd")


class Waiting(NamedTuple):
    """A raise that is not in force yet."""

    change: Change
    due_monotonic_ns: int


class Noted(NamedTuple):
    """Something that happened to a limit: `kind` is limit_lowered, limit_raise_pending, limit_raised,
    limit_raise_withdrawn or soft_cap_withdrawn."""

    kind: str
    change: Change


class LimitBook:
    """The desk's limits. `risk` is the risk block that everything must read."""

    def __init__(
        self, rows: RiskRows, clock: Clock, wanted: RiskBlock, facts: FactRows | None = None
    ) -> None:
        self._rows, self._clock, self._wanted = rows, clock, wanted
        self.soft = None if facts is None else SoftCaps(facts, wanted.soft_caps_generation)
        kept = rows.limits()
        self.waiting: dict[str, Waiting] = {}
        self.may_raise: Callable[[Change], bool] = lambda change: True
        """Whether a raise whose cool-down is over may come into force: two persons may have to sign it."""
        self.risk = wanted
        if kept is None:
            self.epoch, self._limits = 0, flat_limits(wanted)
            self._begin("the first start")
            return
        found = msgspec.json.decode(kept.body, type=dict[str, LimitValue])
        fresh = flat_limits(wanted)
        known = {name: value for name, value in found.items() if name in fresh or "/" in name}
        new = {name: value for name, value in fresh.items() if name in LOOSER and name not in known}
        self.epoch, self._limits = kept.epoch, {**known, **new}

    @property
    def sha256(self) -> str:
        """Return the hash of the limits in force."""
        return limits_hash(self._limits)

    def take(self, wanted: RiskBlock) -> list[Noted]:
        """Take up a wanted set: what is tighter holds now, what is looser begins to wait."""
        self._wanted = wanted
        soft, withdrawn = ({}, ()) if self.soft is None else (self.soft.limits, self.soft.take_withdrawn())
        found = split(self._limits, bounded(flat_limits(wanted), soft))
        notes = [Noted("soft_cap_withdrawn", change) for change in withdrawn]
        notes += [Noted("limit_lowered", change) for change in found.at_once]
        now_ns = self._clock.monotonic_ns()
        cooldown_ns = round(float(self._limits.get("raise_cooldown_s") or 0) * NS_PER_S)
        later = {change.name: change for change in found.later}
        for name, waiting in list(self.waiting.items()):
            if name not in later:
                del self.waiting[name]
                notes.append(Noted("limit_raise_withdrawn", waiting.change))
        for name, change in later.items():
            standing = self.waiting.get(name)
            if standing is None or standing.change != change:
                self.waiting[name] = Waiting(change, now_ns + cooldown_ns)
                notes.append(Noted("limit_raise_pending", change))
        self._apply(found.at_once, wanted)
        return notes + self.mature(wanted)

    def tighten(self, name: str, value: LimitValue, operator: str, reason: str) -> list[Noted]:
        """Put a soft cap over the configuration, durably and at once (QX-40).

        Raises `Refusal`: limit_unknown, limit_loosening (also: nothing is tightened), invalid_config.
        """
        if self.soft is None or looser_way(name) is None:
            raise Refusal("limit_unknown", clean(name, 80))
        before = self._limits.get(name)
        if before == value or is_looser(name, before, value):
            raise Refusal("limit_loosening", f"{name} is {before}, and {value} is not tighter")
        change = Change(name=name, before=before, after=value)
        try:
            risk = with_limits(self._wanted, applied(self._limits, (change,)))
        except ValueError as error:
            raise Refusal("invalid_config", f"{name}: {clean(str(error), 300)}") from error
        if flat_limits(risk).get(name) != value:
            raise Refusal("limit_unknown", clean(name, 80))
        self.soft.keep(name, before, value, operator, reason, self._clock.now_ns())
        return self.take(self._wanted)

    def mature(self, wanted: RiskBlock) -> list[Noted]:
        """Put the raises into force whose cool-down is over."""
        now_ns = self._clock.monotonic_ns()
        over = [waiting.change for waiting in self.waiting.values() if waiting.due_monotonic_ns <= now_ns]
        due = [change for change in over if self.may_raise(change)]
        for change in due:
            del self.waiting[change.name]
        self._apply(tuple(due), wanted)
        return [Noted("limit_raised", change) for change in due]

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all limits in force."""
        return frozenset(self._limits)

    @property
    def configured(self) -> Limits:
        """Return what the configuration wants, soft caps aside."""
        return flat_limits(self._wanted)

    def value(self, name: str) -> LimitValue:
        """Return a limit in force; None where it is not set."""
        return self._limits.get(name)

    def left_s(self, name: str) -> float:
        """Return how long a raise still waits, in seconds."""
        return max(0.0, (self.waiting[name].due_monotonic_ns - self._clock.monotonic_ns()) / NS_PER_S)

    def _apply(self, changes: tuple[Change, ...], wanted: RiskBlock) -> None:
        if changes:
            self._limits = applied(self._limits, changes)
            self._begin(", ".join(f"{c.name}: {c.before} -> {c.after}" for c in changes))
        self.risk = with_limits(wanted, self._limits)

    def _begin(self, why: str) -> None:
        self.epoch += 1
        at_ns = self._clock.now_ns()
        body = msgspec.json.encode(self._limits, order="sorted").decode()
        self._rows.add_limits(
            LimitsRecord(
                epoch=self.epoch,
                limits_hash=self.sha256,
                body=body,
                why=why[:2_000],
                at_ns=at_ns,
            )
        )


def flat_limits(risk: RiskBlock) -> dict[str, LimitValue]:
    """Return every limit of a risk block under one name each; what is not set is left out."""
    flat: dict[str, LimitValue] = {name: getattr(risk, name) for name in LOOSER}
    for name in risk.blocked_symbols:
        flat[f"{BLOCK_PREFIX}{name}"] = 1
    for name in risk.majors:
        flat[f"{MAJOR_PREFIX}{name}"] = 1
    for subject, cap in risk.caps.items():
        for field in _CAP_FIELDS:
            value = getattr(cap, field)
            if value is not None:
                flat[f"{CAP_PREFIX}{subject}/{field}"] = value
    return flat


def with_limits(risk: RiskBlock, limits: Mapping[str, LimitValue]) -> RiskBlock:
    """Return a risk block whose limits are these, and whose other settings are its own."""
    caps: dict[str, dict[str, LimitValue]] = {}
    for name, value in limits.items():
        if name.startswith(CAP_PREFIX):
            subject, _, field = name.removeprefix(CAP_PREFIX).rpartition("/")
            caps.setdefault(subject, {})[field] = value
    plain = {name: value for name, value in limits.items() if name in LOOSER}
    return RiskBlock.model_validate(
        {
            **risk.model_dump(),
            **plain,
            "caps": caps,
            "blocked_symbols": _listed(limits, BLOCK_PREFIX),
            "majors": _listed(limits, MAJOR_PREFIX),
        }
    )


def _listed(limits: Mapping[str, LimitValue], prefix: str) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix(prefix) for name in limits if name.startswith(prefix)))
