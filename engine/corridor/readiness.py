"""May a supervised pass leave its evidence here? Which corridor, with which credentials, and what is missing.

Credentials are told by where they come from and whether they are there; nothing of them is read out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.api.home import HomePaths
from engine.api.submits_views import CredentialRow, EvidenceReadiness
from engine.config.settings import Settings
from runbooks import list_runbooks
from safety.reasons import Refusal
from safety.secrets import KeyReference, load_secret
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.hyperliquid.capabilities import NAME as HYPERLIQUID
from venues.kraken.precision import NAME as KRAKEN

AUTO = "auto"
SOURCE = "execution.venue_key_file"
RUNBOOK = "corridor.md"
FILE = "broker_evidence_readiness.json"
NEEDED: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    HYPERLIQUID: (
        ("private_key", "secret", "missing_hyperliquid_private_key"),
        ("execution_account_id", "account", "missing_hyperliquid_execution_account_id"),
        ("signer_id", "key", "missing_hyperliquid_signer_id"),
    ),
    KRAKEN: (
        ("api_key", "key", "missing_kraken_api_key"),
        ("api_secret", "secret", "missing_kraken_api_secret"),
    ),
}
"""Corridor -> what it needs: the credential, the key file's field, and the reason where it is not there. The
first corridor is what `auto` prefers."""


def evidence_readiness(
    home: Path, settings: Settings, corridor: str, repository: Path, disk: Disk, clock: Clock
) -> EvidenceReadiness:
    """Judge one corridor (or `auto`) and write the artifact beside the sessions. Raises `OSError`, and
    `Refusal` (invalid_request) for a corridor that there is not."""
    if corridor not in (AUTO, *NEEDED):
        raise Refusal("invalid_request", f"a corridor is {AUTO}, {', '.join(NEEDED)}")
    fields, said = _fields(settings, repository)
    rows = tuple(
        CredentialRow(
            corridor=name, credential=credential, source=SOURCE, is_present=_has(fields, name, field)
        )
        for name, needed in NEEDED.items()
        for credential, field, _ in needed
    )
    lacks = {
        name: tuple(reason for _, field, reason in needed if not _has(fields, name, field))
        for name, needed in NEEDED.items()
    }
    whole = [name for name, missing in lacks.items() if not missing]
    resolved = corridor if corridor != AUTO else next(iter(whole), "")
    has_runbook = RUNBOOK in list_runbooks()
    reasons = _reasons(corridor, resolved, lacks, has_runbook)
    paths = HomePaths(home)
    made = EvidenceReadiness(
        artifact_type="interlock.corridor.evidence_readiness",
        generated_at=iso_z(clock.now_ns()),
        requested_corridor=corridor,
        resolved_corridor=resolved,
        credentials=rows,
        credential_problem=said,
        roots={
            "submits": str(paths.submits),
            "sessions": str(paths.sessions),
            "dry_runs": str(paths.dry_runs),
        },
        runbook_present=has_runbook,
        ready_for_evidence_pass=not reasons,
        blocking_reasons=reasons,
    )
    disk.make_folder(paths.outputs)
    data = msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"
    disk.write_atomic(paths.outputs / FILE, data)
    return made


def _reasons(
    corridor: str, resolved: str, lacks: Mapping[str, tuple[str, ...]], has_runbook: bool
) -> tuple[str, ...]:
    """Return everything that blocks, not the first of it; of a corridor that was named, only its own."""
    found = [] if has_runbook else ["missing_supervised_broker_runbook"]
    if corridor == AUTO and not resolved:
        return ("no_ready_broker_corridor", *found, *(reason for each in lacks.values() for reason in each))
    missing = lacks[resolved]
    return (*(("no_ready_broker_corridor",) if missing else ()), *found, *missing)


def _fields(settings: Settings, repository: Path) -> tuple[dict[str, object], str]:
    """Return the key file's fields; none, and why, where it cannot be used."""
    path = settings.execution.venue_key_file
    if not path:
        return {}, f"{SOURCE} is not set"
    try:
        text = load_secret(KeyReference(name=SOURCE, path=path), repository).reveal()
        return msgspec.json.decode(text, type=dict[str, object]), ""
    except Refusal as refusal:
        return {}, refusal.code
    except msgspec.MsgspecError:
        return {}, f"{SOURCE} names a file that is no key file"


def _has(fields: Mapping[str, object], corridor: str, field: str) -> bool:
    return fields.get("venue") == corridor and bool(fields.get(field))
