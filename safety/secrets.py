"""Keys by reference: a private file outside the repository, and a value that never prints (QL-62)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NoReturn

from safety.reasons import Refusal
from venues.types import Record

MAX_SECRET_BYTES = 16_384
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Secret:
    """A value that shows as `***` everywhere; `reveal()` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value; call it only where it is used, and keep no other copy."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")


class KeyReference(Record):
    """Where a key is kept; safe to log and to put in a configuration."""

    name: str
    path: str


def load_secret(reference: KeyReference, repository: Path | None = None) -> Secret:
    """Read a key file: a regular file, ours, mode 0600 or stricter, outside `repository`.

    Raises `Refusal` with secret_missing or secret_exposed; the message never holds the value.
    """
    path = Path(reference.path).expanduser()
    if repository is not None and path.resolve().is_relative_to(repository.resolve()):
        raise Refusal("secret_exposed", f"{reference.name} is inside the repository")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refusal("secret_missing", reference.name) from None
    except OSError as error:
        raise Refusal("secret_exposed", f"{reference.name}: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & _OTHERS or status.st_uid != os.geteuid():
            raise Refusal("secret_exposed", f"{reference.name} must be your own file with mode 0600")
        value = os.read(descriptor, MAX_SECRET_BYTES).decode().strip()
    except UnicodeDecodeError:
        raise Refusal("secret_missing", f"{reference.name} is not text") from None
    finally:
        os.close(descriptor)
    if not value:
        raise Refusal("secret_missing", f"{reference.name} is empty")
    return Secret(value)
