"""What is replayed: its record, its contract as recorded and as found now, and how to execute it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.lifecycle.parity.contract import Contract
from engine.lifecycle.parity.report import ReplayReport
from engine.lifecycle.parity.trace import Cause, Difference, Trace

Execute = Callable[[], tuple[Trace, list[Difference]]]
Publish = Callable[[ReplayReport, Path], ReplayReport]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One recorded execution. `execute` makes its trace anew and tells what its record says otherwise.

    `recorded_contract` is as it was recorded, `contract` as it would be executed now; `trusted` is which
    side counts where the two disagree (OC-48). `publish` writes what stands beside the report into its
    folder, before it, and returns the report that names it.
    """

    name: str
    kind: str
    trusted: str
    recorded_contract: Contract
    contract: Contract
    recorded: Trace
    execute: Execute
    publish: Publish | None = None


def claim(table: str, field: str, claimed: str, found: str, cause: Cause) -> list[Difference]:
    """Return the difference between a hash that a record claims and the one that was found, if any."""
    if claimed == found:
        return []
    return [
        Difference(
            cause=cause,
            table=table,
            row=-1,
            field=field,
            at_ns=0,
            recorded=claimed,
            replayed=found,
        )
    ]
