"""What must be true before an order may leave: our keys sign for this account, and we can read its books."""

from __future__ import annotations

from decimal import Decimal

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


async def examine(client: HyperliquidClient, key: KeyFile, now_ms: int) -> Readiness:
    """Ask the venue about keys, account mode and fees. Raises `VenueError` or `ValueError`."""
    problems = [await _key_problem(client, key, address) for address in _ours(key)]
    mode = await client.about_us("userAbstraction")
    if mode not in MODES:
        problems.append(f"account mode {str(mode)[:40]!r} is not one that we can read")
    fees = translate.table(await client.about_us("userFees"))
    maker, taker = translate.amount(fees, "userAddRate"), translate.amount(fees, "userCrossRate")
    return Readiness(
        problems=tuple(each for each in problems if each),
        warnings=tuple(await _expiries(client, key, now_ms)),
        fees_bps=(maker * 10_000, taker * 10_000),
    )


def _ours(key: KeyFile) -> list[str]:
    return sorted({key.key.lower(), key.ask_key.lower()})


async def _key_problem(client: HyperliquidClient, key: KeyFile, address: str) -> str:
    """Return why a key may not sign: it is nobody's agent, or somebody else's; empty where it may."""
    said = translate.table(await client.ask("userRole", user=address))
    role, master = said.get("role"), translate.table(said.get("data") or {}).get("user", "")
    if role == "user" and address == key.account.lower():
        return ""  # a direct wallet signs for itself
    if (role, str(master).lower()) == ("agent", key.account.lower()):
        return ""
    return f"{address} is {str(role)[:20]!r}, not an agent of {key.account}"


async def _expiries(client: HyperliquidClient, key: KeyFile, now_ms: int) -> list[str]:
    """Return a line for each of our keys that will soon be refused."""
    found = []
    for each in translate.rows(await client.ask("extraAgents", user=key.account.lower())):
        left_ms = translate.number(each, "validUntil") - now_ms
        if str(each.get("address")).lower() in _ours(key) and left_ms < KEY_WARNING_DAYS * DAY_MS:
            found.append(f"{each['address']} expires in {left_ms // DAY_MS} days")
    return found
