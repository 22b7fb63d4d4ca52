"""Keys by reference, and a value that never prints (QL-62). A reference is one of

    /path/of/a/file        a private file (mode 0600, ours) outside the repository
    credential:NAME        what the service manager keeps for us in $CREDENTIALS_DIRECTORY
    gpg:/path/of/a/file    a file that gpg decrypts, by an agent or a key without passphrase

Never a value: what stands in a configuration, an argument or an environment is not secret.
"""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import NoReturn

from safety.reasons import Refusal
from venues.types import Record

MAX_SECRET_BYTES = 16_384
CREDENTIAL, GPG = "credential:", "gpg:"
CREDENTIALS_FOLDER = "CREDENTIALS_DIRECTORY"
GPG_COMMAND = ("gpg", "--batch", "--quiet", "--no-tty", "--decrypt")
GPG_S = 20.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SEEN_BY_GPG = ("PATH", "HOME", "GNUPGHOME", "LANG")


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
    """Where a key is kept (`path` as above); safe to log and to put in a configuration."""

    name: str
    path: str


def load_secret(reference: KeyReference, repository: Path | None = None) -> Secret:
    """Return the value that a reference names, which may not lie inside `repository`.

    Raises `Refusal` with secret_missing or secret_exposed; the message never holds the value.
    """
    name, path = reference.name, secret_file(reference)
    if repository is not None and path.resolve().is_relative_to(repository.resolve()):
        raise Refusal("secret_exposed", f"{name} is inside the repository")
    if reference.path.startswith(GPG):
        data = _decrypted(name, path)
    else:
        data = _contents(name, path, is_credential=reference.path.startswith(CREDENTIAL))
    try:
        value = data.decode().strip()
    except UnicodeDecodeError:
        raise Refusal("secret_missing", f"{name} is not text") from None
    if not value:
        raise Refusal("secret_missing", f"{name} is empty")
    return Secret(value)


def secret_file(reference: KeyReference) -> Path:
    """Return the file behind a reference. Raises `Refusal` where no service manager keeps one for us."""
    text = reference.path
    if text.startswith(CREDENTIAL):
        folder, name = os.environ.get(CREDENTIALS_FOLDER, ""), text.removeprefix(CREDENTIAL)
        if not folder or not name or "/" in name or name in (".", ".."):
            raise Refusal("secret_missing", f"{reference.name}: the service manager gives no such credential")
        return Path(folder) / name
    return Path(text.removeprefix(GPG)).expanduser()


def _contents(name: str, path: Path, *, is_credential: bool) -> bytes:
    """Read a regular file through no link. A file is ours alone; a credential is ours or the manager's,
    which lets us in by a list of its own, so that its group bits say nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refusal("secret_missing", name) from None
    except OSError as error:
        raise Refusal("secret_exposed", f"{name}: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        owners = {os.geteuid(), 0} if is_credential else {os.geteuid()}
        open_to = stat.S_IRWXO | stat.S_IWGRP if is_credential else _OTHERS
        if not stat.S_ISREG(status.st_mode) or status.st_mode & open_to or status.st_uid not in owners:
            raise Refusal("secret_exposed", f"{name} must be your own file with mode 0600")
        return os.read(descriptor, MAX_SECRET_BYTES)
    finally:
        os.close(descriptor)


def _decrypted(name: str, path: Path) -> bytes:
    """Let gpg write the value to a pipe of ours; it is never an argument, an environment or a file."""
    if not path.is_file():
        raise Refusal("secret_missing", name)
    environ = {key: os.environ[key] for key in _SEEN_BY_GPG if key in os.environ}
    try:
        done = subprocess.run(
            [*GPG_COMMAND, "--", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            timeout=GPG_S,
            check=False,
        )
    except FileNotFoundError:
        raise Refusal("secret_missing", f"{name}: gpg is not installed") from None
    except subprocess.TimeoutExpired:
        raise Refusal("secret_missing", f"{name}: gpg waits; unlock its key for the agent first") from None
    if done.returncode or len(done.stdout) > MAX_SECRET_BYTES:
        raise Refusal("secret_missing", f"{name}: gpg could not decrypt it")
    return done.stdout
