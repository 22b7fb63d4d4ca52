"""Failures around the submit: its answer, its nonce, its key, its process. Data only."""

from __future__ import annotations

from tests.field.failure import BOTH, FILLS, HL, KR, Failure
from tests.field.play import AMBIGUOUS, CLEAN, do
from venues.sandbox.programs import Strike


def _answer(
    name: str, strike: Strike, field: str, source: str, order: str = "open", **more: object
) -> Failure:
    """A failure in the answer to the submit: the stream is silent too, so that only asking can tell."""
    script = (do("gate"), do("strike", strike, **more), do("deafen"), do("submit"))
    return Failure(name, BOTH, field, source, script, CLEAN, order)


ANSWERS = (
    _answer(
        "answer lost",
        Strike.APPLY_THEN_DROP,
        "A placed order's connection closed without an answer; it was on the book.",
        "hyperliquid-python-sdk #293; krakenex #60, found by its reference within a minute",
    ),
    _answer(
        "request lost",
        Strike.DROP_WITHOUT_APPLY,
        "The same picture, and the order had never arrived. Nobody could tell the two apart from the error.",
        "venues.md faults 3 and 4",
        "rejected",
    ),
    _answer(
        "502 and the order lives",
        Strike.STATUS,
        "The edge answered 502; the order was sent again, and two lived.",
        "krakenex #98; XChange #1899 (502, executed anyway)",
        value=502,
    ),
    _answer(
        "520 and the order is dead",
        Strike.STATUS_WITHOUT_APPLY,
        "The same page of HTML for an order that had never reached the engine.",
        "krakenex #59, #60",
        "rejected",
        value=520,
    ),
    _answer(
        "client timeout, order posted",
        Strike.SILENCE,
        "The client gave up waiting; the order had been posted and stayed.",
        "npm-kraken-api #37; BitBot #27",
    ),
    _answer(
        "truncated JSON",
        Strike.TRUNCATED,
        "Half of the answer with a fitting length; the SDK returns a dictionary with an error in it.",
        "venues.md 1, must-know 4",
    ),
    _answer("null", Strike.NULL, "The body `null` becomes None, and None became `failed`.", "venues.md 2.3"),
    _answer("empty body", Strike.EMPTY, "200 and nothing.", "venues.md 2.3"),
    _answer("HTML with 200", Strike.HTML, "A maintenance page with status 200.", "venues.md fault 8"),
    _answer(
        "short body", Strike.CUT, "The connection closed in the middle of the answer.", "venues.md fault 5"
    ),
    _answer(
        "dripping answer",
        Strike.DRIP,
        "A byte at a time keeps every read timeout from firing; a limit of 1.5 s lasted 5.4 s.",
        "venues.md 1, must-know 3",
        value=0.5,
    ),
    _answer(
        "redirect",
        Strike.REDIRECT,
        "Both SDKs follow 307 and post the signed order, with the keys, to another host.",
        "venues.md 1, must-know 15",
        "rejected",
        text="http://elsewhere.invalid/",
    ),
    _answer(
        "raw 429 at the submit",
        Strike.STATUS_WITHOUT_APPLY,
        "A rate limit of the edge: whether it stands before or behind the engine is not known.",
        "venues.md 3.11, open question 2",
        "rejected",
        value=429,
    ),
    _answer(
        "answer after we gave up",
        Strike.DELAY_AFTER,
        "The answer came 30 s later, to nobody.",
        "safety.md F3",
        value=30.0,
    ),
)

