"""What an answer of Kraken proves about a request: one table of its errors (venues.md 5.6).

Definite is only what the venue says in a well-formed answer and what is listed here as definite.
Everything else, and every category nobody has listed, is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from seams.http import Response


class Proof(StrEnum):
    """What is proved about the request."""

    DONE = "done"
    REFUSED = "refused"
    NONCE_USED = "nonce_used"
    UNKNOWN = "unknown"


class Outcome(NamedTuple):
    """What one answer means: the proof, a stable code and the venue's words, and its result."""

    proof: Proof
    code: str
    said: str
    result: object = None
    answer: Response | None = None


REFUSALS: tuple[tuple[str, str], ...] = (
    ("EOrder:Insufficient funds", "insufficient_funds"),
    ("EOrder:Order minimum not met", "min_quantity"),
    ("EOrder:Cost minimum not met", "min_notional"),
    ("EOrder:Tick size check failed", "bad_price"),
    ("EOrder:Invalid price", "bad_price"),
    ("EOrder:Post only order", "post_only_would_cross"),
    ("EOrder:Orders limit exceeded", "too_many_orders"),
    ("EOrder:Rate limit exceeded", "rate_limited"),
    ("EOrder:Domain rate limit exceeded", "rate_limited"),
    ("EOrder:Reduce only", "reduce_only_nothing"),
    ("EOrder:Unknown order", "unknown_order"),
    ("EOrder:Invalid order", "unknown_order"),
    ("EOrder:", "order_refused"),
    ("EGeneral:Invalid arguments", "bad_arguments"),
    ("EGeneral:Permission denied", "not_permitted"),
    ("EGeneral:Too many requests", "rate_limited"),
    ("EGeneral:Temporary lockout", "locked_out"),
    ("EAccount:", "account_refused"),
    ("EAuth:", "account_refused"),
    ("EAPI:Invalid key", "bad_key"),
    ("EAPI:Invalid signature", "bad_signature"),
    ("EAPI:Rate limit exceeded", "rate_limited"),
    ("EService:Market in ", "market_closed"),
    ("EQuery:Unknown asset pair", "unknown_symbol"),
)
"""Prefix of the venue's error -> our code; the first that fits. These prove that nothing was done."""
NONCE = "EAPI:Invalid nonce"
"""Nothing was done by this copy of the bytes; whether another copy came before it does not say."""


def read(response: Response) -> Outcome:
    """Class one answer. Anything that is not a whole, well-formed envelope with status 200 is unknown."""
    if response.status != 200:
        return Outcome(Proof.UNKNOWN, f"http_{response.status}", f"HTTP {response.status}")
    try:
        envelope = json.loads(response.body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return Outcome(Proof.UNKNOWN, "unreadable", f"{response.body[:80]!r}")
    return envelope_outcome(envelope)


def envelope_outcome(envelope: object) -> Outcome:
    """Class an answer's envelope."""
    errors = envelope.get("error") if isinstance(envelope, Mapping) else None
    if not isinstance(envelope, Mapping) or not isinstance(errors, list):
        said = json.dumps(envelope, default=str)[:80]
        return Outcome(Proof.UNKNOWN, "unreadable", f"no answer of the venue's form: {said}")
    grave = [str(error) for error in errors if not str(error).startswith("W")]
    if not grave:
        if "result" not in envelope:
            return Outcome(Proof.UNKNOWN, "unreadable", "neither error nor result")
        return Outcome(Proof.DONE, "", "; ".join(map(str, errors)), envelope["result"])
    said, codes = "; ".join(grave), [_code_of(error) for error in grave]
    if NONCE in grave:
        return Outcome(Proof.NONCE_USED, "nonce_used", said)
    if all(codes) and "result" not in envelope:
        return Outcome(Proof.REFUSED, codes[0], said)
    return Outcome(Proof.UNKNOWN, "venue_error", said)


def _code_of(error: str) -> str:
    return next((code for prefix, code in REFUSALS if error.startswith(prefix)), "")


class Submitted(StrEnum):
    """What became of a submit or a cancel."""

    ACCEPTED = "accepted"
    VALIDATED = "validated"
    REFUSED = "refused"
    NONCE_USED = "nonce_used"
    CANCEL_PENDING = "cancel_pending"
    UNKNOWN = "unknown"


def submitted(outcome: Outcome, *, is_validate: bool = False) -> Submitted:
    """Class what was sent to act. A success that names no order, where one was placed, proves nothing."""
    if outcome.proof is not Proof.DONE:
        return Submitted(outcome.proof.value)
    if not isinstance(outcome.result, Mapping):
        return Submitted.UNKNOWN
    if "count" in outcome.result:
        return Submitted.CANCEL_PENDING if outcome.result.get("pending") else Submitted.ACCEPTED
    if txid_of(outcome):
        return Submitted.ACCEPTED
    return Submitted.VALIDATED if is_validate and "descr" in outcome.result else Submitted.UNKNOWN


def txid_of(outcome: Outcome) -> str:
    """Return the venue's id of the order that an answer says was placed, or nothing."""
    txids = outcome.result.get("txid") if isinstance(outcome.result, Mapping) else None
    return str(txids[0]) if isinstance(txids, list) and txids else ""
