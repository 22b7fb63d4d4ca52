"""What an answer of Hyperliquid proves about a request: one table, read by the adapter and by the tests.

NOT_SENT, REJECTED and the positive classes are proofs. UNKNOWN is everything else: it may have happened.
Texts are matched by prefix, because the venue appends ` asset=N` (venues.md 3.8).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import msgspec

from seams.http import Response
from venues.types import Record


class Outcome(StrEnum):
    RESTING = "resting"
    FILLED = "filled"
    WAITING = "waiting"
    """A trigger or child order that waits for its moment."""
    CANCELLED = "cancelled"
    DONE = "done"
    """The action took effect and has no order of its own (`default`)."""
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    SEEN = "seen"
    """Its nonce was used before: the first copy was admitted, and what became of it must be asked."""
    UNKNOWN = "unknown"


class Verdict(Record):
    """The class of one order or cancel of a request; `code` is ours and stable, `text` the venue's."""

    outcome: Outcome
    code: str = ""
    text: str = ""
    oid: int = 0
    is_item: bool = False
    """Said about this very item after the request was admitted; otherwise about the request."""


class Rule(Record):
    """A text that the venue says, by its beginning, and what it proves."""

    prefix: str
    code: str
    outcome: Outcome = Outcome.REJECTED


RULES = (
    Rule(prefix="Invalid nonce: duplicate nonce", code="nonce_used", outcome=Outcome.SEEN),
    Rule(prefix="Invalid nonce: nonce too low", code="nonce_too_low", outcome=Outcome.SEEN),
    Rule(prefix="Invalid nonce: nonce too high", code="nonce_too_high"),
    Rule(prefix="Action already expired", code="expired"),
    Rule(prefix="User or API Wallet", code="unknown_signer"),
    Rule(prefix="L1 error: User or API Wallet", code="unknown_signer"),
    Rule(prefix="Must deposit before performing actions", code="unknown_signer"),
    Rule(prefix="User has pending agent removal", code="agent_removed"),
    Rule(prefix="Mainnet and testnet require different signature", code="wrong_network"),
    Rule(prefix="Unable to recover signer", code="bad_signature"),
    Rule(prefix="Vault not registered", code="vault_unknown"),
    Rule(prefix="Vault may not perform this action", code="vault_not_permitted"),
    Rule(prefix="Too many cumulative requests sent", code="address_budget"),
    Rule(prefix="Too many open orders", code="too_many_orders"),
    Rule(prefix="Only post-only orders allowed", code="post_only_period"),
    Rule(prefix="Price must be divisible by tick size", code="bad_price"),
    Rule(prefix="Order has invalid price", code="bad_price"),
    Rule(prefix="Order has invalid size", code="bad_quantity"),
    Rule(prefix="Order has zero size", code="bad_quantity"),
    Rule(prefix="Order price cannot be more than 80% away", code="price_band"),
    Rule(prefix="Order price too far from oracle", code="price_band"),
    Rule(prefix="Order must have minimum value of", code="min_notional"),
    Rule(prefix="Insufficient margin to place order", code="insufficient_margin"),
    Rule(prefix="Order has insufficient spot balance", code="insufficient_margin"),
    Rule(prefix="Reduce only order would increase position", code="reduce_only_nothing"),
    Rule(prefix="Post only order would have immediately matched", code="post_only_would_cross"),
    Rule(prefix="Order could not immediately match", code="ioc_unmatched"),
    Rule(prefix="No liquidity available for market order", code="no_liquidity"),
    Rule(prefix="Order was never placed, already canceled, or filled", code="already_ended"),
    Rule(prefix="Cannot modify canceled or filled order", code="already_ended"),
    Rule(prefix="Order would increase open interest", code="open_interest"),
    Rule(prefix="Order rejected due to price more aggressive", code="open_interest"),
    Rule(prefix="Order would cause position to exceed margin tier", code="margin_tier"),
    Rule(prefix="Invalid TP/SL price", code="bad_trigger"),
    Rule(prefix="Invalid leverage value", code="bad_leverage"),
    Rule(prefix="Builder fee has not been approved", code="builder_fee"),
    Rule(prefix="Cannot set scheduled cancel time", code="dead_man_refused"),
)
UNTOLD_CODE = "venue_refused"
"""A text nobody has listed, inside a well-formed refusal: still a definite refusal of that item."""

LISTED = {
    "badAloPxRejected": "post_only_would_cross",
    "badTriggerPxRejected": "bad_trigger",
    "insufficientSpotBalanceRejected": "insufficient_margin",
    "iocCancelRejected": "ioc_unmatched",
    "marketOrderNoLiquidityRejected": "no_liquidity",
    "minTradeNtlRejected": "min_notional",
    "oracleRejected": "price_band",
    "perpMarginRejected": "insufficient_margin",
    "perpMaxPositionRejected": "margin_tier",
    "positionFlipAtOpenInterestCapRejected": "open_interest",
    "positionIncreaseAtOpenInterestCapRejected": "open_interest",
    "reduceOnlyRejected": "reduce_only_nothing",
    "tickRejected": "bad_price",
    "tooAggressiveAtOpenInterestCapRejected": "open_interest",
}
"""What lists and stream call an order that the venue refused: the same codes as for the words of an answer,
which the stream often overtakes."""