DOUBTS = (
    Failure(
        "failed, then filled",
        BOTH,
        "An order was reported failed after a lost answer, had filled, and was placed again: twice the size.",
        "hummingbot #7294 (Hyperliquid)",
        (
            do("gate", **FILLS),
            do("strike", Strike.APPLY_THEN_DROP),
            do("deafen"),
            do("lag", 1.1),
            do("submit"),
            do("look"),
        ),
        CLEAN,
        "filled",
    ),
    Failure(
        "not found three times, then forgotten",
        BOTH,
        "An order was given up after a few lookups without a find; it was live, its successors stacked.",
        "NautilusTrader #3879 (Hyperliquid); hummingbot's order tracker",
        (
            do("gate"),
            do("strike", Strike.APPLY_THEN_DROP),
            do("deafen"),
            do("lag", 8.0),
            do("submit"),
            *(do("look") for _ in range(4)),
        ),
        CLEAN,
        "open",
    ),
    Failure(
        "outage of the resolver with accepted orders",
        BOTH,
        "Names could not be resolved; six accepted orders were dropped from the books, and ran to a short.",
        "hummingbot #8457 (2026-09)",
        (
            do("gate", **FILLS),
            do("strike", Strike.DELAY_AFTER, value=2.0),
            do("later", 0.5, "cut"),
            do("submit"),
            do("wait", 120),
            do("mend"),
        ),
        CLEAN,
        "filled",
    ),
    Failure(
        "applied after the timeout",
        (HL,),
        "The request lay in a queue and was carried out after the client had given up on it.",
        "safety.md F3; krakenex #60 (within a minute)",
        (do("gate"), do("strike", Strike.DELAY_BEFORE, value=20.0), do("submit")),
        CLEAN,
        "rejected",
    ),
    Failure(
        "applied after the timeout, inside its deadline",
        (KR,),
        "Under overload an order was carried out seconds after its connection had been given up.",
        "krakenex #60",
        (do("gate"), do("strike", Strike.DELAY_BEFORE, value=8.0), do("deafen"), do("submit")),
        CLEAN,
        "open",
    ),
    Failure(
        "deadline passed",
        (KR,),
        "The order reached the engine too late: `EService:Deadline elapsed`, which may not be believed.",
        "venues.md 5.6, open question 2",
        (do("gate"), do("strike", Strike.DELAY_BEFORE, value=14.0), do("submit")),
        CLEAN,
        "rejected",
    ),
    Failure(
        "nonce collision",
        (HL,),
        "Two programs with one key chose one nonce: `duplicate nonce`, and of whose order it was guessed.",
        "hummingbot #7737",
        (do("gate"), do("use_our_nonce"), do("submit")),
        CLEAN,
        "rejected",
    ),
    Failure(
        "a higher nonce was used by another tool",
        (KR,),
        "A tool with nanosecond nonces was tried with the key: every smaller nonce is refused for good.",
        "krakenfx/kraken-cli; venues.md 4",
        (do("gate"), do("use_our_nonce", ahead_ms=10**12), do("submit")),
        CLEAN,
        "rejected",
    ),
    Failure(
        "agent pruned with an order out",
        (HL,),
        "The key was removed while an order's answer was awaited. The order lives, and cannot be cancelled.",
        "venues.md fault 22",
        (do("gate"), do("strike", Strike.APPLY_THEN_DROP), do("deafen"), do("submit"), do("prune_agents")),
        CLEAN,
        "open",
    ),
    Failure(
        "key deleted with an order out",
        (KR,),
        "The same where questions need a key as well: nothing can be asked, so nothing can be proved.",
        "venues.md fault 22",
        (do("gate"), do("strike", Strike.APPLY_THEN_DROP), do("deafen"), do("submit"), do("prune_agents")),
        AMBIGUOUS,
        "unknown",
    ),
    Failure(
        "agent pruned before the submit",
        BOTH,
        "`User or API Wallet does not exist`, `Invalid key`: said of the key, and true of the order.",
        "venues.md fault 22",
        (do("gate"), do("prune_agents"), do("submit")),
        CLEAN,
        "rejected",
    ),
    Failure(
        "success without an order's id",
        (KR,),
        "A well-formed success names no order.",
        "safety.md F9",
        (
            do("gate"),
            do("strike", Strike.APPLY_THEN_SAY, text='{"error":[],"result":{"descr":{}}}'),
            do("deafen"),
            do("submit"),
        ),
        CLEAN,
        "open",
    ),
    Failure(
        "ok without statuses",
        (HL,),
        "A batch's answer was shorter than the batch.",
        "safety.md F9",
        (
            do("gate"),
            do(
                "strike",
                Strike.APPLY_THEN_SAY,
                text='{"status":"ok","response":{"type":"order","data":{"statuses":[]}}}',
            ),
            do("deafen"),
            do("submit"),
        ),
        CLEAN,
        "open",
    ),
    Failure(
        "internal error, and it lives",
        (KR,),
        "`EGeneral:Internal error` for an order that was placed.",
        "venues.md 5.6",
        (
            do("gate"),
            do("strike", Strike.APPLY_THEN_SAY, text='{"error":["EGeneral:Internal error"]}'),
            do("deafen"),
            do("submit"),
        ),
        CLEAN,
        "open",
    ),
    Failure(
        "an error nobody has listed",
        (KR,),
        "A new category of error, read by its look as a refusal.",
        "venues.md 5.6",
        (
            do("gate"),
            do("strike", Strike.APPLY_THEN_SAY, text='{"error":["EBrandNew:Never heard of"]}'),
            do("deafen"),
            do("submit"),
        ),
        CLEAN,
        "open",
    ),
    Failure(
        "busy, and it lives",
        (KR,),
        "`EService:Busy` and `EService:Unavailable` were taken for refusals of orders that then worked.",
        "krakenex #98; BitBot #27",
        (
            do("gate"),
            do("strike", Strike.APPLY_THEN_SAY, text='{"error":["EService:Busy"]}'),
            do("deafen"),
            do("submit"),
        ),
        CLEAN,
        "open",
    ),
    Failure(
        "killed while the answer was awaited",
        BOTH,
        "The process died between its bytes and the answer; re-signing made 69 duplicates in 100 trials.",
        "safety.md 1, rule 2; venues.md fault 50",
        (do("gate"), do("strike", Strike.DELAY_AFTER, value=3.0), do("submit_and_die", 0.5)),
        CLEAN,
        "open",
    ),
    Failure(
        "killed, and it fills while nobody is there",
        BOTH,
        "The venue had it, the record did not, and the position was found by its owner.",
        "venues.md fault 51",
        (do("gate", **FILLS), do("strike", Strike.DELAY_AFTER, value=3.0), do("submit_and_die", 0.5)),
        CLEAN,
        "filled",
    ),
    Failure(
        "bytes delivered twice",
        (HL,),
        "A signed action came a second time, from the network; its nonce kept it from acting.",
        "venues.md 1, must-know 8",
        (do("gate"), do("submit"), do("deliver_again")),
        CLEAN,
        "open",
    ),
)

SUBMITS = (*ANSWERS, *DOUBTS)
