"""Views to the bus: built at most ten times a second, sent only when they changed or must beat."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.api import subjects
from engine.api import views as v
from engine.api.arming import ArmingView
from engine.api.gates import ExitResult
from engine.api.ticket_views import PairRow
from engine.core import Core
from engine.desk import Desk
from engine.gate_desk import GateDesk
from engine.health import Health
from engine.limits_view import limits_view
from engine.ops.drill_evidence import DRILL_KINDS, drill_blockers
from engine.promotion import baseline_of, config_reader, parity_reader, promotion_rows, verify_reader
from engine.questions import Questions
from engine.reconciliation import reconcile_view
from engine.ticket_views import TicketRows, tickets_view
from engine.views import orders_view, overview_view, positions_view, status_view
from safety.canonical import changed
from safety.reasons import Refusal
from safety.secrets import GPG, KeyReference, Secret, load_secret
from seams.clock import NS_PER_MS
from seams.net import Net, NetDown

FAST_S = 0.2
BEAT_MS = 500
SLOW_EVERY = 5
"""Runs, promotion and system are rebuilt on every fifth round: once a second."""


class Publisher:
    """Keeps the latest of each view and puts what changed on the bus."""

    def __init__(self, core: Core, desk: Desk, health: Health) -> None:
        self.core, self.desk, self.health = core, desk, health
        self.gates = GateDesk(core)
        self.latest: dict[str, v.View] = {}
        self.promotion: tuple[v.PromotionRow, ...] = ()
        self.exit_condition: tuple[ExitResult, ...] = ()
        self.rounds = 0
        self.pairs: Callable[[], tuple[PairRow, ...]] = lambda: ()
        self.arming: Callable[[], ArmingView | None] = lambda: None
        """What waits for a second person."""
        self._sent: dict[str, bytes] = {}
        self._sent_ns: dict[str, int] = {}
        self._seq = 0
        self._ticket_rows = TicketRows()
        self.incidents: Callable[[], tuple[str, ...]] = tuple
        """Incidents without a note: nothing is promoted past one (QL-116)."""
        self.on_shown: Callable[[str, bytes], None] = lambda name, body: None
        """Called with every view that was sent, and its bytes."""
        self._decrypted: tuple[str, Secret] | None = None

    def rebuild(self, questions: Questions) -> None:
        """Build every view that is due from the engine's state."""
        self._seq += 1
        self.rounds += 1
        core, sessions, seq = self.core, self.desk.sessions, self._seq
        accounts = self.desk.accounts()
        self.latest["status"] = status_view(
            core, sessions, accounts, self.health.parts(), seq, self.pairs(), self.arming()
        )
        self.latest["positions"] = positions_view(core, sessions, accounts, seq)
        orders = self.latest["orders"] = orders_view(core, accounts, seq)
        self.latest["tickets"] = tickets_view(core, sessions, seq, self._ticket_rows)
        self.latest["alarms"] = core.alarms.view(seq, core.clock.now_ns())
        self.latest["events"] = core.events.view(seq)
        self.latest["reconcile"] = reconcile_view(core, self.desk, seq)
        if self.rounds % SLOW_EVERY == 1:
            runs = self.latest["runs"] = questions.runs_view(seq)
            parity = parity_reader(core.paths.outputs, core.disk, core.clock.now_ns())
            verified = verify_reader(core.paths, core.disk, core.kernel_sha256)
            configured = config_reader(core.paths, core.disk)
            baseline = baseline_of(core.paths, core.disk, core.clock)
            desk = self._desk_blockers()
            rows = promotion_rows(runs, orders, parity, verified, configured, baseline, desk)
            self.exit_condition = self.gates.exit_condition(orders, desk)
            self.promotion = self.gates.judged(rows, runs, self.exit_condition)
            self.latest["limits"] = limits_view(core, sessions, seq, self.desk.custody)
            self.latest["system"] = self.health.system_view(seq)
        overview = overview_view(core, sessions, accounts, seq, self.promotion)
        self.latest["overview"] = changed(overview, exit_condition=self.exit_condition)

    def _desk_blockers(self) -> tuple[str, ...]:
        """Return what blocks every promotion on this desk."""
        return (*self._drills(), *(f"incident_without_note:{name}" for name in self.incidents()))

    def _drills(self) -> tuple[str, ...]:
        """Return what the desk's drills block; a key that cannot be used trusts none of them."""
        core = self.core
        path = core.settings.watchdog.drill_key_file
        try:
            key = self._drill_key(path) if path else None
        except Refusal as refusal:
            return (f"drill_key:{refusal.code}",)
        now_ns = core.clock.now_ns()
        return drill_blockers(core.paths.outputs, core.disk, now_ns, core.kernel_sha256, key, DRILL_KINDS)

    def _drill_key(self, path: str) -> Secret:
        """Read the key; one that gpg decrypts is read once, not with every view. Raises `Refusal`."""
        if self._decrypted is not None and self._decrypted[0] == path:
            return self._decrypted[1]
        key = load_secret(KeyReference(name="watchdog.drill_key_file", path=path))
        self._decrypted = (path, key) if path.startswith(GPG) else None
        return key

    async def publish(self, net: Net) -> int:
        """Send the views that changed, and the status as a heartbeat; return how many were sent."""
        sent = 0
        now_ns = self.core.clock.monotonic_ns()
        for name, view in self.latest.items():
            essence = _without_stamps(view)
            is_due = name == "status" and now_ns - self._sent_ns.get(name, 0) >= BEAT_MS * NS_PER_MS
            if essence == self._sent.get(name) and not is_due:
                continue
            try:
                body = msgspec.json.encode(view)
                await net.publish(subjects.view(name), body)
            except NetDown:
                return sent
            self.on_shown(name, body)
            self.health.bus_ns = now_ns
            self._sent[name], self._sent_ns[name] = essence, now_ns
            sent += 1
        return sent


def _without_stamps(view: v.View) -> bytes:
    """Return the view's content without sequence and time: what decides whether it changed."""
    return msgspec.json.encode(msgspec.structs.replace(view, seq=0, at_ns=0))  # type: ignore[type-var]
