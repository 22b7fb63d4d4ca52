"""What the console knows: the latest of each view, and how far it may be trusted. Pure.

A view overwrites the one before it; nothing here waits. Trust is derived from the clock each time it
is asked for, so a console that hears nothing turns stale by itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from engine.api.ticket_views import LeaseRow
from engine.api.views import AlarmRow, AlarmsView, StatusView, View
from seams.clock import NS_PER_MS, Clock

V = TypeVar("V")

SLOW_RTT_MS = 250.0
STALE_AFTER_MS = 2_000.0


class Link(StrEnum):
    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"


class Trust(StrEnum):
    """How far the picture may be believed."""

    OK = "ok"
    SLOW = "slow"
    RESYNC = "resync"
    STALE = "stale"
    CONNECTING = "connecting"
    DISCONNECTED = "disconnected"


CAN_COMMAND = frozenset({Trust.OK, Trust.SLOW})


class Desk:
    """The latest of each view, the state of the link, and the freeze."""

    def __init__(self, clock: Clock, operator: str, is_readonly: bool = False) -> None:
        self.clock, self.operator, self.is_readonly = clock, operator, is_readonly
        self.console = ""
        """This console's own name among all that are open."""
        self.link = Link.CONNECTING
        self.is_past = False
        """The views are of the record: nothing can be commanded, and no round trip is measured."""
        self.rtt_ms: float | None = None
        self.version = 0
        self.resyncs = 0
        self._views: dict[type, View] = {}
        self._held: dict[type, View] | None = None
        self._link_since_ns = clock.monotonic_ns()
        self._heard_ns = clock.monotonic_ns()
        self._epoch = 0
        self.awaits_resync = False
        """The connection is new and the views are still those of before."""

    def store(self, view: View) -> None:
        """Keep a view; an older one of the same engine is dropped, a new engine starts afresh."""
        if isinstance(view, StatusView):
            if self._epoch and view.epoch != self._epoch:
                self._views.clear()
                self.resyncs += 1
            self._epoch = view.epoch
        known = self._views.get(type(view))
        if known is not None and view.seq < known.seq:
            return
        self._views[type(view)] = view
        self._heard_ns = self.clock.monotonic_ns()
        self.version += 1

    def forget_views(self) -> None:
        """Drop every view, held ones too: what comes next may be older."""
        self._views, self._held = {}, None
        self._epoch = 0
        self.version += 1

    def set_link(self, link: Link) -> None:
        """Note that the connection came or went; whatever comes next, the views are of before."""
        if link is self.link:
            return
        self.awaits_resync = True
        self.link, self._link_since_ns = link, self.clock.monotonic_ns()
        self.version += 1

    def note_resync(self) -> None:
        """A complete set of views has arrived over this connection."""
        self.awaits_resync = False
        self._heard_ns = self.clock.monotonic_ns()
        self.version += 1

    def begin_resync(self) -> None:
        """The connection is up but the views are still those of before."""
        self.awaits_resync = True
        self.resyncs += 1

    def note_rtt(self, rtt_ms: float | None) -> None:
        self.rtt_ms = rtt_ms

    @property
    def silence_ms(self) -> float:
        """Since when nothing was heard from the engine."""
        return (self.clock.monotonic_ns() - self._heard_ns) / NS_PER_MS

    @property
    def link_age_ms(self) -> float:
        return (self.clock.monotonic_ns() - self._link_since_ns) / NS_PER_MS

    @property
    def trust(self) -> Trust:
        if self.link is Link.DOWN:
            return Trust.DISCONNECTED
        if self.link is Link.CONNECTING:
            return Trust.CONNECTING
        if self.silence_ms > STALE_AFTER_MS:
            return Trust.STALE
        if self.awaits_resync:
            return Trust.RESYNC
        return Trust.SLOW if self.rtt_ms is not None and self.rtt_ms > SLOW_RTT_MS else Trust.OK

    @property
    def lease(self) -> LeaseRow | None:
        """Who acts, as the engine last said; None once its time is up."""
        status = self.latest(StatusView)
        held = None if status is None else status.lease
        return held if held is not None and held.until_ns > self.clock.now_ns() else None

    @property
    def holds_lease(self) -> bool:
        """Tell whether this console is the one that acts."""
        held = self.lease
        return held is not None and (held.operator, held.console) == (self.operator, self.console)

    @property
    def is_watching(self) -> bool:
        """Tell whether somebody acts elsewhere: here one may look, reject and kill."""
        held = self.lease
        if held is None or self.holds_lease:
            return False
        return held.operator != self.operator or held.console != ""

    def refusal(self, needs_lease: bool = False) -> str:
        """Say why a command (other than a kill) may not be sent now; empty when it may.

        What starts something `needs_lease`, here.
        """
        trust = self.trust
        if self.is_past:
            return "PAST: what was cannot be changed; only ^X works, on the present engine"
        if self.is_readonly:
            return "READ-ONLY: this console may look and may kill, nothing else"
        if trust is Trust.STALE:
            return f"STALE: the engine has been silent for {self.silence_ms / 1000:.1f} s; only ^X works"
        if trust not in CAN_COMMAND:
            return f"{trust.upper()}: commands need a live engine; only ^X works"
        if needs_lease and self.is_watching and self.lease is not None:
            where = "" if self.lease.operator != self.operator else " at another console"
            return f"READ-ONLY: {self.lease.operator} has the lease{where}; T takes it over"
        if self._held is not None:
            return "FROZEN: you are looking at a held picture; press Space first"
        return ""

    @property
    def is_frozen(self) -> bool:
        return self._held is not None

    def toggle_freeze(self) -> bool:
        """Hold or release the picture; return whether it is held now."""
        self._held = dict(self._views) if self._held is None else None
        self.version += 1
        return self._held is not None

    def latest(self, kind: type[V]) -> V | None:
        """Return the newest view of a kind: what lines 1 and 2 show."""
        view = self._views.get(kind)
        return view if isinstance(view, kind) else None

    def shown(self, kind: type[V]) -> V | None:
        """Return the view the screens show: the held one while frozen."""
        view = (self._views if self._held is None else self._held).get(kind)
        return view if isinstance(view, kind) else None

    @property
    def now_ns(self) -> int:
        return self.clock.now_ns()

    def top_alarm(self) -> AlarmRow | None:
        """The alarm of line 2: unacknowledged first, then by priority, then the oldest."""
        view = self.latest(AlarmsView)
        active = [row for row in view.rows if row.state in ACTIVE_STATES] if view else []
        return min(active, key=alarm_order, default=None)


ACTIVE_STATES = frozenset({"UNACK", "LATCH", "RTN-UN", "ACKED"})
_STATE_RANK = {"UNACK": 0, "LATCH": 1, "RTN-UN": 2, "ACKED": 3, "SHELVED": 4, "NORMAL": 5}


def alarm_order(row: AlarmRow) -> tuple[int, int, int]:
    """Sort key of alarms: unacknowledged, then priority, then age."""
    return _STATE_RANK.get(row.state, 6), row.priority, row.since_ns
