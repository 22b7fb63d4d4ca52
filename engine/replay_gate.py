"""The replay gate's hold: where money moves, a strategy without fresh replay evidence holds new risk (OC-52).

The evidence is judged as promotion judges it; what is missing, stale, unreadable or failed blocks.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.api.views import PromotionRow
from engine.core import Core
from engine.desk import Desk
from safety.interlock import Clearance

HOLD = "replay_gate"
NO_RUN, REPLAY = "no_successful_run", "replay_"
"""The blockers of promotion that are about replays."""


class ReplayGate:
    """Holds and releases, strategy by strategy, for the sessions that run."""

    def __init__(self, core: Core, desk: Desk, rows: Callable[[], tuple[PromotionRow, ...]]) -> None:
        self._core, self._desk, self._rows = core, desk, rows

    def look(self) -> None:
        """Once a second. Before promotion was judged for the first time nothing is proved: it holds."""
        core = self._core
        if not core.is_money:
            return
        lacks = self._lacks()
        for strategy, said in lacks.items():
            if not core.interlock.has(HOLD, strategy):
                now_ns = core.clock.now_ns()
                core.interlock.raise_hold(
                    HOLD, subject=strategy, since_ns=now_ns, source="eng", evidence=said
                )
                core.note("replay_gate_closed", "eng", f"{strategy}: {said}")
        for hold in core.interlock.holds:
            if hold.code == HOLD and hold.subject not in lacks:
                said = "fresh passing evidence, or no session trades it"
                core.interlock.clear_hold(HOLD, Clearance(evidence=said), hold.subject)
                core.note("replay_gate_open", "eng", f"{hold.subject}: {said}")

    def _lacks(self) -> dict[str, str]:
        """Return what each running strategy lacks; a strategy that promotion does not know lacks its run."""
        blockers = {row.strategy: row.blockers for row in self._rows()}
        running = {strategy for session in self._desk.sessions for _, strategy in session.plan.lanes}
        found = {
            strategy: ", ".join(
                each
                for each in blockers.get(strategy, (NO_RUN,))
                if each == NO_RUN or each.startswith(REPLAY)
            )
            for strategy in sorted(running)
        }
        return {strategy: said for strategy, said in found.items() if said}
