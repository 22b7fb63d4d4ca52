"""Where each lane of a session stands, and the page that shows it to kernel, console and commands.

Before a step the interlock byte is set to what holds then; after it the lane's block is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.trading.working import ManagedOrder
from safety.facts import ReconcileState
from safety.interlock import HoldLevel
from safety.state_page import ExecutionState, LaneBlock, StatePage
from safety.strategy_state import StrategyFacts, StrategyState, level_of, walk
from venues.types import OrderStatus

if TYPE_CHECKING:
    from engine.trading.session import PaperSession


class LaneBoard:
    """The strategy states of one session's lanes, and the writer of their page."""

    def __init__(self, session: PaperSession) -> None:
        count = len(session.plan.lanes)
        self._session = session
        self._decided_ns = [0] * count
        self._path: Path | None = None
        self.states = [StrategyState.VOID] * count
        self.executions = [ExecutionState.IDLE] * count
        self._take(StatePage.anonymous(count))

    def share(self, path: Path) -> None:
        """Show the page to other processes, from a file. Raises `OSError`."""
        self._take(StatePage.shared(path, len(self.states)))
        self._path = path
        self.write()

    def close(self) -> None:
        """Take the file away; whoever has it mapped keeps the last write."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def _take(self, page: StatePage) -> None:
        self._page = page
        self.heed()
        self._session.kernel.watch_interlock(page.memory)

    @property
    def level(self) -> HoldLevel:
        """What holds now: the interlock's level, or the kill switch's where that is stricter."""
        core = self._session.core
        return level_of(core.interlock.level, core.kill.level)

    def heed(self) -> None:
        """Set the interlock byte; called in the same event as the step that reads it."""
        self._page.set_interlock(self.level)

    def decided(self, lane: int, at_ns: int) -> None:
        """Note when a lane last decided something."""
        self._decided_ns[lane] = at_ns

    def write(self) -> None:
        """Bring every lane's state up to date and write its block."""
        self.heed()
        session, level = self._session, self.level
        mine = [order for order in session.orders.alive() if order.session_id == session.plan.session_id]
        for lane in range(len(self.states)):
            held = session.kernel.position(lane)
            alive = [order for order in mine if order.lane == lane]
            self.states[lane] = walk(self.states[lane], self._facts(lane, held.side != 0, alive))
            self.executions[lane] = execution_of(alive)
            kept = session.kernel.remembered(lane)
            self._page.write(
                LaneBlock(
                    risk_interlock=level,
                    execution_state=self.executions[lane],
                    strategy_state=self.states[lane],
                    kill_level=session.core.kill.level,
                    side=held.side,
                    lane=lane,
                    steps=kept["bars"],
                    decided_ns=self._decided_ns[lane],
                    written_ns=session.core.clock.now_ns(),
                    units=held.units,
                    last_close=kept["last_close"],
                    epoch=session.core.epoch,
                )
            )

    def _facts(self, lane: int, is_holding: bool, alive: Sequence[ManagedOrder]) -> StrategyFacts:
        session = self._session
        reconciled = session.venue_facts().reconcile_state
        is_unknown = any(order.status is OrderStatus.UNKNOWN for order in alive)
        return StrategyFacts(
            is_warm=session.kernel.is_warm(lane),
            is_holding=is_holding,
            is_proved=not is_unknown and reconciled in (None, ReconcileState.CLEAN),
            hold_level=session.core.interlock.level,
            kill_level=session.core.kill.level,
        )


def execution_of(alive: Sequence[ManagedOrder]) -> ExecutionState:
    """Tell what a lane's orders are doing; a part fill says more than what the order is for."""
    if not alive:
        return ExecutionState.IDLE
    if any(order.status is OrderStatus.PARTIAL for order in alive):
        return ExecutionState.PARTIAL
    if all(order.request.reduce_only for order in alive):
        return ExecutionState.HEDGING
    return ExecutionState.WORKING
