"""Signatures of Hyperliquid, as the venue's own SDK makes and recovers them.

Both ends use it: the adapter signs, the loopback exchange recovers. A recovered address says who signed;
with one byte changed it is merely another, random address. The SDK makes what an action is hashed to and
what surrounds that hash; only the part of the surroundings that never changes is kept (`Surroundings`),
because the SDK would encode it anew for every order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from coincurve import PrivateKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak as keccak256
from eth_utils.crypto import keccak
from hyperliquid.utils import signing as sdk

from venues.types import Record

Action = dict[str, Any]
"""One action as the venue defines it; the order of its keys is part of what is signed."""
V_OFFSET = 27
"""What a signature's `v` is above the number of the point that it recovers to."""


class Signature(Record):
    """A signature as it travels; `r` and `s` are hexadecimal and not always padded."""

    r: str
    s: str
    v: int


class Unrecoverable(ValueError):
    """These bytes are no signature of anything."""


class Wallet(LocalAccount):
    """A signing account that keeps its key as the curve's own library takes it: from bytes, the public key
    would be derived anew for each signature (docs/benchmarks.md)."""

    def __init__(self, made: LocalAccount) -> None:
        super().__init__(made._key_obj, Account())
        self.curve_key = PrivateKey(bytes(made.key))


class Surroundings(Record):
    """What one network's L1 signatures cover besides an action's hash, as EIP-712 defines it: `domain` is the
    domain's hash behind its two bytes, `agent` the hash of the agent's type and of its source."""

    domain: bytes
    agent: bytes

    def digest(self, action_hash: bytes) -> bytes:
        """Return the 32 bytes that are signed for an action's hash."""
        return bytes(keccak256(self.domain + keccak256(self.agent + action_hash)))


def wallet_of(private_key: str) -> Wallet:
    """Return the signing account of a private key. Raises `ValueError`; the key is not repeated."""
    try:
        return Wallet(Account.from_key(private_key))
    except Exception as error:
        raise ValueError("not a private key of 32 bytes in hexadecimal") from error


@cache
def surroundings(is_mainnet: bool) -> Surroundings:
    """Return a network's surroundings, taken from the SDK's own payload.

    Raises `ValueError` where the SDK encodes another payload than this one: then nothing is signed.
    """
    payload = sdk.l1_payload(sdk.construct_phantom_agent(bytes(32), is_mainnet))
    agent_type = "Agent(string source,bytes32 connectionId)"
    source = keccak256(str(payload["message"]["source"]).encode())
    encoded = encode_typed_data(full_message=payload)
    made = Surroundings(
        domain=b"\x19" + encoded.version + encoded.header, agent=keccak256(agent_type.encode()) + source
    )
    if keccak256(made.agent + bytes(32)) != encoded.body:
        raise ValueError("the SDK surrounds an action with something else than an agent of two fields")
    return made


def sign_l1(
    wallet: Wallet,
    action: Action,
    nonce: int,
    *,
    vault: str | None,
    expires_ms: int | None,
    is_mainnet: bool,
) -> Signature:
    """Sign an action of the trading surface (orders, cancels, leverage, noop ...)."""
    hashed = sdk.action_hash(action, vault, nonce, expires_ms)
    made = wallet.curve_key.sign_recoverable(surroundings(is_mainnet).digest(hashed), hasher=None)
    r, s = int.from_bytes(made[:32], "big"), int.from_bytes(made[32:64], "big")
    return Signature(r=hex(r), s=hex(s), v=V_OFFSET + made[64])


def action_hash(action: Action, nonce: int, *, vault: str | None, expires_ms: int | None) -> str:
    """Return the hash that an L1 signature covers, as 0x and 64 digits."""
    return "0x" + bytes(sdk.action_hash(action, vault, nonce, expires_ms)).hex()


def signer_of_l1(
    action: Action,
    signature: Mapping[str, Any],
    nonce: int,
    *,
    vault: str | None,
    expires_ms: int | None,
    is_mainnet: bool,
) -> str:
    """Return the address that signed an L1 action, in lower case. Raises `Unrecoverable`."""
    padded = _padded(signature)
    try:
        found = sdk.recover_agent_or_user_from_l1_action(action, padded, vault, nonce, expires_ms, is_mainnet)
    except Exception as error:  # the key library raises many kinds for points that lie on no curve
        raise Unrecoverable("no key can have made this signature") from error
    return str(found).lower()


def signer_of_user_action(
    action: Action, signature: Mapping[str, Any], types: list[dict[str, str]], primary: str
) -> str:
    """Return the address that signed a user-signed action (approveAgent ...). Raises `Unrecoverable`."""
    padded = _padded(signature)
    is_mainnet = action.get("hyperliquidChain") == "Mainnet"
    try:
        found = sdk.recover_user_from_user_signed_action(dict(action), padded, types, primary, is_mainnet)
    except Exception as error:
        raise Unrecoverable("no key can have made this signature") from error
    return str(found).lower()


def throwaway_key(*parts: str | int) -> str:
    """Return a private key made from these words: for loopback accounts only, since anyone can make it."""
    return "0x" + bytes(keccak(text=":".join(str(part) for part in ("interlock-sandbox", *parts)))).hex()


def _padded(signature: Mapping[str, Any]) -> dict[str, Any]:
    """Return r and s with 64 digits, as the key library wants them."""
    try:
        r, s, v = str(signature["r"]), str(signature["s"]), int(signature["v"])
        return {"r": f"0x{int(r, 16):064x}", "s": f"0x{int(s, 16):064x}", "v": v}
    except (KeyError, ValueError, TypeError) as error:
        raise Unrecoverable("not a signature of r, s and v") from error
