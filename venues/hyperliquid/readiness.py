"""What must be true before an order may leave: our keys sign for this account, and we can read its books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from venues.hyperliquid import translate
from venues.hyperliquid.client import HyperliquidClient
from venues.keyfile import KeyFile
from venues.types import Record

MODES = frozenset({"disabled", "default"})
"""Account modes whose balances `clearinghouseState` shows (venues.md, fault 59)."""
DAY_MS = 86_400_000
KEY_WARNING_DAYS = 14


class Readiness(Record):
    """Why orders may not leave (`problems`, none is good), what will soon be one, and the account's fees."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    fees_bps: tuple[Decimal, Decimal]


UNASKED = Readiness(
    problems=("the venue has not been asked yet",), warnings=(), fees_bps=(Decimal("1.5"), Decimal("4.5"))
)


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
    problems = [await _key_problem(client, key, address, now_ms, said) for address in _ours(key)]
    if key.vault:
        problems.append(await _vault_problem(client, key, said))
    if "mode" not in said:
        said["mode"] = await client.about_us("userAbstraction")
    if said["mode"] not in MODES:
        problems.append(f"account mode {str(said['mode'])[:40]!r} is not one that we can read")
    if "fees" not in said:
        said["fees"] = _fees_bps(translate.table(await client.about_us("userFees")))
    return Readiness(
        problems=tuple(each for each in problems if each),
        warnings=tuple(_expiries(key, now_ms, said["agents"])),
        fees_bps=said["fees"],
    )


def _fees_bps(said: translate.Json) -> tuple[Decimal, Decimal]:
    return translate.amount(said, "userAddRate") * 10_000, translate.amount(said, "userCrossRate") * 10_000


def _ours(key: KeyFile) -> list[str]:
    return sorted({key.key.lower(), key.ask_key.lower()})


async def _key_problem(
    client: HyperliquidClient, key: KeyFile, address: str, now_ms: int, answered: Answered
) -> str:
    """Return why a key may not sign: it is nobody's agent, or somebody else's; empty where it may.

    Its role is asked only where the account's list does not name it: that question is the costliest.
    """
    listed = [each for each in answered["agents"] if str(each.get("address")).lower() == address]
    if any(translate.number(each, "validUntil") > now_ms for each in listed):
        return ""
    if address not in answered:
        answered[address] = translate.table(await client.ask("userRole", user=address))
    said = answered[address]
    role, master = said.get("role"), translate.table(said.get("data") or {}).get("user", "")
    if role == "user" and address == key.account.lower():
        return ""  # a direct wallet signs for itself
    if (role, str(master).lower()) == ("agent", key.account.lower()):
        return ""
    return f"{address} is {str(role)[:20]!r}, not an agent of {key.account}"


async def _vault_problem(client: HyperliquidClient, key: KeyFile, answered: Answered) -> str:
    """Return why our keys may not act for the sub-account or vault; empty where its master is our account.

    The venue would refuse each order for it; asked here, it is told before anybody approves one.
    """
    vault, master = key.vault.lower(), key.account.lower()
    if "vault" not in answered:
        said = translate.table(await client.ask("userRole", user=vault))
        if said.get("role") == "vault":
            said = {"role": "vault", "data": await client.ask("vaultDetails", vaultAddress=vault)}
        answered["vault"] = said
    role, data = answered["vault"].get("role"), translate.table(answered["vault"].get("data") or {})
    leader = str(data.get({"subAccount": "master", "vault": "leader"}.get(str(role), ""), "")).lower()
    if leader and leader == master:
        return ""
    return f"{vault} is {str(role)[:20]!r}, not a sub-account or vault of {key.account}"


def _expiries(key: KeyFile, now_ms: int, agents: list[translate.Json]) -> list[str]:
    """Return a line for each of our keys that will soon be refused."""
    found = []
    for each in agents:
        left_ms = translate.number(each, "validUntil") - now_ms
        if str(each.get("address")).lower() in _ours(key) and left_ms < KEY_WARNING_DAYS * DAY_MS:
            found.append(f"{each['address']} expires in {left_ms // DAY_MS} days")
    return found
