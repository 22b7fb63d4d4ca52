"""Hot reload: take a changed file when it is good, keep the last good settings when it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from engine.config.layers import OVERRIDES, Loaded, flatten, load_settings, user_file
from engine.config.settings import ConfigError
from seams.disk import Disk

PENDING_RESTART = frozenset(
    {
        "market.interval",
        "market.venue",
        "engine.mode",
        "engine.environment",
        "engine.trading_pairs",
        "execution.venue_url",
        "execution.venue_key_file",
        "risk.soft_caps_generation",
    }
)
"""Keys that a running engine does not change; a new value waits for the next start."""


class Reloader:
    """Watches the user's files by content; call `check()` about once a second.

    `loaded` is the last good configuration, `error` why a newer one was refused (empty when none),
    `pending_restart` the changed keys that need a restart, `changed` those of the last reload.
    """

    def __init__(self, home: Path, environ: Mapping[str, str], cli: Mapping[str, object], disk: Disk) -> None:
        self._home, self._environ, self._cli, self._disk = home, dict(environ), dict(cli), disk
        self.loaded: Loaded = load_settings(home, self._environ, self._cli, disk)
        self.error = ""
        self.changed: tuple[str, ...] = ()
        self.pending_restart: tuple[str, ...] = ()
        self._running = flatten(self.loaded.settings.model_dump(mode="json"))
        self._seen = self._stamp()

    def check(self) -> bool:
        """Reload when a file changed; return whether new settings are in force. Never raises."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            fresh = load_settings(self._home, self._environ, self._cli, self._disk)
        except ConfigError as error:
            self.error = str(error)
            return False
        before = flatten(self.loaded.settings.model_dump(mode="json"))
        after = flatten(fresh.settings.model_dump(mode="json"))
        keys = before.keys() | after.keys()
        self.changed = tuple(sorted(key for key in keys if before.get(key) != after.get(key)))
        self.pending_restart = tuple(
            sorted(key for key in PENDING_RESTART if after.get(key) != self._running.get(key))
        )
        self.loaded, self.error = fresh, ""
        return True

    def _stamp(self) -> str:
        """Hash the files' bytes: a modification time can stay the same over a quick second edit."""
        digest = hashlib.sha256()
        user, _ = user_file(self._home, self._environ)
        for path in (user, self._home / "config" / OVERRIDES):
            try:
                digest.update(b"\x01" + self._disk.read(path))
            except OSError as error:
                digest.update(b"\x00" + str(error.errno).encode())
        return digest.hexdigest()
