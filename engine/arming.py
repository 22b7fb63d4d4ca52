"""The arming desk: two steps by named persons before real money moves, and what their end means.

Every condition is a row of `arming_rules`; the states are `safety.arming`. An arming ends with its engine: a
new one holds new risk back until it is armed again, while it watches, cancels and reduces what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.api.arming import ArmAsk, ArmCondition, ArmConfirm, ArmingView
from engine.api.commands import Command
from engine.arming_note import ArmingNote, write_note
from engine.arming_rules import local_conditions, looked_conditions
from engine.core import Core
from engine.trading.custody import Custody, Verdict
from safety.arming import Armed, Arming, ArmingState, Condition, phrase_of
from safety.interlock import Clearance
from safety.reasons import Refusal
from safety.secrets import Secret
from safety.text import clean
from safety.two_person import Signature
from seams.clock import NS_PER_S
from venues.contract import VenueError
from venues.standing import Standing, Stands
from venues.types import Environment, Mode, Record

SHOWN_NS = 5 * NS_PER_S
HOLD, SEAL, LAPSED = "arming", "seal", "arming_lapsed"


class ArmingDesk:
    """The arming of one engine with an account at a real venue."""

    def __init__(self, core: Core, custody: Custody, arming: Arming, stands: Stands) -> None:
        self.core, self.custody, self.arming, self._stands = core, custody, arming, stands
        self.origins: Callable[[], Mapping[str, str]] = dict
        """Where each setting comes from, read anew: limits are the desk's own only where it wrote them."""
        self.drill_key: Callable[[], Secret | None] = lambda: None
        self.standing: Standing | None = None
        self._has_started = False
        self._shown: tuple[int, ArmingView] | None = None
        custody.is_open = self.is_open
        self._hold("this engine is not armed")
        if core.environment is Environment.MAINNET and core.mode is Mode.LIVE:
            core.interlock.raise_hold(
                SEAL, since_ns=core.clock.now_ns(), source="eng", evidence="no strategy here has a seal"
            )

    def state(self) -> ArmingState:
        return self.arming.state(self.core.moment())

    def is_open(self) -> bool:
        """Tell whether the venue's address is open now."""
        return self.state() is not ArmingState.DISARMED

    def may_start(self) -> bool:
        """Tell, once, that the venue's streams may begin: what it asks at its start must be answered."""
        starts = self.is_open() and not self._has_started
        self._has_started = self._has_started or starts
        return starts

    def view(self, conditions: tuple[Condition, ...] | None = None) -> ArmingView:
        """Return how arming stands; without `conditions` those that are judged without the venue, and what
        it said last."""
        core, arming = self.core, self.arming
        if conditions is None:
            conditions = (*self._local(), *self._looked(self.standing, "not asked yet"))
        asked, armed = arming.asked, arming.armed
        return ArmingView(
            state=self.state().value,
            mode=core.mode.value,
            environment=core.environment.value,
            venue=self.custody.venue.name,
            account=self.custody.account,
            needs_two=core.needs_two_persons,
            conditions=tuple(
                ArmCondition(code=each.code, ok=each.ok, said=each.said, correction=each.correction)
                for each in conditions
            ),
            hash="" if asked is None else asked.hash,
            phrase="" if asked is None else asked.phrase,
            asked_by="" if asked is None else asked.first.operator,
            armed_by="" if armed is None else armed.names,
            reason=asked.reason if asked is not None else "" if armed is None else armed.reason,
            until_ns=asked.until_ns if asked is not None else 0 if armed is None else armed.until_ns,
        )

    def shown(self) -> ArmingView:
        """Return how arming stands; conditions are judged anew every few seconds: they read files."""
        now_ns = self.core.clock.monotonic_ns()
        if self._shown is None or now_ns - self._shown[0] >= SHOWN_NS or self._shown[1].state != self.state():
            self._shown = (now_ns, self.view())
        return self._shown[1]

    # --- the steps -------------------------------------------------------------------------------

    async def act(self, command: Command, principal: str) -> Record:
        """Carry out one of the acts. Raises `Refusal`, also with everything that stands against it."""
        body, self._shown = command.body, None
        if isinstance(body, ArmAsk):
            return self._ask(command, principal)
        if isinstance(body, ArmConfirm):
            return await self._confirm(command, body, principal)
        return self.disarm(command.operator, command.reason)

    def _ask(self, command: Command, principal: str) -> ArmingView:
        if not clean(command.reason):
            raise Refusal("reason_required", "say what this arming is for")
        if self.core.needs_two_persons and not principal:
            raise Refusal("principal_required", "two persons arm, each with a key of their own")
        found = self._local()
        self._demand(found)
        core = self.core
        cap = f"{core.settings.risk.micro_order_notional_usd:g}"
        phrase = phrase_of(self.custody.venue.name, core.environment.value, cap)
        content = [core.mode, core.environment, self.custody.venue.name, self.custody.account, core.epoch]
        asked = self.arming.ask(
            command.operator, principal, content, phrase, clean(command.reason), core.moment()
        )
        said = f"{self.custody.venue.name} {core.environment}: {asked.reason}"
        core.note("arming_asked", command.operator, said, hash=asked.hash, principal=principal)
        return self.view((*found, *self._looked(None, "the venue is being asked")))

    async def _confirm(self, command: Command, body: ArmConfirm, principal: str) -> ArmingView:
        core, arming = self.core, self.arming
        self._second(command, body, principal)
        await self.custody.reconcile()
        said = ""
        try:
            self.standing = await self._stands(self._nonce)
        except VenueError as error:
            self.standing, said = None, clean(str(error), 200)
        found = (*self._local(), *self._looked(self.standing, said))
        self._demand(found)
        by = self._second(command, body, principal)  # again: the step may be over, or another's, by now
        armed = arming.arm(by, core.moment())
        self._write(armed)
        core.note("armed", armed.names, f"{self._where()}: {armed.reason}", until_ns=armed.until_ns)
        if core.interlock.has(HOLD):
            evidence = f"armed by {armed.names}, each condition met"
            clearance = Clearance(operator=armed.names, reason=armed.reason, evidence=evidence)
            core.interlock.clear_hold(HOLD, clearance)
        core.calm(LAPSED, "desk")
        return self.view(found)

    def disarm(self, operator: str, reason: str) -> ArmingView:
        """Hold new risk back at once; where nothing of ours is left, the address closes too."""
        leaves_nothing = not self.custody.orders.alive() and not self.custody.ledger.open_holdings()
        leaves_nothing = leaves_nothing and self.custody.verdict is Verdict.CLEAN
        self.arming.disarm(leaves_nothing=leaves_nothing)
        self._hold("disarmed")
        self._write(None)
        self.core.note("disarmed", operator, f"{self._where()}: {clean(reason) or 'no reason given'}")
        return self.view()

    def tend(self) -> None:
        """Once a second: a step that is over is over, aloud; streams begin once the address is open."""
        core, over = self.core, self.arming.lapse(self.core.moment())
        if over == ArmingState.ARMED:
            self._hold("the arming ran out")
            core.note("arming_lapsed", "eng", self._where())
            core.alarm(LAPSED, "desk", "eng", "no new risk; what is at the venue is watched and reduced")
        elif over:
            core.note("arming_lapsed", "eng", f"{self._where()}: nobody made the second step")
        if self.may_start():
            self.custody.venue.start()
            self.custody.look_again()

    # --- inside ----------------------------------------------------------------------------------

    def _second(self, command: Command, body: ArmConfirm, principal: str) -> tuple[Signature, ...]:
        by = self.arming.second(
            command.operator,
            principal,
            body.phrase,
            needs_two=self.core.needs_two_persons,
            moment=self.core.moment(),
        )
        asked = self.arming.asked
        if asked is None or len(body.hash) < 8 or not asked.hash.startswith(body.hash.lower()):
            raise Refusal("approval_changed", "the first step is another one: look, then confirm")
        return by

    def _local(self) -> tuple[Condition, ...]:
        try:
            key = self.drill_key()
        except Refusal as refusal:
            wrong = Condition(code=refusal.code, ok=False, said=str(refusal), correction="see interlock keys")
            return (*local_conditions(self.core, self.custody.venue.name, self.origins(), None), wrong)
        return local_conditions(self.core, self.custody.venue.name, self.origins(), key)

    def _looked(self, standing: Standing | None, said: str) -> tuple[Condition, ...]:
        return looked_conditions(self.core, self.custody, standing, said)

    def _demand(self, found: tuple[Condition, ...]) -> None:
        failing = [each for each in found if not each.ok]
        if failing:
            raise Refusal("arming_refused", "; ".join(f"{each.code} ({each.said})" for each in failing))

    def _nonce(self) -> int:
        with self.core.store.transaction():
            return self.custody.orders.nonces.next()

    def _hold(self, evidence: str) -> None:
        self.core.interlock.raise_hold(
            HOLD, since_ns=self.core.clock.now_ns(), source="eng", evidence=evidence
        )

    def _where(self) -> str:
        return f"{self.custody.venue.name} {self.core.environment} {self.custody.account}"

    def _write(self, armed: Armed | None) -> None:
        core, custody = self.core, self.custody
        note = ArmingNote(
            mode=core.mode.value,
            environment=core.environment.value,
            venue=custody.venue.name,
            account=custody.account,
            by="" if armed is None else armed.names,
            since_ns=0 if armed is None else armed.since_ns,
            until_ns=0 if armed is None else armed.until_ns,
            epoch=core.epoch,
            is_tended=self.arming.is_tended and core.mode is Mode.LIVE,
        )
        write_note(core.disk, core.paths.safety, note)


def unarmed(core: Core) -> ArmingView:
    """Return how arming stands where none is needed: no real venue can be reached."""
    return ArmingView(
        state="not_needed",
        mode=core.mode.value,
        environment=core.environment.value,
        venue="",
        account="",
        needs_two=core.needs_two_persons,
    )
