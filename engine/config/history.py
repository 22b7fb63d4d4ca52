"""The configurations that ended well, kept so that a person can go back to the last of them (OC-60).

`HOME/config/history/NNNNNN.json`: the text of the home's own files, taken when it came into force and kept
only if the engine's run under it ended in order and without a halt. A build's rollback is not this: it needs
seals, and no build is sealed yet. A file named by `INTERLOCK_CONFIG` and the environment are not kept.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.config.layers import OVERRIDES, load_settings
from engine.config.settings import ConfigError
from safety.canonical import sha256_hex
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import Clock, iso_z
from seams.disk import Disk
from venues.types import Record

FILES = ("interlock.yaml", OVERRIDES)
FOLDER, ROLLBACKS = "history", "rollbacks"
MAX_KEPT = 20


class KeptConfig(Record):
    """One configuration that ended well. `files` holds each file's text, None where there was none."""

    number: int
    at: str
    epoch: int
    fingerprint: str
    engine_version: str
    files: dict[str, str | None]

    @property
    def sha256(self) -> str:
        return text_hash(self.files)


class Rollback(Record):
    """One going back: who, why, from what (whole, so that nothing is lost) to which number."""

    at: str
    operator: str
    reason: str
    to_number: int
    before: dict[str, str | None]
    after_sha256: str


def text_hash(files: dict[str, str | None]) -> str:
    """Return the SHA-256 of the files' texts."""
    return sha256_hex(msgspec.json.encode(sorted(files.items(), key=lambda pair: pair[0])))


def texts(disk: Disk, home: Path) -> dict[str, str | None]:
    """Return the home's own configuration files as they are now. Raises `OSError`, `UnicodeDecodeError`."""
    found: dict[str, str | None] = {}
    for name in FILES:
        path = home / "config" / name
        found[name] = disk.read(path).decode() if disk.exists(path) else None
    return found


def kept(disk: Disk, home: Path) -> tuple[KeptConfig, ...]:
    """Return what is kept, oldest first; a file that cannot be read is passed over."""
    folder, rows = home / "config" / FOLDER, []
    for name in sorted(disk.list(folder)) if disk.exists(folder) else ():
        try:
            rows.append(msgspec.json.decode(disk.read(folder / name), type=KeptConfig))
        except (OSError, msgspec.MsgspecError):
            continue
    return tuple(rows)


def keep(
    disk: Disk,
    home: Path,
    clock: Clock,
    files: dict[str, str | None],
    *,
    epoch: int,
    fingerprint: str,
    engine_version: str,
) -> KeptConfig | None:
    """Keep a configuration that ended well, durably; None where it is the newest one already."""
    rows = kept(disk, home)
    if rows and rows[-1].sha256 == text_hash(files):
        return None
    number = (rows[-1].number if rows else 0) + 1
    made = KeptConfig(
        number=number,
        at=iso_z(clock.now_ns()),
        epoch=epoch,
        fingerprint=fingerprint,
        engine_version=engine_version,
        files=files,
    )
    folder = home / "config" / FOLDER
    disk.make_folder(folder)
    disk.write_atomic(folder / f"{number:06d}.json", msgspec.json.encode(made))
    for name in sorted(disk.list(folder))[:-MAX_KEPT]:
        disk.remove(folder / name)
    return made


def last_good(disk: Disk, home: Path, number: int = 0) -> KeptConfig:
    """Return the newest kept configuration that is not the present one, or the one of a number.

    Raises `Refusal("not_found")`.
    """
    rows, now = kept(disk, home), text_hash(texts(disk, home))
    if number:
        found = [row for row in rows if row.number == number]
    else:
        found = [row for row in rows if row.sha256 != now]
    if not found:
        raise Refusal("not_found", "no other configuration has ended well here")
    return found[-1]


def go_back(
    disk: Disk, home: Path, environ: dict[str, str], clock: Clock, to: KeptConfig, operator: str, reason: str
) -> Rollback:
    """Put a kept configuration in the place of the present one; what was there stands in the record of it.

    Raises `Refusal`: operator_required, reason_required, invalid_config (then everything is as it was).
    """
    who, why = clean(operator, 80), clean(reason)
    if not who:
        raise Refusal("operator_required", "a rollback stands in the record with a name")
    if not why:
        raise Refusal("reason_required", "say why the configuration is taken back")
    before = texts(disk, home)
    made = Rollback(
        at=iso_z(clock.now_ns()),
        operator=who,
        reason=why,
        to_number=to.number,
        before=before,
        after_sha256=to.sha256,
    )
    folder = home / "config" / ROLLBACKS
    disk.make_folder(folder)
    path = folder / f"{clock.now_ns()}.json"
    disk.write_atomic(path, msgspec.json.encode(made))  # before anything is changed: nothing can be lost
    _write(disk, home, to.files)
    try:
        load_settings(home, environ, None, disk)
    except ConfigError as error:
        _write(disk, home, before)
        disk.remove(path)
        raise Refusal("invalid_config", f"configuration {to.number} does not load here: {error}") from error
    return made


def rollbacks_since(disk: Disk, home: Path, newest: str) -> tuple[tuple[str, Rollback], ...]:
    """Return the rollbacks after the one named, oldest first, each with its name."""
    folder, rows = home / "config" / ROLLBACKS, []
    for name in sorted(disk.list(folder)) if disk.exists(folder) else ():
        if name > newest:
            rows.append((name, msgspec.json.decode(disk.read(folder / name), type=Rollback)))
    return tuple(rows)


def _write(disk: Disk, home: Path, files: dict[str, str | None]) -> None:
    for name, text in files.items():
        path = home / "config" / name
        if text is not None:
            disk.write_atomic(path, text.encode())
        elif disk.exists(path):
            disk.remove(path)
