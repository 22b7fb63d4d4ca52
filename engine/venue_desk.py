"""How an engine stands with its venue: keys and their end, rate budgets, the dead man's switch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

from engine.api.venues import BAD_KEYS, BudgetRow, KeyRow, VenueView, key_said
from engine.api.views import PartHealth
from engine.core import Core
from engine.dead_man import ARMED, OFF, REFUSED, UNARMED, DeadMan
from engine.trading.custody import Custody
from engine.trading.key_trouble import PROVING, judge_standing, note_refusal
from engine.venue_state import StateWatch
from safety.text import clean
from seams.clock import NS_PER_MS, NS_PER_S
from venues.contract import LiveVenue, Refused, StateTeller, StreamTeller, Trading, VenueError
from venues.dry import undressed
from venues.standing import BudgetStanding, KeyStanding, Standing, Stands
from venues.types import AccountSnapshot, Environment

STREAM_DOWN = "no stream: prices are old, fills and orders are only asked for"
LOOK_NS = 120 * NS_PER_S
RETRY_NS = 10 * NS_PER_S
STALE_NS = 2 * LOOK_NS
DAY_NS = 86_400 * NS_PER_S
WARN_DAYS = 14.0
NO_END_MS = 10**12
SILENT, DEAF = "venue_silent", "venue_stream_down"
ENDING, UNSAFE, USELESS = "key_ending", "key_unsafe", "key_places_nothing"
ORDERS, AGENT = "orders", "agent"
"""What adapters call the key that signs them, and the role of one that signs for a master (Hyperliquid)."""


class VenueDesk:
    """The account's venue, looked at every two minutes."""

    def __init__(self, core: Core, custody: Custody, venue: LiveVenue, stands: Stands) -> None:
        self.core, self.custody, self.venue, self._stands = core, custody, venue, stands
        self.standing: Standing | None = None
        self.said = "not asked yet"
        teller: object = undressed(venue)
        self.state = StateWatch(core, custody, teller if isinstance(teller, StateTeller) else None)
        self._stream = teller if isinstance(teller, StreamTeller) else None
        self.dead_man = DeadMan(core, custody, venue, lambda: self.state.trading is Trading.OPEN)
        self._asked_ns: int | None = None
        self._work: asyncio.Task[None] | None = None
        custody.known_facts = self.facts

    def tend(self) -> None:
        """Once a second: look where it is time, and renew the dead man's switch."""
        self.state.tend()
        self.dead_man.tend()
        self._ring_silence()
        self._ring_deafness()
        if self.core.market is not None:
            self.core.market.tend()
        now_ns = self.core.clock.monotonic_ns()
        pause_ns = LOOK_NS if self.standing is not None and not self.said else RETRY_NS
        is_due = self._asked_ns is None or now_ns - self._asked_ns >= pause_ns
        if is_due and self.custody.is_open() and (self._work is None or self._work.done()):
            self._asked_ns = now_ns
            self._work = asyncio.get_running_loop().create_task(self._look(), name="venue standing")

    def _ring_silence(self) -> None:
        """Ring while the venue says nothing: what rests there is out of our hands, session or none."""
        name = self.venue.name
        if not self.custody.is_in_touch():
            self.core.alarm(SILENT, name, name, "nothing that is asked is answered")
        elif (SILENT, name) in self.core.standing:
            self.core.calm(SILENT, name)

    def _ring_deafness(self) -> None:
        """Ring while questions are answered and the stream is not there: prices grow old, fills come late."""
        name = self.venue.name
        if self._is_deaf():
            self.core.alarm(DEAF, name, name, STREAM_DOWN)
        elif self.custody.is_in_touch() and (DEAF, name) in self.core.standing:
            self.core.calm(DEAF, name)

    def _is_deaf(self) -> bool:
        """Tell whether only the stream is missing: not a key that the venue does not know, nor everything."""
        if self._stream is None or self._stream.is_up or self.standing is None or self.standing.problems:
            return False
        return self.custody.is_open() and self.custody.is_in_touch()

    async def ask(self) -> Standing:
        """Ask the venue now and remember it. Raises `VenueError`."""
        standing = await self._stands(self._nonce)
        before, self.standing, self.said = self.standing, standing, ""
        self._ring(standing)
        judge_standing(self.core, standing, before)
        return standing

    async def view(self, *, is_fresh: bool) -> VenueView:
        """Return how we stand; `is_fresh`: the venue is asked now, and what it did not say is a problem."""
        snapshot, problems = None, list[str]()
        if is_fresh:
            try:
                await self.ask()
                snapshot = await self.venue.account()
            except VenueError as error:
                problems.append(clean(str(error), 200))
        return self._view(snapshot, tuple(problems))

    def facts(self) -> dict[str, object]:
        """Return what preflight may know of keys and budgets; on a loopback they are not about money."""
        standing = self.standing
        if standing is None or self.core.environment is Environment.SANDBOX:
            return {}
        now_ns = self.core.clock.now_ns()
        if now_ns - standing.at_ns > STALE_NS:
            return {}
        found: dict[str, object] = {}
        told = [key for key in standing.keys if not key.refused]
        is_master = any(key.can_withdraw is not False for key in told)
        if is_master or len(told) == len(standing.keys):  # of a refused key nobody knows
            found["signer_is_master"] = is_master
        ends = [key.valid_until_ns for key in standing.keys]
        if None not in ends:
            finite = [end for end in ends if end]
            found["signer_left_ms"] = (min(finite) - now_ns) // NS_PER_MS if finite else NO_END_MS
        if standing.budgets:
            found["budget_left"] = Decimal(str(round(min(each.left for each in standing.budgets), 4)))
        return found

    def parts(self) -> tuple[PartHealth, ...]:
        """Return keys, budgets and the switch as parts of the engine's health, each with its age."""
        standing = self.standing
        switch = self.dead_man.row()
        word = {ARMED: "ok", OFF: "off", UNARMED: "slow", REFUSED: "off"}.get(switch.state, "off")
        left = f", {switch.left_s} s left" if switch.left_s else ""
        man = PartHealth(
            part="dead man", state=word, age_ms=0, detail=f"{switch.state.upper()}: {switch.said}{left}"
        )
        if standing is None:
            return (PartHealth(part="venue keys", state="off", age_ms=0, detail=self.said), man)
        now_ns = self.core.clock.now_ns()
        age_ms = max(0, now_ns - standing.at_ns) // NS_PER_MS
        keys = [_key(each, now_ns) for each in standing.keys]
        budgets = [_budget(each) for each in standing.budgets]
        worst = "failed" if any(each.state in BAD_KEYS for each in keys) else "ok"
        ending = "slow" if any(each.state == "ending" for each in keys) else worst
        tight = "slow" if any(each.state != "ok" for each in budgets) else "ok"
        key_state = worst if worst == "failed" else ending
        return (
            PartHealth(part="venue keys", state=key_state, age_ms=age_ms, detail=_keys_said(keys)),
            PartHealth(part="venue budget", state=tight, age_ms=age_ms, detail=_budgets_said(budgets)),
            *self._stream_part(),
            man,
        )

    def _stream_part(self) -> tuple[PartHealth, ...]:
        if self._stream is None:
            return ()
        said = ("ok", "whole") if self._stream.is_up else ("slow", STREAM_DOWN)
        return (PartHealth(part="venue stream", state=said[0], age_ms=0, detail=said[1]),)

    async def close(self) -> None:
        await self.dead_man.close()
        await self.state.close()
        if self.core.market is not None:
            await self.core.market.close()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    # --- inside ----------------------------------------------------------------------------------

    async def _look(self) -> None:
        try:
            await self.ask()
        except VenueError as error:
            self.said = clean(str(error), 200)
            if isinstance(error, Refused):
                note_refusal(self.core, self.venue.signer, self.venue.name, error, "our standing")

    def _ring(self, standing: Standing) -> None:
        """Ring for a key that ends soon, could take the money away, or cannot do what it is for."""
        core = self.core
        told = (each for each in standing.keys if not each.refused)  # of a refused key nothing is told
        for key in (_key(each, standing.at_ns) for each in told):
            subject, where = f"{standing.venue} {key.name}", f"{key.public} of {standing.account}"
            if key.state in ("ending", "ended"):
                core.alarm(ENDING, subject, "eng", f"{where} ends in {key.days_left} days")
            else:
                core.calm(ENDING, subject)
            for code, state, said in (
                (UNSAFE, "unsafe", "can withdraw"),
                (USELESS, "no orders", "may not place orders"),
            ):
                if key.state == state:
                    core.alarm(code, subject, "eng", f"{where} {said}")
                else:
                    core.calm(code, subject)

    def _view(self, snapshot: AccountSnapshot | None, problems: tuple[str, ...]) -> VenueView:
        core, custody, standing = self.core, self.custody, self.standing
        now_ns = core.clock.now_ns()
        is_up = custody.is_open() and custody.is_in_touch()
        said = () if standing is None else tuple(clean(each, 200) for each in standing.problems)
        if self._is_deaf():
            problems = (*problems, STREAM_DOWN)
        if self.state.trading is not Trading.OPEN:
            problems = (*problems, f"the venue is {self.state.trading}")
        return VenueView(
            venue=self.venue.name,
            mode=core.mode.value,
            environment=core.environment.value,
            account=custody.account,
            signer=self.venue.signer,
            state="up" if is_up else "down" if custody.is_open() else "closed",
            custody=custody.verdict.value,
            agreed_ms_ago=custody.age_ms(),
            markets=len(self.venue.instruments()),
            capabilities=self.venue.capabilities(),
            dead_man=self.dead_man.row(),
            keys=() if standing is None else tuple(_key(each, now_ns) for each in standing.keys),
            budgets=() if standing is None else tuple(_budget(each) for each in standing.budgets),
            standing=standing,
            snapshot=snapshot,
            problems=(*problems, *said),
            warnings=() if standing is None else (*standing.warnings, *_untold(standing)),
        )

    def _nonce(self) -> int:
        with self.core.store.transaction():
            return self.custody.orders.nonces.next()


