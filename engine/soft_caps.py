"""Soft caps: limits that a person tightened while the engine ran (QX-40). Nobody loosens them at run time.

They are durable and lie over the configuration: the tighter of both is wanted. Only a start under a higher
`risk.soft_caps_generation` withdraws those of the generations before; the raise then waits like any other.
"""

from __future__ import annotations

import msgspec

from engine.store.facts import FactRows
from safety.limits import Change, Limits, LimitValue
from venues.types import Record

PREFIX = "soft_cap:"


class SoftCap(Record):
    """One limit that a person tightened: what was in force before, what is since, who and why."""

    name: str
    before: LimitValue
    value: LimitValue
    operator: str
    reason: str
    at_ns: int
    generation: int


class SoftCaps:
    """The soft caps of one engine's life, and the only way to add one."""

    def __init__(self, facts: FactRows, generation: int) -> None:
        self._facts, self._generation = facts, generation
        kept = facts.under(PREFIX).values()
        found = [msgspec.json.decode(text, type=SoftCap) for text in kept]
        self._withdrawn = tuple(cap for cap in found if cap.generation < generation)
        for cap in self._withdrawn:
            facts.remove(PREFIX + cap.name)
        self._caps = {cap.name: cap for cap in found if cap not in self._withdrawn}

    def rows(self) -> tuple[SoftCap, ...]:
        """Return every soft cap by name."""
        return tuple(self._caps[name] for name in sorted(self._caps))

    def take_withdrawn(self) -> tuple[Change, ...]:
        """Return, once, what this start took away because the configuration says so."""
        gone, self._withdrawn = self._withdrawn, ()
        return tuple(Change(name=cap.name, before=cap.value, after=None) for cap in gone)

    @property
    def limits(self) -> Limits:
        """Return the soft caps as a limit set."""
        return {name: cap.value for name, cap in self._caps.items()}

    def keep(
        self, name: str, before: LimitValue, value: LimitValue, operator: str, reason: str, at_ns: int
    ) -> None:
        """Write a cap durably, in place of an older one of its name."""
        cap = SoftCap(
            name=name,
            before=before,
            value=value,
            operator=operator,
            reason=reason,
            at_ns=at_ns,
            generation=self._generation,
        )
        self._facts.set(PREFIX + name, msgspec.json.encode(cap).decode(), at_ns)
        self._caps[name] = cap
