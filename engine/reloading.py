"""Hot reload: a changed configuration file takes effect for what starts after it, or is refused.

A broken file keeps the last good settings and is an alarm; keys that need a restart are named and not
applied. Limits hold for running sessions too: a tighter one at once, a looser one after its cool-down.
"""

from __future__ import annotations

from engine.config.reload import Reloader
from engine.config.settings import config_fingerprint
from engine.core import Core
from engine.limits import note_limits


class Reloading:
    """Looks at the configuration files once a second, for the engine."""

    def __init__(self, core: Core, reloader: Reloader) -> None:
        self._core, self._reloader = core, reloader
        self._error = ""

    @property
    def pending_restart(self) -> tuple[str, ...]:
        """Return the changed keys that wait for a restart."""
        return self._reloader.pending_restart

    def look(self) -> None:
        """Take up a change, or say why it cannot be."""
        core, reloader = self._core, self._reloader
        has_changed = reloader.check()
        if reloader.error and reloader.error != self._error:
            core.alarm("config_reload_failed", "configuration", "eng", reloader.error)
        elif self._error and not reloader.error:
            core.calm("config_reload_failed", "configuration")
        self._error = reloader.error
        self._mature()
        if not has_changed or reloader.error:
            return
        wanted = reloader.loaded.settings
        notes = core.limits.take(wanted.risk)
        core.settings = wanted.model_copy(update={"risk": core.limits.risk})
        core.config_fingerprint = config_fingerprint(core.settings)
        waiting = ", ".join(reloader.pending_restart)
        text = f"changed: {', '.join(reloader.changed)}" + (
            f"; after a restart: {waiting}" if waiting else ""
        )
        core.note("config_reloaded", "eng", text, fingerprint=core.config_fingerprint)
        core.sync_entries_hold()
        note_limits(core, notes)

    def _mature(self) -> None:
        """Put raises into force whose cool-down is over."""
        core, wanted = self._core, self._reloader.loaded.settings
        notes = core.limits.mature(wanted.risk)
        if notes:
            core.settings = core.settings.model_copy(update={"risk": core.limits.risk})
            core.config_fingerprint = config_fingerprint(core.settings)
            note_limits(core, notes)
