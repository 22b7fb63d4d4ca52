"""How we stand with a venue: whose keys and until when, and what is left of its rate budgets.

A venue that does not say something leaves it unknown (None, 0): what judges takes unknown for the worse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from venues.types import Record

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
"""Codes of refusals that are about our key and nothing that was asked with it (the adapters' `outcomes` say
which of the venue's words mean them)."""


class KeyStanding(Record):
    """One key as the venue sees it. `valid_until_ns` is 0 for a key without an end; it and `can_withdraw` are
    None where the venue does not say. `may` is what the key is allowed, in the venue's own words."""

    name: str
    public: str
    role: str
    valid_until_ns: int | None = 0
    can_withdraw: bool | None = None
    may: tuple[str, ...] = ()
    can_trade: bool | None = None
    """Whether it may place orders; None where the venue does not say."""
    refused: str = ""
    """The code with which the venue refused it, one of `ABOUT_THE_KEY`; nothing else is known of it then."""
    said: str = ""
    """The venue's words to that."""


class BudgetStanding(Record):
    """One rate budget, in the venue's own unit; `reserve` of `cap` is kept for cancels."""

    name: str
    unit: str
    used: float
    cap: float
    reserve: float

    @property
    def left(self) -> float:
        """The share of the budget that is left, in [0, 1]; nothing where the venue states none."""
        return max(0.0, 1.0 - self.used / self.cap) if self.cap > 0 else 0.0

    @property
    def is_for_cancels(self) -> bool:
        """Tell whether only the reserve is left."""
        return self.used >= self.cap - self.reserve


class Standing(Record):
    """What one look at the venue found."""

    venue: str
    account: str
    signer: str
    at_ns: int
    keys: tuple[KeyStanding, ...]
    budgets: tuple[BudgetStanding, ...]
    problems: tuple[str, ...] = ()
    """Why orders may not leave."""
    warnings: tuple[str, ...] = ()


class Stands(Protocol):
    """Asks a venue how we stand with it; `nonce` counts for the key of orders. Raises `VenueError`."""

    async def __call__(self, nonce: Callable[[], int]) -> Standing: ...
