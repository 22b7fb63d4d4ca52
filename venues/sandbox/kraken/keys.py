"""Who may ask the loopback Kraken what: API keys, signatures over the raw bytes, nonces, lockouts."""

from __future__ import annotations

import base64
import hashlib
import hmac
from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec

from seams.clock import NS_PER_S
from seams.http import Request
from venues.sandbox.kraken.books import KrakenError

MAX_NONCE = 2**64 - 1
NONCES_KEPT = 1_000
LOCKOUT_AFTER = 20
LOCKOUT_NS = 15 * 60 * NS_PER_S
QUERY, TRADE, CLOSE, WITHDRAW, SOCKET = (
    "query-funds",
    "modify-trades",
    "close-trades",
    "withdraw-funds",
    "create-ws-token",
)
READS = frozenset({QUERY, "query-open-trades", "query-closed-trades", "query-ledger"})


@dataclass(slots=True)
class ApiKey:
    """One key of one account. With a window, a nonce may be up to so much below the highest, once."""

    key: str
    secret: str
    account: str
    permissions: frozenset[str]
    nonce_window: int = 0
    valid_until_ns: int = 0
    highest: int = 0
    failures: int = 0
    locked_until_ns: int = 0
    used: list[int] = field(default_factory=list)


Fields = Mapping[str, str]


def signature(secret: str, path: str, nonce: str, body: bytes) -> str:
    """Return `API-Sign` (docs.kraken.com, "Spot REST authentication"): HMAC-SHA512 with the decoded secret
    over path + SHA-256(nonce + body)."""
    inner = hashlib.sha256(nonce.encode() + body).digest()
    return base64.b64encode(
        hmac.new(base64.b64decode(secret), path.encode() + inner, hashlib.sha512).digest()
    ).decode()


class Gate:
    """Lets signed requests in. Every refusal is a `KrakenError` in the venue's words."""

    def __init__(self, keys: tuple[ApiKey, ...]) -> None:
        self.keys = {key.key: key for key in keys}

    def admit(self, request: Request, now_ns: int) -> tuple[ApiKey, Fields]:
        """Return the key that signed a request, and its fields; its nonce is used up."""
        key = self.keys.get(request.headers.get("api-key", ""))
        if key is None or (key.valid_until_ns and now_ns > key.valid_until_ns):
            raise KrakenError("EAPI:Invalid key")
        if now_ns < key.locked_until_ns:
            raise KrakenError("EGeneral:Temporary lockout")
        fields = fields_of(request)
        nonce = fields.get("nonce", "")
        given = request.headers.get("api-sign", "")
        if not hmac.compare_digest(signature(key.secret, request.target, nonce, request.body), given):
            self._fail(key, now_ns)
            raise KrakenError("EAPI:Invalid signature")
        if not (nonce.isascii() and nonce.isdigit() and self._take_nonce(key, int(nonce))):
            self._fail(key, now_ns)
            raise KrakenError("EAPI:Invalid nonce")
        key.failures = 0
        return key, fields

    def _take_nonce(self, key: ApiKey, nonce: int) -> bool:
        """Use a nonce up: above the highest, or inside the key's window and not used before."""
        if nonce > MAX_NONCE or nonce in key.used or nonce <= key.highest - key.nonce_window:
            return False
        if nonce <= key.highest and len(key.used) == NONCES_KEPT and nonce < key.used[0]:
            return False
        insort(key.used, nonce)
        del key.used[:-NONCES_KEPT]
        key.highest = max(key.highest, nonce)
        return True

    def _fail(self, key: ApiKey, now_ns: int) -> None:
        key.failures += 1
        if key.failures >= LOCKOUT_AFTER:
            key.failures, key.locked_until_ns = 0, now_ns + LOCKOUT_NS


def fields_of(request: Request) -> Fields:
    """Return a request's fields: a form, or a flat JSON object. Raises `KrakenError`."""
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            read = msgspec.json.decode(request.body, type=dict[str, str | int | float | bool | None])
            return {name: _text(value) for name, value in read.items() if value is not None}
        pairs = parse_qsl(
            request.body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(request.body)
        )
    except (ValueError, msgspec.MsgspecError):
        raise KrakenError("EGeneral:Invalid arguments") from None
    return dict(pairs)


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
