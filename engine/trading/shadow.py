"""A twin beside the deciding kernel: told what reached that, it decides for itself and never acts (OC-13).

It is heard after the orders of a bar are out, and whatever it does wrong ends the twin, never the session.
What the venue reports is a fact for it too: its position follows the account, so that each bar asks again
what it would decide here and now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from engine.api.shadow import ShadowDisagreement, ShadowView
from engine.core import Core
from native.codes import Gate
from native.intents import OrderIntent
from native.kernel import Kernel
from safety.text import clean

WINDOW = 1_000
"""Comparisons that count: closes at which kernel or twin decided something."""
ALERT_BELOW = 0.95
KEPT = 50
MAX_QUEUED = 100_000
REFERENCE = "reference"

Judge = Callable[[OrderIntent], tuple[object, ...]]
Act = Callable[[], None]


def exactly(wish: OrderIntent) -> tuple[object, ...]:
    """What must be equal between a strategy and its own reference: everything."""
    return (
        wish.offset, wish.side, wish.units, wish.reason, wish.decision_price, wish.limit_price,
        wish.stop_price, wish.target_price,
    )  # fmt: skip


def in_direction(wish: OrderIntent) -> tuple[object, ...]:
    """What is compared with another strategy: whether it opens or closes, and which way."""
    return (wish.offset, wish.side)


@dataclass
class Shadow:
    """The twin, its queue and its record. `name` is what runs in it, `judge` what of a wish is compared.

    One that could not even be built has no `kernel`, and its `failure` from the start.
    """

    name: str
    kernel: Kernel | None
    judge: Judge = exactly
    failure: str = ""
    bars: int = 0
    compared: int = 0
    agreed: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    kept: deque[ShadowDisagreement] = field(default_factory=lambda: deque(maxlen=KEPT))
    _queue: list[Act] = field(default_factory=list)

    @property
    def agreement(self) -> float:
        """Share of the last comparisons that agreed; 1 before the first."""
        return sum(self.agreed) / len(self.agreed) if self.agreed else 1.0

    @property
    def is_alarming(self) -> bool:
        return bool(self.agreed) and self.agreement < ALERT_BELOW

    @property
    def said(self) -> str:
        """Say how far it agrees, on one line."""
        if self.failure:
            return f"{self.name} failed: {self.failure}"
        if not self.agreed:
            return f"{self.name}, nothing decided yet"
        return f"{self.name} agrees on {self.agreement:.1%} of the last {len(self.agreed)} decisions"

    @property
    def twin(self) -> Kernel:
        assert self.kernel is not None, "a twin without a kernel has failed, and is told nothing"
        return self.kernel

    # --- what reached the kernel -------------------------------------------------------------------

    def warmed(self, lane: int, columns: Sequence[Any]) -> None:
        self._keep(lambda: self._warm(lane, columns))

    def closed(
        self, lane: int, bar: tuple[Any, ...], wishes: Sequence[OrderIntent], held: tuple[int, int]
    ) -> None:
        """`held`: side and units of what the kernel holds after the close."""
        self._keep(lambda: self._close(lane, bar, wishes, held))

    def held(self, lane: int, is_blocked: bool) -> None:
        """The interlock gates the twin's entries as it gates the kernel's."""
        self._keep(lambda: self.twin.set_gate(lane, Gate.INTERLOCK, is_blocked))

    def refused(self, lane: int, bar: tuple[Any, ...]) -> None:
        """A bad bar blocks the twin's next entry as it blocks the kernel's."""
        self._keep(lambda: self._refuse(lane, bar))

    def filled(
        self,
        lane: int,
        intent_id: str | int,
        units: int,
        price: float,
        fee: float,
        ts_ns: int,
        side: int | None,
    ) -> None:
        self._keep(lambda: self._fill(lane, intent_id, units, price, fee, ts_ns, side))

    def ended(self, lane: int, intent_id: str | int) -> None:
        self._keep(lambda: self._end(lane, intent_id))

    def catch_up(self) -> None:
        """Let the twin take what was queued. Never raises: a twin that fails is heard no more."""
        queue, self._queue = self._queue, []
        for act in queue:
            if self.failure:
                return
            try:
                act()
            except Exception as error:  # whatever a second strategy does must not touch the session
                self.failure = clean(f"{type(error).__name__}: {error}", 200)

    def view(self, session_id: str) -> ShadowView:
        """Return what is shown of it, the newest disagreement first."""
        state = "failed" if self.failure else "diverged" if self.is_alarming else "agrees"
        return ShadowView(
            session_id=session_id,
            twin=self.name,
            state=state,
            failure=self.failure,
            bars=self.bars,
            compared=self.compared,
            window=len(self.agreed),
            agreement=self.agreement,
            alert_below=ALERT_BELOW,
            disagreements=tuple(reversed(self.kept)),
        )

    def _keep(self, act: Act) -> None:
        if self.failure:
            return
        if len(self._queue) >= MAX_QUEUED:
            self.failure = f"{MAX_QUEUED:,} inputs wait: it was never asked to catch up"
            self._queue.clear()
            return
        self._queue.append(act)

    # --- what the twin makes of it -----------------------------------------------------------------

    def _warm(self, lane: int, columns: Sequence[Any]) -> None:
        ts_ns, opens, highs, lows, closes, volumes = columns
        self.twin.warm(lane, ts_ns, opens, highs, lows, closes, volumes)

    def _close(
        self, lane: int, bar: tuple[Any, ...], wishes: Sequence[OrderIntent], held: tuple[int, int]
    ) -> None:
        mine = self.twin.close(lane, *bar)
        place = self.twin.place(lane)
        self.bars += 1
        is_placed = place == held
        is_same = is_placed and [self.judge(wish) for wish in wishes] == [self.judge(wish) for wish in mine]
        if wishes or mine or not is_placed:
            self.compared += 1
            self.agreed.append(is_same)
        if not is_same:
            self.kept.append(
                ShadowDisagreement(
                    at_ns=int(bar[0]),
                    symbol=self.twin.lanes[lane].symbol,
                    decided=_said(wishes, held),
                    twin=_said(mine, place),
                )
            )
        theirs = {wish.intent_id: (wish.side, wish.units) for wish in wishes}
        for wish in mine:
            if theirs.get(wish.intent_id) != (wish.side, wish.units):
                self.twin.reject(lane, wish.intent_id, "shadow")

    def _refuse(self, lane: int, bar: tuple[Any, ...]) -> None:
        with suppress(ValueError):
            self.twin.close(lane, *bar)

    def _fill(
        self,
        lane: int,
        intent_id: str | int,
        units: int,
        price: float,
        fee: float,
        ts_ns: int,
        side: int | None,
    ) -> None:
        self.twin.fill(lane, intent_id, units, price, fee, ts_ns, side)

    def _end(self, lane: int, intent_id: str | int) -> None:
        if any(wish.intent_id == intent_id for wish in self.twin.outstanding(lane)):
            self.twin.reject(lane, intent_id, "ended")


def hear(core: Core, session_id: str, shadow: Shadow) -> None:
    """Hear the twin once the bar's orders are out; it can ring, and nothing else."""
    shadow.catch_up()
    if shadow.failure:
        core.alarm("shadow_failed", session_id, "shadow", f"{shadow.name}: {shadow.failure}")
        return
    if shadow.is_alarming:
        share = f"{shadow.agreement:.1%} of the last {len(shadow.agreed)} decisions agree"
        core.alarm("shadow_diverged", session_id, "shadow", f"{shadow.name}: {share}")
    elif ("shadow_diverged", session_id) in core.standing:
        core.calm("shadow_diverged", session_id)


def _said(wishes: Sequence[OrderIntent], held: tuple[int, int]) -> str:
    """Say in words what was wished, from which position."""
    if not wishes:
        words = "nothing"
    else:
        words = ", ".join(
            f"{'buy' if wish.side > 0 else 'sell'} {wish.quantity:g} to {'open' if wish.offset else 'close'}"
            f" ({wish.reason})"
            for wish in wishes
        )
    return f"{words}; holds {held[0] * held[1] / 1e6:g}"
