"""Asks Kraken: signs with the key for questions, sends what is signed already, classes every answer.

Nothing that acts on the market is ever sent a second time here. A question or a cancel whose nonce was
refused, which proves that it was not carried out, is asked again with a higher one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from math import ceil

from seams.clock import NS_PER_S, Clock
from seams.wire import Caller, MayLeave, always
from venues.answers import Heard
from venues.ask_nonces import AskNonces
from venues.contract import Busy
from venues.keyfile import KeyFile
from venues.kraken.asking import Asker, result_of
from venues.kraken.outcomes import Outcome, Proof
from venues.kraken.signing import private_request
from venues.types import Record

NONCE_JUMPS = (0, 1_000, 10_000, 100_000)
"""How far a question's nonce jumps when the venue has seen a higher one (venues.md, fault 20). The first time
not at all: a request that is repeated on its way is refused so as well, and a process that starts after us
would have to jump over our jump, until the venue locks the key for its false nonces."""
COSTS = {"TradesHistory": 4, "ClosedOrders": 4, "QueryTrades": 4}
FREE = frozenset({"CancelOrder", "CancelAll", "CancelAllOrdersAfter"})
URGENT = frozenset({"GetWebSocketsToken"})
OVERRUN = "EAPI:Rate limit exceeded"
MOST_OWED = 6.0
"""How far questions that wait for room may overdraw the budget; one that would go beyond is refused. Counted
in calls, not in seconds: else a tier that forgives slowly would never be asked its costliest question."""


Question = tuple[str, tuple[tuple[str, str], ...]]


class Tier(Record):
    """The venue's REST budget: calls may add up to `most`, and `per_s` are forgiven each second."""

    most: float = 20.0
    per_s: float = 1.0
    reserve: float = 2.0
    """What questions leave unused, for the token and the clock's own error."""


TIERS = (Tier(), Tier(per_s=0.5), Tier(most=15.0, per_s=0.33))
"""The venue's own, fastest first (venues.md 5.7). It tells nobody which one an account has."""


