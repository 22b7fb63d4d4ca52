"""Who a person is: a name with an Ed25519 key of their own (RFC 8032). Two persons are two keys (C22).

The desk keeps only public keys, one file for each operator; a private key is the person's own 0600 file.
What is read is read anew for every signature, so that a revoked key counts no longer at once (I22).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from safety.canonical import canonical
from safety.reasons import Refusal
from safety.secrets import KeyReference, load_secret
from seams.disk import Disk
from venues.types import Record

if TYPE_CHECKING:
    from Crypto.PublicKey.ECC import EccKey

KEY_BYTES = 32
MAX_FILE_BYTES = 4_096
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


class Enrolled(Record):
    """An operator's public key (hexadecimal); `revoked_ns` is 0 while it counts."""

    operator: str
    public_key: str
    enrolled_ns: int
    revoked_ns: int = 0

    @property
    def key_id(self) -> str:
        """Return the short name of the key: what stands in the record as the principal."""
        return key_id(bytes.fromhex(self.public_key))


class OperatorKey:
    """A person's private key; it signs and shows only its public half."""

    def __init__(self, seed: bytes) -> None:
        """`seed` is the 32 bytes of the key. Raises `Refusal("secret_missing")` for another length."""
        if len(seed) != KEY_BYTES:
            raise Refusal("secret_missing", f"an operator key has {KEY_BYTES} bytes")
        self._key: EccKey = _eddsa().import_private_key(seed)

    @classmethod
    def load(cls, path: str) -> OperatorKey:
        """Read a key file: 64 hexadecimal digits, mode 0600. Raises `Refusal` where it cannot be used."""
        secret = load_secret(KeyReference(name="the operator key", path=path))
        try:
            return cls(bytes.fromhex(secret.reveal()))
        except ValueError:
            raise Refusal("secret_missing", "the operator key is not hexadecimal") from None

    @property
    def public_key(self) -> str:
        return bytes(self._key.public_key().export_key(format="raw")).hex()

    def sign(self, message: bytes) -> str:
        """Return the signature of some bytes in hexadecimal."""
        return bytes(_eddsa().new(self._key, "rfc8032").sign(message)).hex()


def key_id(public_key: bytes) -> str:
    """Return the first 16 hexadecimal digits of a public key's SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def enrol(disk: Disk, folder: Path, operator: str, public_key: str, at_ns: int) -> Enrolled:
    """Write down an operator's public key in place of any before it.

    Raises `Refusal`: operator_required for a name that is none, signature_invalid for a key that is none.
    """
    try:
        _eddsa().import_public_key(bytes.fromhex(public_key))
    except ValueError:
        raise Refusal("signature_invalid", "that is no Ed25519 public key in hexadecimal") from None
    made = Enrolled(operator=operator, public_key=public_key.lower(), enrolled_ns=at_ns)
    disk.make_folder(folder)
    disk.write_atomic(_path(folder, operator), canonical(made), 0o600)
    return made


def revoke(disk: Disk, folder: Path, operator: str, at_ns: int) -> Enrolled:
    """Let an operator's key count no longer. Raises `Refusal("not_found")` where there is none."""
    found = enrolled(disk, folder, operator)
    if found is None:
        raise Refusal("not_found", f"no key of {operator}")
    gone = Enrolled(
        operator=found.operator, public_key=found.public_key, enrolled_ns=found.enrolled_ns, revoked_ns=at_ns
    )
    disk.write_atomic(_path(folder, operator), canonical(gone), 0o600)
    return gone


def enrolled(disk: Disk, folder: Path, operator: str) -> Enrolled | None:
    """Return an operator's key on file, a revoked one included; None where there is none.

    A file that cannot be read, or is another's, proves nobody. Raises `Refusal("signature_invalid")`.
    """
    path = _path(folder, operator)
    if not disk.exists(path):
        return None
    try:
        found = msgspec.json.decode(disk.read(path)[:MAX_FILE_BYTES], type=Enrolled)
        bytes.fromhex(found.public_key)
    except (OSError, ValueError, msgspec.MsgspecError):
        raise Refusal("signature_invalid", f"the key file of {operator} cannot be read") from None
    if found.operator != operator:
        raise Refusal("signature_invalid", f"the key file of {operator} names {found.operator}")
    return found


def principal_of(disk: Disk, folder: Path, operator: str, message: bytes, signature: str) -> str:
    """Return the id of the key that signed as this operator; empty where nothing is signed.

    Raises `Refusal("signature_invalid")` for a signature that is not of the key on file, in force.
    """
    if not signature:
        return ""
    found = enrolled(disk, folder, operator)
    if found is None or found.revoked_ns:
        raise Refusal("signature_invalid", f"no key of {operator} is in force")
    eddsa, raw = _eddsa(), bytes.fromhex(found.public_key)
    try:
        eddsa.new(eddsa.import_public_key(raw), "rfc8032").verify(message, bytes.fromhex(signature))
    except ValueError:
        raise Refusal("signature_invalid", operator) from None
    return found.key_id


def _path(folder: Path, operator: str) -> Path:
    if not _FILE_NAME.fullmatch(operator):
        raise Refusal("operator_required", "a name of letters, digits and . _ @ -")
    return folder / f"{operator}.json"


def _eddsa() -> Any:
    """Import what signs only where somebody signs: it takes a tenth of a second."""
    from Crypto.Signature import eddsa

    return eddsa
