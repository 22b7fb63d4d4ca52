"""Why a step was refused, for a person: each reason with what was seen and what to do about it.

The artifact holds it all, in the places that each step writes: a gate's conditions, the rules' checks, the
venue's answer. One question, so that console, command line and `session_status.json` say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from engine.api.corridor import Artifact, Why
from safety.facts import Check
from safety.reasons import explain
from safety.rules import RULES
from safety.text import clean

MAX_SAID = 240
SAYS: Mapping[str, str] = {rule.code: rule.says for rule in RULES}
NOT_KNOWN = "a figure that it needs is not known"
UNSAID = frozenset(
    {"symbol", "signer", "nonce", "wire", "query_mode", "note", "reviewer"}
    | {"symbol_input", "normalized_symbol", "market_type", "metadata_type", "matched_name", "resolved_coin"}
    | {"resolved_asset", "account", "query_user", "nonce_scope", "query_address_matches_signer"}
    | {"public_api_reachable", "funding_asset", "confirmed", "response_type", "oid"}
)
"""Fields of a body that explain no refusal."""
LISTS = frozenset({"problems", "permissions"})
"""Lists of a body that explain one: what keeps a key from being ready, and what a key may do."""


def why(artifact: Artifact) -> tuple[Why, ...]:
    """Return each reason of a refused step; empty where the step was not refused."""
    body, found = artifact.body, dict.fromkeys(artifact.reasons)
    corrections: Mapping[str, str] = body.get("corrections") or {}
    checks = [
        msgspec.convert(each, Check) for each in (body.get("local_preflight") or {}).get("checks") or ()
    ]
    unknown = {each.reason for each in checks if not is_known(each)}
    return tuple(
        Why(
            code=code,
            title=explain(code).title,
            said=clean("; ".join(_seen(body, checks, code)) or _facts(body), MAX_SAID),
            correction=corrections.get(code) or explain(code).correction,
            runbook=explain(code).runbook,
            is_known=code not in unknown,
        )
        for code in sorted(found, key=lambda code: code in unknown)
    )


def _seen(body: Mapping[str, Any], checks: Sequence[Check], code: str) -> Iterator[str]:
    """Say what was seen of one reason: of each condition and each rule that gave it."""
    for each in body.get("conditions") or ():
        if each["code"] == code and not each["ok"]:
            yield str(each["said"])
    mark = str((body.get("intent") or {}).get("mark_price") or "")
    yield from (seen(check, mark) for check in checks if check.reason == code)
    if code in ("not_hydrated", "reconciliation_not_clean") and "custody" in body:
        yield f"custody of {body.get('account', 'the account')} is {body['custody']}"


def is_known(check: Check) -> bool:
    """Tell whether a rule had the figures that it needs."""
    return check.now != "unknown"


def seen(check: Check, mark: str) -> str:
    """Say what one rule saw, figures first, and what they are of; the market's price, where it is about it.

    Who writes an order by hand learns nowhere else how far off the market was."""
    says = SAYS.get(check.name, check.name)
    if not is_known(check):
        return f"{NOT_KNOWN} ({says})"
    figures = {"now": check.now, "after": check.after, "limit": check.limit, "headroom": check.headroom}
    told = [f"{name} {figure}" for name, figure in figures.items() if figure]
    told += [f"mark {mark}"] if mark and "mark" in says.replace(",", "").split() else []
    return f"{', '.join(told)} ({says})" if told else says


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
    plain |= {
        name: "; ".join(each)
        for name, each in inner.items()
        if name in LISTS and each and all(isinstance(one, str) for one in each)
    }
    return ", ".join(f"{name} {each}" for name, each in plain.items())
