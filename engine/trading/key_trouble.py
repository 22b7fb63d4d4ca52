"""Refusals that are about our key and no order: with it nothing is placed any more, and nothing cancelled."""

from __future__ import annotations

from engine.core import Core
from safety.text import clean
from venues.contract import Refused

KEY_DEAD = "key_dead"
ABOUT_THE_KEY = frozenset(
    {
        "account_refused",
        "agent_removed",
        "bad_key",
        "bad_signature",
        "locked_out",
        "not_permitted",
        "unknown_signer",
        "vault_not_permitted",
        "vault_unknown",
        "wrong_network",
    }
)
"""Codes of the adapters (their `outcomes` say which of the venue's words mean them)."""


def note_refusal(core: Core, signer: str, venue: str, refusal: Refused, what: str) -> None:
    """Ring where a refusal of `what` says that the venue does not take our key."""
    if refusal.code in ABOUT_THE_KEY:
        core.alarm(KEY_DEAD, signer, venue, clean(f"{what}: {refusal}", 200))
