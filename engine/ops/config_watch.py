"""What the engine does for rollback (OC-60): keep what ended well, and put each going back on the record."""

from __future__ import annotations

import msgspec

from engine.config.history import keep, rollbacks_since, texts
from engine.core import Core
from safety.killbyte import KillLevel

TOLD = "config_rollback_told"


class ConfigWatch:
    """The configuration in force, as text, from the moment that it came into force."""

    def __init__(self, core: Core) -> None:
        self._core, self._fingerprint = core, core.config_fingerprint
        self._files = self._texts()

    def tend(self) -> None:
        """About once a second: take up a reload, and tell of rollbacks that nobody has told of."""
        core = self._core
        if core.config_fingerprint != self._fingerprint:
            self._fingerprint, self._files = core.config_fingerprint, self._texts()
        try:
            told = core.store.facts.get(TOLD) or ""
            for name, each in rollbacks_since(core.disk, core.paths.home, told):
                said = f"configuration {each.to_number} in place of the present one: {each.reason}"
                core.note("config_rollback", each.operator, said, sha256=each.after_sha256)
                core.store.facts.set(TOLD, name, core.clock.now_ns())
        except (OSError, msgspec.MsgspecError) as error:
            core.events.add("config_rollback", "eng", f"a record of a rollback cannot be read: {error}")

    def close(self) -> None:
        """The run ends in order: its configuration is kept, unless something halted the engine meanwhile."""
        core = self._core
        if self._files is None or core.halts or core.kill.level is not KillLevel.CLEAR:
            return
        try:
            made = keep(
                core.disk,
                core.paths.home,
                core.clock,
                self._files,
                epoch=core.epoch,
                fingerprint=self._fingerprint,
                engine_version=core.engine_version,
            )
        except OSError as error:
            core.events.add("config_not_kept", "eng", str(error))
            return
        if made is not None:
            core.note("config_kept", "eng", f"configuration {made.number} ended well", sha256=made.sha256)

    def _texts(self) -> dict[str, str | None] | None:
        try:
            return texts(self._core.disk, self._core.paths.home)
        except (OSError, UnicodeDecodeError):
            return None
