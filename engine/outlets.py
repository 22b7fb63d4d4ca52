"""What a running engine tells the world besides its bus: alarm sinks, and snapshots as files."""

from __future__ import annotations

from engine.core import Core
from engine.health import Health
from engine.ops.sinks import Sinks
from engine.ops.snapshots import Snapshots


class Outlets:
    """Built by the daemon only: a simulation has no sinks."""

    def __init__(self, core: Core, health: Health) -> None:
        """Raises `Refusal` or `ValueError` where a configured sink cannot be used."""
        self._core, self._health = core, health
        self.sinks = Sinks(core, core.settings.alarms.sinks)
        self._snapshots = Snapshots(core)

    def start(self) -> None:
        self.sinks.start()

    def tend(self) -> None:
        """Call about once a second."""
        self.sinks.tend()
        try:
            self._snapshots.look(self._health.parts())
        except OSError as error:
            self._core.halt(error, "desk snapshot")

    async def close(self) -> None:
        await self.sinks.close()
