"""The door to `/exchange`: an action is read, its signer found, its nonce used up, then it is carried out.

The order of the checks is the venue's (venues.md 11): what fails before the nonce is recorded leaves no
trace; everything after it has consumed the nonce, whatever the answer says.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from seams.http import Request, Response, json_response
from venues.hyperliquid.precision import WIRE_DECIMALS
from venues.hyperliquid.signing import Unrecoverable, signer_of_l1, signer_of_user_action
from venues.sandbox.hyperliquid import wires as w
from venues.sandbox.hyperliquid.accounts import ZERO, Agent, User, usd
from venues.sandbox.hyperliquid.listing import BY_ASSET
from venues.sandbox.hyperliquid.nonces import NonceStore
from venues.sandbox.hyperliquid.trading import NEVER_PLACED, Status, Trading

SHAPE = b"Failed to deserialize the JSON body into the target type"
DEFAULT: dict[str, Any] = {"type": "default"}
FREE_REQUESTS = 10_000
STALE_COSTS = 5
MAX_AGENT_MS = 180 * 86_400_000
MAX_NAMED_AGENTS = 3
MAX_SUB_ACCOUNTS = 10
SCHEDULE_AHEAD_MS = 5_000
FIRINGS_A_DAY = 10
DAY_MS = 86_400_000
MAX_OPEN_ORDERS = 1_000
ADMITTED_KEPT = 10_000
AGENT_TYPES = [
    {"name": "hyperliquidChain", "type": "string"},
    {"name": "agentAddress", "type": "address"},
    {"name": "agentName", "type": "string"},
    {"name": "nonce", "type": "uint64"},
]


class Denied(Exception):
    """The whole action is refused with this text: `{"status": "err"}`."""


class Gate:
    """Takes actions for all accounts."""

    def __init__(self, trading: Trading, now_ms: Callable[[], int]) -> None:
        self._trading, self._registry, self._now_ms = trading, trading.registry, now_ms
        self.nonces = NonceStore()
        self.schedule_needs_usd = Decimal(1_000_000)
        """What an account must have traded before it may arm the dead-man's switch."""
        self.sub_account_needs_usd = Decimal(100_000)
        self.has_budget = True
        """Count requests against each address."""
        self.admitted: deque[tuple[int, str, int, str]] = deque(maxlen=ADMITTED_KEPT)
        """(time, signer, nonce, type) of what consumed a nonce last, for whoever audits us."""
        self._carriers: dict[type[msgspec.Struct], Callable[[User, Any], dict[str, Any]]] = {
            w.Place: self._place,
            w.Cancel: self._cancel,
            w.CancelByCloid: self._cancel_by_cloid,
            w.Modify: self._modify,
            w.BatchModify: self._batch_modify,
            w.ScheduleCancel: self._schedule,
            w.UpdateLeverage: self._leverage,
            w.UpdateIsolatedMargin: self._isolated,
            w.Noop: lambda user, action: DEFAULT,
            w.ReserveRequestWeight: self._reserve,
            w.CreateSubAccount: self._create_sub,
            w.SubAccountTransfer: self._transfer,
            w.ApproveAgent: self._approve,
        }

    def kinds(self) -> frozenset[str]:
        """Return the types of action that there are."""
        return frozenset(str(each.__struct_config__.tag) for each in self._carriers)

    def answer(self, request: Request) -> Response:
        """Answer one request to `/exchange`."""
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return _text(415, b"Expected request with `Content-Type: application/json`")
        try:
            envelope = w.ENVELOPES.decode(request.body)
        except msgspec.ValidationError:
            return _text(422, SHAPE)
        except msgspec.DecodeError:
            return _text(400, b"Failed to parse the request body as JSON")
        return self.take(envelope)

    def take(self, envelope: w.Envelope) -> Response:
        """Answer one action, from wherever it came."""
        if any(_decimals(text) > WIRE_DECIMALS for text in w.numbers_of(envelope.action)):
            return _text(422, SHAPE)
        try:
            said = {"status": "ok", "response": self._admit(envelope)}
        except Denied as denied:
            said = {"status": "err", "response": str(denied)}
        return json_response(msgspec.json.encode(said))

    def _admit(self, envelope: w.Envelope) -> dict[str, Any]:
        now_ms, action = self._now_ms(), envelope.action
        signer = self._signer(envelope)
        account = self._registry.account_of(signer, now_ms)
        if account is None or (isinstance(action, w.ApproveAgent) and account.address != signer):
            raise Denied(f"User or API Wallet {signer} does not exist.")
        user = self._acting(account, envelope.vaultAddress)
        refused = self.nonces.use(signer, envelope.nonce, now_ms)
        if refused is not None:
            raise Denied(refused)
        kind = type(action).__struct_config__.tag
        self.admitted.append((now_ms, signer, envelope.nonce, str(kind)))
        if envelope.expiresAfter is not None and now_ms > envelope.expiresAfter:
            user.requests += STALE_COSTS
            raise Denied("Action already expired")
        self._charge(user, action)
        return self._carriers[type(action)](user, action)

    def _signer(self, envelope: w.Envelope) -> str:
        signature = msgspec.to_builtins(envelope.signature)
        action = w.canonical(envelope.action)
        try:
            if isinstance(envelope.action, w.ApproveAgent):
                if envelope.action.nonce != envelope.nonce:
                    raise Denied("Invalid nonce: action and request differ")
                action = {"agentName": ""} | action
                return signer_of_user_action(
                    action, signature, AGENT_TYPES, "HyperliquidTransaction:ApproveAgent"
                )
            vault = None if envelope.vaultAddress is None else envelope.vaultAddress.lower()
            return signer_of_l1(
                action,
                signature,
                envelope.nonce,
                vault=vault,
                expires_ms=envelope.expiresAfter,
                is_mainnet=False,
            )
        except Unrecoverable as error:
            raise Denied("Unable to recover signer.") from error

    def _acting(self, account: User, vault: str | None) -> User:
        """Return whom the action moves: the account, or a sub-account or vault that it leads."""
        if vault is None:
            return account
        target = self._registry.user(vault)
        if target is None or target.role not in ("subAccount", "vault"):
            raise Denied(f"Vault not registered: {vault.lower()}")
        if target.master != account.address:
            raise Denied("Vault may not perform this action.")
        return target

    def _charge(self, user: User, action: w.Action) -> None:
        """Count an action against the address; cancels may go on for longer."""
        count = w.count_of(action)
        limit = request_cap(user)
        if isinstance(action, w.Cancel | w.CancelByCloid):
            limit = min(limit + 100_000, 2 * limit)
        if self.has_budget and user.requests + count > limit:
            raise Denied(
                f"Too many cumulative requests sent ({user.requests + count} > {limit}) for cumulative "
                f"volume traded ${user.volume:.2f}. Place taker orders to free up 1 request per USDC traded."
            )
        user.requests += count

    # --- what actions do ---------------------------------------------------------------------------

    def _place(self, user: User, action: w.Place) -> dict[str, Any]:
        refused = self._prevalidated(user, action)
        if refused is not None:
            return _statuses("order", [{"error": refused}])
        if action.grouping != "normalTpsl":
            tied = action.grouping == "positionTpsl"
            return _statuses("order", [self._trading.place(user, each, tied=tied) for each in action.orders])
        first = self._trading.place(user, action.orders[0])
        parent = self._trading.orders.get(_oid_in(first))
        said: list[Status] = [first]
        for each in action.orders[1:]:
            if parent is None:
                said.append({"error": "Parent order was refused."})
            else:
                said.append(self._trading.place(user, each, parent))
        return _statuses("order", said)

    def _prevalidated(self, user: User, action: w.Place) -> str | None:
        """Return the one error that refuses a whole batch, or None."""
        if not action.orders:
            return "Empty order batch."
        for each in action.orders:
            if (each.t.limit is None) == (each.t.trigger is None):
                return "Order has invalid type."
            if each.t.trigger is not None and action.grouping != "na" and not each.r:
                return "TP/SL order must be reduce only."
        if len(user.live) + len(action.orders) > MAX_OPEN_ORDERS and any(
            each.r or each.t.trigger is not None for each in action.orders
        ):
            return "Too many open orders."
        return None

    def _cancel(self, user: User, action: w.Cancel) -> dict[str, Any]:
        said: list[Status] = []
        for item in action.cancels:
            order = user.live.get(item.o)
            is_ours = order is not None and order.asset == item.a
            said.append(self._trading.cancel(user, item.o) if is_ours else {"error": NEVER_PLACED})
        return _statuses("cancel", said)

    def _cancel_by_cloid(self, user: User, action: w.CancelByCloid) -> dict[str, Any]:
        said: list[Status] = []
        for item in action.cancels:
            order = self._trading.by_cloid(user, item.cloid)
            is_ours = order is not None and order.asset == item.asset
            said.append(
                self._trading.cancel(user, order.oid) if order and is_ours else {"error": NEVER_PLACED}
            )
        return _statuses("cancel", said)

    def _modify(self, user: User, action: w.Modify) -> dict[str, Any]:
        said = self._trading.modify(user, action.oid, action.order, always=action.a)
        if isinstance(said, dict) and "error" in said:
            raise Denied(said["error"])
        return DEFAULT

    def _batch_modify(self, user: User, action: w.BatchModify) -> dict[str, Any]:
        said = [self._trading.modify(user, item.oid, item.order, always=action.a) for item in action.modifies]
        return _statuses("order", said)

    def _schedule(self, user: User, action: w.ScheduleCancel) -> dict[str, Any]:
        now_ms = self._now_ms()
        if user.volume < self.schedule_needs_usd:
            raise Denied(
                "Cannot set scheduled cancel time until enough volume traded. "
                f"Required: ${self.schedule_needs_usd:f}. Traded: ${user.volume:.2f}."
            )
        if action.time is not None and action.time < now_ms + SCHEDULE_AHEAD_MS:
            raise Denied("Scheduled cancel time too early, must be at least 5 seconds from now.")
        day, count = user.firings
        if action.time is not None and day == now_ms // DAY_MS and count >= FIRINGS_A_DAY:
            raise Denied("Too many scheduled cancel triggers today.")
        user.scheduled_ms = action.time
        return DEFAULT

    def _leverage(self, user: User, action: w.UpdateLeverage) -> dict[str, Any]:
        listing = BY_ASSET.get(action.asset)
        if listing is None or not listing.is_perp or not 1 <= action.leverage <= listing.max_leverage:
            raise Denied("Invalid leverage value")
        if action.isCross and listing.only_isolated:
            raise Denied("Cross margin is not allowed for this asset.")
        before = user.leverage_of(listing)
        position = user.positions.get(listing.coin)
        if position is not None and before[1] != action.isCross:
            raise Denied("Cannot switch leverage type with open position.")
        user.leverages[listing.coin] = (action.leverage, action.isCross)
        return DEFAULT

    def _isolated(self, user: User, action: w.UpdateIsolatedMargin) -> dict[str, Any]:
        listing = BY_ASSET.get(action.asset)
        position = None if listing is None else user.positions.get(listing.coin)
        if listing is None or position is None or user.leverage_of(listing)[1]:
            raise Denied("No isolated position to update.")
        amount = Decimal(action.ntli).scaleb(-6)
        if amount < 0 and listing.only_isolated:
            raise Denied("Cannot remove margin from a strict isolated position.")
        if position.isolated_usd + amount < 0 or amount > user.cross_value(self._trading.marks):
            raise Denied("Insufficient margin to update isolated position.")
        position.isolated_usd += amount
        return DEFAULT

    def _reserve(self, user: User, action: w.ReserveRequestWeight) -> dict[str, Any]:
        cost = usd(Decimal(action.weight) * Decimal("0.0005"))
        if action.weight <= 0 or cost > user.cash:
            raise Denied("Insufficient funds to reserve request weight.")
        user.cash -= cost
        user.bought_requests += action.weight
        return DEFAULT

    def _create_sub(self, user: User, action: w.CreateSubAccount) -> dict[str, Any]:
        if user.volume < self.sub_account_needs_usd:
            raise Denied(
                "Cannot create sub-accounts until enough volume traded. "
                f"Required: ${self.sub_account_needs_usd:f}. Traded: ${user.volume:.2f}."
            )
        mine = self._registry.of_master(user.address, "subAccount")
        if len(mine) >= MAX_SUB_ACCOUNTS:
            raise Denied("Too many sub-accounts.")
        address = f"0x{int(user.address, 16) + len(mine) + 1 & (1 << 160) - 1:040x}"
        self._registry.open(address, role="subAccount", master=user.address, name=action.name)
        return {"type": "createSubAccount", "data": address}

    def _transfer(self, user: User, action: w.SubAccountTransfer) -> dict[str, Any]:
        sub = self._registry.user(action.subAccountUser)
        if sub is None or (sub.role, sub.master) != ("subAccount", user.address):
            raise Denied(f"Sub-account not registered: {action.subAccountUser.lower()}")
        amount = Decimal(action.usd).scaleb(-6)
        giver, taker = (user, sub) if action.isDeposit else (sub, user)
        if amount <= 0 or amount > max(ZERO, giver.cross_value(self._trading.marks)):
            raise Denied("Insufficient balance for transfer.")
        giver.cash -= amount
        taker.cash += amount
        delta = {
            "type": "subAccountTransfer",
            "usdc": str(amount),
            "user": user.address,
            "destination": sub.address,
        }
        for each in (giver, taker):
            each.ledger.append({"time": self._now_ms(), "hash": "0x" + "0" * 64, "delta": delta})
        return DEFAULT

    def _approve(self, user: User, action: w.ApproveAgent) -> dict[str, Any]:
        now_ms, name, until_ms = self._now_ms(), action.agentName or "", 0
        stated = re.fullmatch(r"(.*) valid_until (\d{1,16})", name)
        if stated:
            name, until_ms = stated[1], int(stated[2])
        until_ms = min(until_ms or now_ms + MAX_AGENT_MS, now_ms + MAX_AGENT_MS)
        mine = [a for a in self._registry.agents.values() if a.master == user.address and a.name]
        if name and name not in {a.name for a in mine} and len(mine) >= MAX_NAMED_AGENTS:
            raise Denied(
                f"Too many extra agents for cumulative volume traded. Current limit is {MAX_NAMED_AGENTS}"
            )
        for gone in self._registry.approve(Agent(action.agentAddress.lower(), user.address, name, until_ms)):
            self.nonces.forget(gone)
        return DEFAULT

    def prune(self, now_ms: int) -> None:
        """Forget the agents whose time is over, and their nonces with them."""
        for gone in self._registry.expired(now_ms):
            self.nonces.forget(gone)


def request_cap(user: User) -> int:
    """Return how many actions an address may have made by now."""
    return FREE_REQUESTS + int(user.volume) + user.bought_requests


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))


def _oid_in(status: Status) -> int:
    """Return the order id that a status names; 0 for none."""
    if isinstance(status, dict):
        for word in ("resting", "filled"):
            if word in status:
                return int(status[word]["oid"])
    return 0


def _statuses(kind: str, statuses: list[Status]) -> dict[str, Any]:
    return {"type": kind, "data": {"statuses": statuses}}


def _text(status: int, body: bytes) -> Response:
    return Response(status, {"content-type": "text/plain; charset=utf-8"}, body)
