"""What is told about the evidence of supervised passes before one begins."""

from __future__ import annotations

from venues.types import Record


class CredentialRow(Record):
    """One credential of a corridor: where it comes from, and whether it is there; never what it is."""

    corridor: str
    credential: str
    source: str
    is_present: bool


class EvidenceReadiness(Record):
    """The artifact `broker_evidence_readiness.json`: may a supervised pass leave its evidence here?"""

    artifact_type: str
    generated_at: str
    requested_corridor: str
    resolved_corridor: str
    credentials: tuple[CredentialRow, ...]
    credential_problem: str
    roots: dict[str, str]
    runbook_present: bool
    ready_for_evidence_pass: bool
    blocking_reasons: tuple[str, ...]
