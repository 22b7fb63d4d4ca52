"""What a running engine leaves besides its bus: alarm sinks, snapshots as files, incidents, the past."""

from __future__ import annotations

from collections.abc import Mapping

from engine.api.views import View
from engine.core import Core
from engine.health import Health
from engine.ops.config_watch import ConfigWatch
from engine.ops.decision_drift import DriftWatch
from engine.ops.decision_stream import DecisionStream
from engine.ops.drill_runs import DrillRuns
from engine.ops.event_log import EventLog
from engine.ops.incidents import IncidentBook
from engine.ops.past import PastRecorder
from engine.ops.sinks import Sinks
from engine.ops.snapshots import Snapshots
from engine.ops.units import Units


class Outlets:
    """Built by the daemon only: a simulation has no sinks."""

    def __init__(self, core: Core, health: Health, views: Mapping[str, View]) -> None:
        """Raises `Refusal` or `ValueError` where a configured sink cannot be used."""
        self._core, self._health = core, health
        self.sinks = Sinks(core, core.settings.alarms.sinks)
        self._snapshots = Snapshots(core)
        self.incidents, self._views = IncidentBook(core), views
        self.event_log, self.decisions = EventLog(core), DecisionStream(core)
        self.config = ConfigWatch(core)
        self.units = Units(core)
        self.drills = DrillRuns(core)
        self.drift = DriftWatch(core)
        self.past = PastRecorder(core, core.paths.past, core.settings.record.past_max_mib)

    def start(self) -> None:
        self.sinks.start()

    def tend(self) -> None:
        """Call about once a second."""
        self.sinks.tend()
        self._write_lines()
        self.config.tend()
        self.units.tend()
        self.drift.tend()
        self._health.diagnostics = diagnostics(self.units)
        self.past.tend()
        try:
            self._snapshots.look(self._health.parts())
            self.incidents.look(self._views)
        except OSError as error:
            self._core.halt(error, "desk snapshot")

    def _write_lines(self) -> None:
        self.event_log.tend()
        self.decisions.tend()
        if self._core.calls is not None:
            self._core.calls.tend()

    async def close(self) -> None:
        self.config.close()
        self._write_lines()
        await self.units.close()
        await self.drills.close()
        await self.drift.close()
        await self.sinks.close()
        await self.past.close()


def diagnostics(units: Units) -> tuple[tuple[str, str, str], ...]:
    """Return unit states and the log's end as facts of the System screen."""
    states = ((each.unit, f"{each.state}, {each.restarts} restarts") for each in units.states)
    lines = enumerate(units.log_tail(), 1)
    return (
        *(("units", unit, said) for unit, said in states),
        *(("log", f"{number}", line) for number, line in lines),
    )
