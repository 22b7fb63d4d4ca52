"""What a running engine leaves besides its bus: alarm sinks, snapshots as files, incidents, the past."""

from __future__ import annotations

from collections.abc import Mapping

from engine.api.views import View
from engine.core import Core
from engine.health import Health
from engine.ops.event_log import EventLog
from engine.ops.incidents import IncidentBook
from engine.ops.past import PastRecorder
from engine.ops.sinks import Sinks
from engine.ops.snapshots import Snapshots


class Outlets:
    """Built by the daemon only: a simulation has no sinks."""

    def __init__(self, core: Core, health: Health, views: Mapping[str, View]) -> None:
        """Raises `Refusal` or `ValueError` where a configured sink cannot be used."""
        self._core, self._health = core, health
        self.sinks = Sinks(core, core.settings.alarms.sinks)
        self._snapshots = Snapshots(core)
        self.incidents, self._views = IncidentBook(core), views
        self.event_log = EventLog(core)
        self.past = PastRecorder(core, core.paths.past, core.settings.record.past_max_mib)

    def start(self) -> None:
        self.sinks.start()

    def tend(self) -> None:
        """Call about once a second."""
        self.sinks.tend()
        self.event_log.tend()
        self.past.tend()
        try:
            self._snapshots.look(self._health.parts())
            self.incidents.look(self._views)
        except OSError as error:
            self._core.halt(error, "desk snapshot")

    async def close(self) -> None:
        self.event_log.tend()
        await self.sinks.close()
        await self.past.close()
