"""Why a step was refused, for a person: each reason with what was seen and what to do about it.

The artifact holds it all, in the places that each step writes: a gate's conditions, the rules' checks, the
venue's answer. One question, so that console, command line and `session_status.json` say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.api.corridor import Artifact, Why
from safety.reasons import explain
from safety.text import clean

MAX_SAID = 240
UNSAID = frozenset({"symbol", "signer", "nonce", "wire", "query_mode", "note", "reviewer"})
"""Fields of a body that explain no refusal."""


def why(artifact: Artifact) -> tuple[Why, ...]:
    """Return each reason of a refused step; empty where the step was not refused."""
    body, found = artifact.body, dict.fromkeys(artifact.reasons)
    corrections: Mapping[str, str] = body.get("corrections") or {}
    return tuple(
        Why(
            code=code,
            title=explain(code).title,
            said=clean("; ".join(_seen(body, code)) or _facts(body), MAX_SAID),
            correction=corrections.get(code) or explain(code).correction,
            runbook=explain(code).runbook,
        )
        for code in found
    )


def _seen(body: Mapping[str, Any], code: str) -> Iterator[str]:
    """Say what was seen of one reason: of each condition and each rule that gave it."""
    for each in body.get("conditions") or ():
        if each["code"] == code and not each["ok"]:
            yield str(each["said"])
    for check in (body.get("local_preflight") or {}).get("checks") or ():
        if check["reason"] == code:
            left = f", headroom {check['headroom']}" if check["headroom"] else ""
            yield f"{check['name']}: now {check['now']}, after {check['after']}, limit {check['limit']}{left}"
    if code == "reconciliation_not_clean" and "custody" in body:
        yield f"custody of {body.get('account', 'the account')} is {body['custody']}"


def _facts(body: Mapping[str, Any]) -> str:
    """Say what the venue answered in single words and figures: the evidence of a reason that it gave."""
    if said := body.get("said") or (body.get("venue") or {}).get("said"):
        return str(said)
    inner = body["venue"] if isinstance(body.get("venue"), dict) else body
    plain = {
        name: each
        for name, each in inner.items()
        if isinstance(each, str | int | float) and each != "" and name not in UNSAID
    }
    return ", ".join(f"{name} {each}" for name, each in plain.items())
