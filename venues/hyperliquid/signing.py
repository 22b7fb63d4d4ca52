"""Signatures of Hyperliquid: made and recovered by the venue's own SDK, never by code of ours.

Both ends use it: the adapter signs, the loopback exchange recovers. A recovered address says who signed;
with one byte changed it is merely another, random address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_account import Account
from eth_account.datastructures import SignedMessage
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from hyperliquid.utils import signing as sdk

from venues.types import Record

Action = dict[str, Any]
"""One action as the venue defines it; the order of its keys is part of what is signed."""


class Signature(Record):
    """A signature as it travels; `r` and `s` are hexadecimal and not always padded."""

    r: str
    s: str
    v: int


class Unrecoverable(ValueError):
    """These bytes are no signature of anything."""


class Wallet(LocalAccount):
    """A signing account that keeps its key: from bytes, the library would derive the public key anew for
    each signature, which is a fifth of the time of one (docs/benchmarks.md)."""

    def sign_message(self, signable_message: SignableMessage) -> SignedMessage:
        """Sign as `LocalAccount.sign_message` does."""
        made: SignedMessage = self._publicapi.sign_message(signable_message, private_key=self._key_obj)
        return made


def wallet_of(private_key: str) -> LocalAccount:
    """Return the signing account of a private key. Raises `ValueError`; the key is not repeated."""
    try:
        made: LocalAccount = Account.from_key(private_key)
        return Wallet(made._key_obj, Account())
    except Exception as error:
        raise ValueError("not a private key of 32 bytes in hexadecimal") from error


def sign_l1(
    wallet: LocalAccount,
    action: Action,
    nonce: int,
    *,
    vault: str | None,
    expires_ms: int | None,
    is_mainnet: bool,
) -> Signature:
    """Sign an action of the trading surface (orders, cancels, leverage, noop ...)."""
    made = sdk.sign_l1_action(wallet, action, vault, nonce, expires_ms, is_mainnet)
    return Signature(r=made["r"], s=made["s"], v=made["v"])


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
        raise Unrecoverable(type(error).__name__) from error
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
        raise Unrecoverable(type(error).__name__) from error
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
