"""What a signed order says, for a person and for the record: its action, what was hashed, and who signed it.

Everything is read back from the bytes that would leave; whose signature it is comes from the signature alone.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
from hyperliquid.utils import signing as sdk

from seams.http import decode_request
from venues.hyperliquid.signing import Unrecoverable, action_hash, signer_of_l1

SCHEME, SCOPE = "hyperliquid_l1_action", "signer"
SIGNED, MISMATCH = "signed", "signer_identity_mismatch"
KEY_SOURCE = "execution.venue_key_file"


def envelope(wire: bytes, signer_id: str, *, is_mainnet: bool) -> dict[str, Any]:
    """Return the envelope of an order's bytes; its `signature_state` is `signed` only where the signature
    recovers to `signer_id`, the address that the venue is to know."""
    request = decode_request(wire)
    assert request is not None, "a signed order is one whole request"
    said: dict[str, Any] = msgspec.json.decode(request[0].body)
    payload = {name: said[name] for name in ("action", "nonce", "vaultAddress", "expiresAfter")}
    vault, expires_ms = said["vaultAddress"], said["expiresAfter"]
    hashed = action_hash(said["action"], said["nonce"], vault=vault, expires_ms=expires_ms)
    agent = {"source": "a" if is_mainnet else "b", "connectionId": hashed}
    derived = ""
    try:
        derived = signer_of_l1(
            said["action"],
            said["signature"],
            said["nonce"],
            vault=vault,
            expires_ms=expires_ms,
            is_mainnet=is_mainnet,
        )
    except Unrecoverable as error:
        reason = f"no signer: {error}"
    else:
        reason = "" if derived == signer_id else f"{derived} signed, not {signer_id}"
    return {
        "signer_id": signer_id,
        "nonce_scope": SCOPE,
        "signing_scheme": SCHEME,
        "signature_state": MISMATCH if reason else SIGNED,
        "signature_present": True,
        "signature_reason": reason,
        "signing_payload": payload,
        "signing_payload_sha256": sha256(msgspec.json.encode(payload)).hexdigest(),
        "action_hash": hashed,
        "phantom_agent": agent,
        "signature": said["signature"],
        "derived_signer_address": derived,
        "private_key_source": KEY_SOURCE,
        "eip712_payload": sdk.l1_payload(agent),
    }
