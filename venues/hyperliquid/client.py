"""Asks Hyperliquid: whole HTTP requests out, classed answers back. Nothing here sends anything twice.

The SDK signs (`venues.hyperliquid.signing`); what leaves is made here, so that an order's exact bytes can
be durable before the first one does.
"""

from __future__ import annotations

from typing import Any

import msgspec

from seams.clock import Clock
from seams.wire import Caller, MayLeave, always
from venues.answers import Heard
from venues.ask_nonces import AskNonces
from venues.contract import OutcomeUnknown, Refused
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.budget import Budget
from venues.hyperliquid.outcomes import Outcome, Verdict, of_response
from venues.hyperliquid.signing import Action, Wallet, sign_l1, wallet_of
from venues.keyfile import KeyFile


class HyperliquidClient:
    """One account at one address, with a key for orders and one for everything else."""

    def __init__(
        self,
        caller: Caller,
        authority: str,
        key: KeyFile,
        clock: Clock,
        budget: Budget,
        *,
        is_mainnet: bool,
    ) -> None:
        if not key.ask_key or not key.ask_secret:
            raise ValueError(
                "a key file of hyperliquid holds a second agent for cancels: ask_key, ask_secret"
            )
        self._asker, self._clock = Asker(caller, authority, budget), clock
        self.authority, self.is_mainnet = authority, is_mainnet
        self._orders, self._asks = wallet_of(key.secret), wallet_of(key.ask_secret)
        self.vault = key.vault.lower() or None
        self.user = key.vault.lower() or key.account.lower()
        self.budget = budget
        self.nonces = AskNonces(clock)
        for wallet, stated in ((self._orders, key.key), (self._asks, key.ask_key)):
            if wallet.address.lower() != stated.lower():
                raise ValueError(f"the key file's secret does not belong to {stated}")

    def signed(self, action: Action, nonce: int, expires_ms: int | None) -> bytes:
        """Return an order's exact bytes; no I/O."""
        return self._signed(self._orders, action, nonce, expires_ms)

    async def send(
        self, wire: bytes, count: int, may_leave: MayLeave = always, heard: Heard | None = None
    ) -> list[Verdict]:
        """Send an action's bytes once, and tell `heard` the answer.

        Raises `Retryable` or `OutcomeUnknown`.
        """
        self.budget.act(count)
        answer = await self._asker.call(wire, may_leave)
        if heard is not None:
            heard(answer)
        return of_response(answer, count)

    async def act(self, action: Action, count: int = 1, heard: Heard | None = None) -> list[Verdict]:
        """Sign with the second key and send: cancels and settings, whose nonces never meet an order's.

        Raises `Retryable` or `OutcomeUnknown`.
        """
        wire = self._signed(self._asks, action, self.nonces.next(), None)
        return await self.send(wire, count, heard=heard)

    async def burn(self, action: Action, nonce: int) -> Verdict:
        """Send an action with an order's own nonce and key. Raises `Retryable` or `OutcomeUnknown`."""
        return (await self.send(self.signed(action, nonce, None), 1))[0]

    async def ask(self, kind: str, **given: Any) -> Any:
        """Ask `/info`; return its JSON. Raises `Retryable`, `Refused` or `OutcomeUnknown`."""
        return await self._asker.ask(kind, **given)

    async def about_us(self, kind: str, **given: Any) -> Any:
        """Ask `/info` about our account."""
        return await self.ask(kind, user=self.user, **given)

    async def close(self) -> None:
        await self._asker.close()

    def _signed(self, wallet: Wallet, action: Action, nonce: int, expires_ms: int | None) -> bytes:
        made = sign_l1(
            wallet, action, nonce, vault=self.vault, expires_ms=expires_ms, is_mainnet=self.is_mainnet
        )
        body = {
            "action": action,
            "nonce": nonce,
            "signature": msgspec.to_builtins(made),
            "vaultAddress": self.vault,
            "expiresAfter": expires_ms,
        }
        return self._asker.request("/exchange", msgspec.json.encode(body))


def demand(verdict: Verdict, *wanted: Outcome) -> None:
    """Raise unless a verdict is one of those wanted: `Refused` where that is proved."""
    if verdict.outcome in wanted:
        return
    if verdict.outcome is Outcome.REJECTED:
        raise Refused(verdict.code, verdict.text)
    raise OutcomeUnknown(verdict.text or str(verdict.outcome))