NEVER_ADMITTED = {400: "malformed", 415: "malformed", 422: "malformed"}
"""HTTP statuses that prove that the venue never admitted the request."""


def refusal(text: str) -> Verdict:
    """Class a refusal's text; one that nobody listed is a refusal all the same."""
    for rule in RULES:
        if text.startswith(rule.prefix):
            return Verdict(outcome=rule.outcome, code=rule.code, text=text)
    return Verdict(outcome=Outcome.REJECTED, code=UNTOLD_CODE, text=text)


def listed(status: str) -> tuple[str, str]:
    """Return code and words for an order that the venue lists as refused."""
    return LISTED.get(status, UNTOLD_CODE), f"the venue lists it as {status}"


def of_response(response: Response, count: int) -> list[Verdict]:
    """Class an HTTP answer to an action of `count` orders or cancels."""
    if response.status in NEVER_ADMITTED:
        said = response.body[:200].decode("utf-8", "replace")
        code = NEVER_ADMITTED[response.status]
        return [Verdict(outcome=Outcome.REJECTED, code=code, text=said)] * count
    if response.status != 200:
        return _unknown(f"status {response.status}", count)
    try:
        said_json = msgspec.json.decode(response.body)
    except msgspec.DecodeError:
        return _unknown("an answer that is no JSON", count)
    return of_answer(said_json, count)


def of_answer(said: Any, count: int) -> list[Verdict]:
    """Class the JSON of an answer to an action of `count` orders or cancels, one verdict for each."""
    if not isinstance(said, dict):
        return _unknown("an answer that is no object", count)
    response = said.get("response")
    if said.get("status") == "err" and isinstance(response, str):
        return [refusal(response)] * count
    if said.get("status") != "ok" or not isinstance(response, dict):
        return _unknown("neither ok nor err", count)
    if response.get("type") == "default":
        return [Verdict(outcome=Outcome.DONE)] * count
    data = response.get("data")
    statuses = data.get("statuses") if isinstance(data, dict) else None
    if isinstance(data, dict) and _is_error(data.get("status")):
        return [
            _item(data["status"])
        ] * count  # the third form of a refusal: an order in slices has one status
    if not isinstance(statuses, list):
        return _unknown("an ok without statuses", count)
    if len(statuses) == 1 and count > 1 and isinstance(statuses[0], dict) and "error" in statuses[0]:
        statuses = statuses * count  # one error of the pre-validation refuses the whole batch
    if len(statuses) != count:
        return _unknown(f"{len(statuses)} statuses for {count}", count)
    return [_item(status) for status in statuses]


def _is_error(status: object) -> bool:
    return isinstance(status, dict) and isinstance(status.get("error"), str)


def _unknown(why: str, count: int) -> list[Verdict]:
    return [Verdict(outcome=Outcome.UNKNOWN, text=why)] * count


WORDS = {
    "success": Outcome.CANCELLED,
    "waitingForFill": Outcome.WAITING,
    "waitingForTrigger": Outcome.WAITING,
}


def _item(status: Any) -> Verdict:
    if isinstance(status, str) and status in WORDS:
        return Verdict(outcome=WORDS[status], is_item=True)
    if isinstance(status, dict):
        if _is_error(status):
            said = refusal(status["error"])
            return Verdict(outcome=said.outcome, code=said.code, text=said.text, is_item=True)
        for word, outcome in (("resting", Outcome.RESTING), ("filled", Outcome.FILLED)):
            found = status.get(word)
            if isinstance(found, dict) and isinstance(found.get("oid"), int):
                return Verdict(outcome=outcome, oid=found["oid"], is_item=True)
    return Verdict(outcome=Outcome.UNKNOWN, text="a status nobody knows")


class Failure(Record):
    """An exception of the SDK or of a socket, by its name, and what it proves."""

    pattern: str
    outcome: Outcome


FAILURES = (
    Failure(pattern=r"ClientError\D{0,4}(400|415|422)\b", outcome=Outcome.REJECTED),
    Failure(pattern=r"ConnectTimeout|NewConnectionError|NameResolution|ProxyError", outcome=Outcome.NOT_SENT),
    Failure(pattern=r"CERTIFICATE_VERIFY_FAILED|handshake", outcome=Outcome.NOT_SENT),
    Failure(pattern=r"^KeyError\(.?(code|msg|data|headers)\b", outcome=Outcome.UNKNOWN),
    Failure(pattern=r"^(ValueError|KeyError|TypeError)\(", outcome=Outcome.NOT_SENT),
)
"""What is proved by what is raised, the first that fits: never admitted, or raised before the post began. A
`KeyError` over a field of an error's body came out of an answer. Everything else is UNKNOWN."""


def of_exception(text: str) -> Outcome:
    """Class an exception's text, as the SDK raises it out of a submit."""
    for failure in FAILURES:
        if re.search(failure.pattern, text):
            return failure.outcome
    return Outcome.UNKNOWN
