"""What a key file (0600) holds: one account at one venue, and the keys with which we may act for it."""

from __future__ import annotations

from venues.types import Record


class KeyFile(Record):
    """One signing key of one account; a venue whose nonces must rise wants a second key for questions.

    `key` signs orders. `ask_key`, where there is one, signs everything else, so that no question can
    overtake an order whose nonce was counted before it (Kraken), and no cancel can take an order's nonce
    (Hyperliquid, where both keys are agents of the account).
    """

    venue: str
    account: str
    key: str
    secret: str
    ask_key: str = ""
    ask_secret: str = ""
    vault: str = ""
    """The sub-account or vault to act for, led by `account`; empty: the account itself (Hyperliquid)."""

    @property
    def trades(self) -> str:
        """The account whose money moves: the sub-account or vault where one is named."""
        return self.vault or self.account
