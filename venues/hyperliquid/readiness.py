"""What must be true before an order may leave: our keys sign for this account, and we can read its books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from venues.contract import VenueError
from venues.hyperliquid import translate
from venues.hyperliquid.client import HyperliquidClient
from venues.keyfile import KeyFile
from venues.types import ExecutionContext, Record, RoutingTarget, SignerType, TransportPreference

MODES = frozenset({"disabled", "default"})
"""Account modes whose balances `clearinghouseState` shows (venues.md, fault 59)."""
DAY_MS = 86_400_000
KEY_WARNING_DAYS = 14


AGENT, USER, VAULT, SUB_ACCOUNT, MISSING = "agent", "user", "vault", "subAccount", "missing"
ROLES = frozenset({AGENT, USER, VAULT, SUB_ACCOUNT, MISSING})


class Problem(Record):
    """One thing that keeps orders from leaving: its code, and what it is about."""

    code: str
    said: str


class Readiness(Record):
    """Why orders may not leave (`found`, none is good), what will soon be one, and the account's fees.

    `roles`: address in lower case -> its role, as far as the venue has told it.
    """

    found: tuple[Problem, ...]
    warnings: tuple[str, ...]
    fees_bps: tuple[Decimal, Decimal]
    roles: dict[str, str] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(each.said for each in self.found)


UNASKED = Readiness(
    found=(Problem(code="account_visibility_unavailable", said="the venue has not been asked yet"),),
    warnings=(),
    fees_bps=(Decimal("1.5"), Decimal("4.5")),
)


def unanswered(error: Exception) -> Readiness:
    """Return what is known where the venue did not say enough: that nothing is."""
    said = str(error) if isinstance(error, VenueError) else f"an answer that cannot be read: {error}"
    kept = (Problem(code="account_visibility_unavailable", said=said),)
    return Readiness(found=kept, warnings=(), fees_bps=UNASKED.fees_bps)


Answered = dict[str, Any]
"""What the venue has said already, by question: one that gets no answer does not cost the others again."""


async def examine(
    client: HyperliquidClient, key: KeyFile, now_ms: int, answered: Answered | None = None
) -> Readiness:
    """Ask the venue about keys, account mode and fees; `answered` keeps what it says for the next try.

    Raises `VenueError` or `ValueError`.
    """
    said = {} if answered is None else answered
    if "agents" not in said:
        said["agents"] = translate.rows(await client.ask("extraAgents", user=key.account.lower()))
    found = [await _key_problem(client, key, address, now_ms, said) for address in _ours(key)]
    if key.vault:
        found.append(await _vault_problem(client, key, said))
    if "mode" not in said:
        said["mode"] = await client.about_us("userAbstraction")
    if said["mode"] not in MODES:
        what = f"account mode {str(said['mode'])[:40]!r} is not one that we can read"
        found.append(Problem(code="account_mode_unreadable", said=what))
    if "fees" not in said:
        said["fees"] = _fees_bps(translate.table(await client.about_us("userFees")))
    return Readiness(
        found=tuple(each for each in found if each is not None),
        warnings=tuple(_expiries(key, now_ms, said["agents"])),
        fees_bps=said["fees"],
        roles=_roles(key, said),
    )


def context(key: KeyFile, found: Readiness, expires_ns: int | None = None) -> ExecutionContext:
    """Return which account, signer and road an order would use."""
    routing = {"": RoutingTarget.ACCOUNT, VAULT: RoutingTarget.VAULT}
    role = found.roles.get(key.vault.lower(), SUB_ACCOUNT) if key.vault else ""
    is_direct = key.key.lower() == key.account.lower()
    return ExecutionContext(
        execution_account_id=key.trades.lower(),
        signer_id=key.key.lower(),
        signer_type=SignerType.DIRECT if is_direct else SignerType.AGENT_WALLET,
        routing_target=routing.get(role, RoutingTarget.SUBACCOUNT),
        transport_preference=TransportPreference.REST,
        expires_after_ns=expires_ns,
    )


def _roles(key: KeyFile, answered: Answered) -> dict[str, str]:
    """Return the roles that were told. Whose role was not asked is in the account's list of agents, and an
    account that has agents is a user."""
    found = {each: str(answered[each].get("role")) if each in answered else AGENT for each in _ours(key)}
    if AGENT in found.values():
        found.setdefault(key.account.lower(), USER)
    if key.vault:
        found[key.vault.lower()] = str(answered["vault"].get("role"))
    return found


def _fees_bps(said: translate.Json) -> tuple[Decimal, Decimal]:
    return translate.amount(said, "userAddRate") * 10_000, translate.amount(said, "userCrossRate") * 10_000


def _ours(key: KeyFile) -> list[str]:
    return sorted({key.key.lower(), key.ask_key.lower()})


async def _key_problem(
    client: HyperliquidClient, key: KeyFile, address: str, now_ms: int, answered: Answered
) -> Problem | None:
    """Return why a key may not sign: it is nobody's agent, or somebody else's; None where it may.

    Its role is asked only where the account's list does not name it: that question is the costliest.
    """
    listed = [each for each in answered["agents"] if str(each.get("address")).lower() == address]
    if any(translate.number(each, "validUntil") > now_ms for each in listed):
        return None
    if address not in answered:
        answered[address] = translate.table(await client.ask("userRole", user=address))
    said = answered[address]
    role, master = said.get("role"), translate.table(said.get("data") or {}).get("user", "")
    if role == USER and address == key.account.lower():
        return None  # a direct wallet signs for itself
    if (role, str(master).lower()) == (AGENT, key.account.lower()):
        return None
    code = "signer_role_mismatch" if role in ROLES - {MISSING} else "signer_role_unknown"
    return Problem(code=code, said=f"{address} is {str(role)[:20]!r}, not an agent of {key.account}")


async def _vault_problem(client: HyperliquidClient, key: KeyFile, answered: Answered) -> Problem | None:
    """Return why our keys may not act for the sub-account or vault; None where its master is our account.

    The venue would refuse each order for it; asked here, it is told before anybody approves one.
    """
    vault, master = key.vault.lower(), key.account.lower()
    if "vault" not in answered:
        said = translate.table(await client.ask("userRole", user=vault))
        if said.get("role") == VAULT:
            said = {"role": VAULT, "data": await client.ask("vaultDetails", vaultAddress=vault)}
        answered["vault"] = said
    role, data = answered["vault"].get("role"), translate.table(answered["vault"].get("data") or {})
    leader = str(data.get({SUB_ACCOUNT: "master", VAULT: "leader"}.get(str(role), ""), "")).lower()
    if leader and leader == master:
        return None
    codes = {MISSING: "execution_account_missing", VAULT: "execution_account_not_vault"}
    code = codes.get(str(role), "execution_account_not_subaccount")
    return Problem(
        code=code, said=f"{vault} is {str(role)[:20]!r}, not a sub-account or vault of {key.account}"
    )


def _expiries(key: KeyFile, now_ms: int, agents: list[translate.Json]) -> list[str]:
    """Return a line for each of our keys that will soon be refused."""
    found = []
    for each in agents:
        left_ms = translate.number(each, "validUntil") - now_ms
        if str(each.get("address")).lower() in _ours(key) and left_ms < KEY_WARNING_DAYS * DAY_MS:
            found.append(f"{each['address']} expires in {left_ms // DAY_MS} days")
    return found