def _key(key: KeyStanding, now_ns: int) -> KeyRow:
    days = round((key.valid_until_ns - now_ns) / DAY_NS, 1) if key.valid_until_ns else None
    state = "unknown" if key.valid_until_ns is None else "ok"
    if days is not None and days < WARN_DAYS:
        state = "ended" if days <= 0 else "ending"
    if key.name == ORDERS and key.can_trade is False:
        state = "no orders"
    if key.role not in PROVING:
        state = "not ours"
    if key.can_withdraw:
        state = "unsafe"
    if key.refused:
        state = "refused"
    return KeyRow(
        name=key.name,
        public=key.public,
        role=key.role,
        days_left=days,
        can_withdraw=key.can_withdraw,
        may=key.may,
        state=state,
        refused=key.refused,
    )


def _untold(standing: Standing) -> Iterator[str]:
    """Warn of each key whose end the venue does not tell: arming refuses such a one."""
    for key in standing.keys:
        if key.valid_until_ns is None and not key.refused:
            why = ": an agent without a name; approve one with a name" if key.role == AGENT else ""
            yield f"{standing.venue} does not tell when the key for {key.name} ends{why}"


def _budget(budget: BudgetStanding) -> BudgetRow:
    return BudgetRow(
        name=budget.name,
        unit=budget.unit,
        used=round(budget.used, 1),
        cap=budget.cap,
        left=round(budget.left, 4),
        reserve=budget.reserve,
        state="cancels only" if budget.is_for_cancels else "ok",
    )


def _keys_said(keys: list[KeyRow]) -> str:
    return ", ".join(map(key_said, keys)) or "no keys of its own"


def _budgets_said(budgets: list[BudgetRow]) -> str:
    return ", ".join(f"{each.name} {each.left:.0%} left" for each in budgets) or "no rate limit"