class KrakenClient:
    """One account's key pair at one address."""

    def __init__(self, caller: Caller, authority: str, key: KeyFile, clock: Clock, tier: Tier) -> None:
        if not key.ask_key or not key.ask_secret:
            raise ValueError("a key file of kraken holds a second key for questions: ask_key, ask_secret")
        self._asker, self._authority = Asker(caller, authority), authority
        self._key, self._clock = key, clock
        self._tier, self._level, self._level_ns = tier, 0.0, 0
        self.nonces = AskNonces(clock)
        self._orders, self._asks = asyncio.Lock(), asyncio.Lock()
        self._waiting: dict[Question, asyncio.Task[object]] = {}
        """The questions that have not left yet, for want of room."""

    def signed_order(self, fields: Mapping[str, str], nonce: int) -> bytes:
        """Return an order's exact bytes; no I/O."""
        return private_request(self._authority, self._key.key, self._key.secret, "AddOrder", fields, nonce)

    async def send(self, wire: bytes, may_leave: MayLeave) -> Outcome:
        """Send an order's bytes once. Raises `Retryable` or `OutcomeUnknown`."""
        return await self._in_turn(self._orders, wire, may_leave)

    async def public(self, method: str, **fields: str) -> object:
        """Ask what anybody may. Raises `Retryable`, `Refused` or `OutcomeUnknown`."""
        return await self._asker.public(method, **fields)

    async def ask(self, method: str, **fields: str) -> object:
        """Ask, or cancel, for our account. Raises `Retryable`, `Refused` or `OutcomeUnknown`.

        A question waits until the venue's budget has room for it; a cancel never does. Whoever asks what
        another is waiting to ask hears the same answer: it is asked after both wished for it.
        """
        key = (method, tuple(sorted(fields.items())))
        if key in self._waiting:
            return await asyncio.shield(self._waiting[key])
        if method in FREE or not self._must_wait(method):
            await self._spend(method)
            return await self._sent(method, fields)
        waiting = asyncio.get_running_loop().create_task(self._waited(key, fields))
        self._waiting[key] = waiting
        waiting.add_done_callback(_look_at)
        return await asyncio.shield(waiting)

    async def cancel(self, named: Mapping[str, str], heard: Heard) -> None:
        """Ask for the cancel of one order, and tell `heard` each answer as it came.

        Raises `Retryable`, `Refused` or `OutcomeUnknown`.
        """
        await self._sent("CancelOrder", named, heard)

    async def _waited(self, key: Question, fields: Mapping[str, str]) -> object:
        try:
            await self._spend(key[0])
        finally:
            del self._waiting[key]
        return await self._sent(key[0], fields)

    async def _sent(self, method: str, fields: Mapping[str, str], heard: Heard | None = None) -> object:
        for jump in (0, *NONCE_JUMPS):
            wire = private_request(
                self._authority,
                self._key.ask_key,
                self._key.ask_secret,
                method,
                fields,
                self.nonces.next(jump),
            )
            outcome = await self._in_turn(self._asks, wire, always)
            if heard is not None and outcome.answer is not None:
                heard(outcome.answer)
            if outcome.proof is not Proof.NONCE_USED:
                break
        if outcome.said.startswith(OVERRUN):
            self._slow_down()
        return result_of(outcome)

    def _slow_down(self) -> None:
        """The venue has counted more than we did: its tier forgives slower, or somebody else uses the key.
        What asks on as before would be refused for ever, and a doubtful order would never be proved."""
        slower = next((each for each in TIERS if each.per_s < self._tier.per_s), TIERS[-1])
        most = min(self._tier.most, slower.most)
        self._level, self._level_ns = max(self.budget, most), self._clock.monotonic_ns()
        self._tier = Tier(most=most, per_s=slower.per_s, reserve=self._tier.reserve)

    @property
    def publics(self) -> tuple[str, str]:
        """Return the public halves of the key for orders and of the one for questions."""
        return self._key.key, self._key.ask_key

    @property
    def tier(self) -> Tier:
        return self._tier

    async def ask_as_trader(self, method: str, nonce: Callable[[], int]) -> object:
        """Ask with the key that signs orders, under a nonce counted for it at the moment it is sent: what a
        key may do, it is told of itself only. Raises `Retryable`, `Refused` or `OutcomeUnknown`."""
        await self._spend(method)
        wire = private_request(self._authority, self._key.key, self._key.secret, method, {}, nonce())
        return result_of(await self._in_turn(self._orders, wire, always))

    @property
    def budget(self) -> float:
        """Return how much of the REST budget is used now, of `tier.most`."""
        passed_s = (self._clock.monotonic_ns() - self._level_ns) / NS_PER_S
        return max(0.0, self._level - self._tier.per_s * passed_s)

    def _must_wait(self, method: str) -> bool:
        return self.budget + COSTS.get(method, 1) > self._most(method)

    def _most(self, method: str) -> float:
        return self._tier.most - (0 if method in URGENT else self._tier.reserve)

    async def _spend(self, method: str) -> None:
        """Count a question against the budget, and wait for room. Raises `Busy` where that is far.

        Waiting, not refusing: whoever asks in rounds would spend the little there is on its first
        questions, and never come to the last.
        """
        if method in FREE:
            return
        cost, most = COSTS.get(method, 1), self._most(method)
        self._level, self._level_ns = self.budget + cost, self._clock.monotonic_ns()
        wait_s = (self._level - most) / self._tier.per_s
        if self._level - most > MOST_OWED:
            self._level -= cost
            said = f"the venue's request budget is kept: {self.budget:.0f} of {self._tier.most:g} used"
            raise Busy(said, ceil(wait_s))
        if wait_s > 0:
            await self._clock.sleep(wait_s)

    async def _in_turn(self, lock: asyncio.Lock, wire: bytes, may_leave: MayLeave) -> Outcome:
        """Let requests of one key leave in the order of their nonces; nobody waits for another's answer."""
        await lock.acquire()
        is_mine = True

        def leave() -> bool:
            nonlocal is_mine
            if is_mine:
                is_mine = False
                lock.release()  # in the step in which the bytes are written
            return may_leave()

        try:
            return await self._asker.call(wire, leave)
        finally:
            if is_mine:
                lock.release()

    async def close(self) -> None:
        await self._asker.close()


def _look_at(task: asyncio.Task[object]) -> None:
    """Whoever asked may have gone meanwhile: then nobody hears how it ended."""
    if not task.cancelled():
        task.exception()
