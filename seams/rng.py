"""Chance: named, independent, seeded streams, so that one more draw here moves nothing there."""

from __future__ import annotations

import hashlib
import random
import secrets

Stream = random.Random
"""One stream of chance, for annotations."""


class Rng:
    """A tree of random streams grown from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, *names: str | int) -> random.Random:
        """Return a fresh generator for this name; the same seed and name always give the same draws."""
        text = ":".join(str(part) for part in (self.seed, *names))
        return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


def secret_token(size_bytes: int = 24) -> str:
    """Return an unguessable URL-safe token from the operating system (credentials, arming nonces)."""
    return secrets.token_urlsafe(size_bytes)


def secret_bytes(size: int) -> bytes:
    """Return unguessable bytes from the operating system (WebSocket masks and handshakes)."""
    return secrets.token_bytes(size)
