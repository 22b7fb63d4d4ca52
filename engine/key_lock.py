"""One engine for one key of a venue, whichever home it runs in: two would use each other's nonces.

The locks lie in a folder of the user's, outside every home, each named by a fingerprint of venue, address and
public key. The kernel gives one back when its process dies. Another user, or another host, is not seen: that
is what foreign orders and nonces out of turn tell (venues.md, faults 20 and 21).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from platformdirs import user_state_path

from engine.config.settings import Settings
from engine.lock import AlreadyRunning, EngineLock
from engine.venue import load_key
from safety.reasons import Refusal
from venues.contract import VenueAdapter
from venues.keyfile import KeyFile
from venues.types import Environment

FOLDER_NAME = "INTERLOCK_KEY_LOCKS"
"""Names another folder, such as one on a disk that several users share."""
FINGERPRINT = 32


def lock_folder(environ: Mapping[str, str]) -> Path:
    """Return where this user's locks of keys lie."""
    named = environ.get(FOLDER_NAME, "")
    return Path(named).expanduser() if named else user_state_path("interlock") / "keys"


def lock_of(folder: Path, signer: str, address: str) -> EngineLock:
    """Return the lock of one key at one address of a venue; not yet taken."""
    name = sha256(f"{signer} {address}".encode()).hexdigest()[:FINGERPRINT]
    return EngineLock(folder / f"{name}.lock", "an engine with this key")


def hold_key(folder: Path, signer: str, address: str) -> EngineLock:
    """Take the lock of a key. Raises `Refusal` (key_in_use), or `OSError` where the folder cannot be used."""
    lock = lock_of(folder, signer, address)
    try:
        lock.acquire()
    except AlreadyRunning as error:
        holder = f"process {error.pid}" if error.pid else "another process"
        raise Refusal("key_in_use", f"{signer} is used by {holder}, in another home") from None
    return lock


def demand_apart(settings: Settings) -> None:
    """Refuse one key for the engine and its watchdog: each would use up the other's nonces, and a watchdog
    that is to cancel when the engine does not would be refused. Raises `Refusal` (invalid_config).

    A key that this user cannot read is another user's, and so another one.
    """
    named = {
        "execution.venue_key_file": settings.execution.venue_key_file,
        "watchdog.key_file": settings.watchdog.key_file,
    }
    try:
        ours, watchdogs = (load_key(name, path) if path else None for name, path in named.items())
    except Refusal:
        return
    if ours is None or watchdogs is None or not _keys(ours) & _keys(watchdogs):
        return
    raise Refusal("invalid_config", f"{' and '.join(named)} hold one key of {ours.venue}; each needs its own")


def _keys(file: KeyFile) -> set[str]:
    return {each for each in (file.key, file.ask_key) if each}


def hold_own(venue: VenueAdapter | None, settings: Settings, environ: Mapping[str, str]) -> EngineLock | None:
    """Take the lock of the key that an engine was configured with; None where it has none to take.

    A loopback's key is nobody's money, and each run has another address: there the lock is taken only where a
    folder is named. Raises `Refusal` (key_in_use), or `OSError`.
    """
    is_loopback = Environment(settings.engine.environment) is Environment.SANDBOX
    if venue is None or (is_loopback and not environ.get(FOLDER_NAME)):
        return None
    address = f"{settings.engine.environment} {settings.execution.venue_url}"
    return hold_key(lock_folder(environ), venue.signer, address)
