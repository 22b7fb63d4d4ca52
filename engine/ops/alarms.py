"""The alarm desk: what asks for a person's act, who saw it, and what must be reset by name (C30).

Pure but for its keeper: time comes in with every call. An alarm is known by (code, subject) and keeps
its id for ever. A keeper that fails never loses an alarm: it stays here and is written at the next tick.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

import msgspec

from engine.api.views import AlarmRow, AlarmsView
from engine.ops.alarm_burden import MAX_SHELF_MINUTES, NOT_SHELVABLE, Burden, Chatter, Shelf, groups_of
from engine.ops.alarm_states import ACTIVE, SHOWN, UNSEEN, Phase, Trigger, after, phase_of
from engine.store.failures import StoreError
from engine.store.rows import AlarmRecord
from safety.alarm_codes import AlarmSpec
from safety.reasons import Refusal
from safety.text import clean
from seams.clock import NS_PER_S

MAX_ALARMS = 512
SHELVED = "SHELVED"
"""The shown state of an alarm that was put aside; its own goes on beneath."""
OTHERS = "(others)"
"""The subject under which a code rings when the desk is full of live alarms."""


class Keeper(Protocol):
    """Where alarms survive a restart; `Store` is one."""

    def save_alarm(self, alarm: AlarmRecord) -> None: ...

    def alarms(self) -> list[AlarmRecord]: ...

    def keep_shelf(self, alarm_id: str, text: str, at_ns: int) -> None: ...

    def shelves(self) -> dict[str, str]: ...


class UnknownAlarm(Exception):
    """No alarm has this id."""

    code = "unknown_alarm"


class _Alarm(msgspec.Struct):
    """One alarm as the desk keeps it; `waiting_ns` is when a condition in its on-delay appeared."""

    alarm_id: str
    code: str
    subject: str
    phase: Phase = Phase.NORMAL
    source: str = ""
    message: str = ""
    count: int = 0
    acked_by: str = ""
    is_first_out: bool = False
    since_ns: int = 0
    cleared_ns: int = 0
    waiting_ns: int = 0
    chatter: Chatter = msgspec.field(default_factory=Chatter)
    shelf: Shelf | None = None


class AlarmDesk:
    """All alarms of one engine."""

    def __init__(
        self,
        specs: Mapping[str, AlarmSpec],
        keeper: Keeper | None = None,
        clean_text: Callable[[str], str] = clean,
    ) -> None:
        self._specs, self._keeper, self._clean = specs, keeper, clean_text
        self._alarms: dict[str, _Alarm] = {}
        self._unsaved: set[str] = set()
        self._burden = Burden()
        self.suppressed = 0
        """Rings withheld since the start: shorter than their on-delay, in their deadband, or chattering."""
        self.on_ring: list[Callable[[AlarmRow], None]] = []
        """Called with every alarm that rings, at once."""

    def reload(self, now_ns: int) -> None:
        """Take up what an earlier engine left.

        No condition is proved after a restart: what stood counts as cleared (latched kinds stay LATCH)
        and rings again when its condition is found again. Codes that no longer exist are dropped. A shelf
        lives on until its time; one that cannot be read is none.
        """
        assert self._keeper is not None and not self._alarms
        shelves = self._keeper.shelves()
        for record in self._keeper.alarms():
            phase = phase_of(state=record.state, is_acked=record.is_acked)
            shelf = self._shelf_of(record.code, shelves.get(record.alarm_id, ""), now_ns)
            if record.code not in self._specs or (phase is Phase.NORMAL and shelf is None):
                continue
            alarm = _Alarm(
                alarm_id=record.alarm_id,
                code=record.code,
                subject=record.subject,
                phase=phase,
                source=record.source,
                message=record.message,
                count=record.count,
                acked_by=record.acked_by,
                is_first_out=record.is_first_out,
                since_ns=record.since_ns,
                shelf=shelf,
            )
            self._alarms[alarm.alarm_id] = alarm
            self._move(alarm, self._clearing(alarm), now_ns)

    def _shelf_of(self, code: str, text: str, now_ns: int) -> Shelf | None:
        """Return the shelf that an earlier engine wrote down, where it still counts."""
        spec = self._specs.get(code)
        if not text or spec is None or spec.priority <= NOT_SHELVABLE:
            return None
        try:
            shelf = msgspec.json.decode(text, type=Shelf)
        except msgspec.MsgspecError:
            return None
        is_bounded = now_ns < shelf.until_ns <= now_ns + MAX_SHELF_MINUTES * 60 * NS_PER_S
        return shelf if is_bounded else None

    def raise_alarm(self, code: str, subject: str, source: str, message: str, now_ns: int) -> str:
        """Say that a condition stands and return the alarm's id; saying it again changes only the text.

        It rings once the condition has stood for the code's on-delay (see `tick`).
        """
        spec = self._specs[code]
        alarm = self._find_or_make(code, subject)
        alarm.source, alarm.message = self._clean(source), self._clean(message)
        if alarm.phase in ACTIVE:
            return alarm.alarm_id
        is_soon = alarm.cleared_ns and now_ns - alarm.cleared_ns < spec.deadband_s * NS_PER_S
        if is_soon or (spec.priority > NOT_SHELVABLE and alarm.chatter.is_chattering(now_ns)):
            self.suppressed += 1
            self._move(alarm, Trigger.RETURN, now_ns)
            return alarm.alarm_id
        alarm.waiting_ns = alarm.waiting_ns or now_ns
        self._ring_when_due(alarm, now_ns)
        return alarm.alarm_id

    def clear(self, code: str, subject: str, now_ns: int) -> None:
        """Say that a condition is gone; harmless where it did not stand."""
        alarm = self._alarms.get(alarm_id_of(code, self._clean(subject)))
        if alarm is None:
            return
        if alarm.waiting_ns:
            alarm.waiting_ns = 0
            self.suppressed += 1
        if alarm.phase in ACTIVE:
            alarm.cleared_ns = now_ns
            self._move(alarm, self._clearing(alarm), now_ns)

    def ack(self, alarm_id: str, operator: str, now_ns: int) -> AlarmRow:
        """Note that a person saw one alarm, and return it. Raises `UnknownAlarm`."""
        assert operator, "an acknowledgement has a name"
        alarm = self._known(alarm_id)
        if alarm.phase in UNSEEN:
            alarm.acked_by = operator
            self._move(alarm, Trigger.ACK, now_ns)
        return self._row(alarm)

    def reset(self, code: str, operator: str, now_ns: int) -> list[str]:
        """Reset every latched alarm of a code whose condition is gone; return the subjects reset.

        Call `clear` first: a condition that stands is not touched.
        """
        assert operator, "a reset has a name"
        done = []
        for alarm in self._alarms.values():
            if alarm.code == code and after(alarm.phase, Trigger.RESET) is not alarm.phase:
                alarm.acked_by, alarm.cleared_ns = operator, 0
                self._move(alarm, Trigger.RESET, now_ns)
                done.append(alarm.subject)
        return sorted(done)

    def shelve(self, alarm_id: str, operator: str, reason: str, minutes: float, now_ns: int) -> AlarmRow:
        """Put one alarm aside for a while, and return it. It is shown as SHELVED and does not ring.

        Raises `UnknownAlarm`, or `Refusal` with alarm_not_shelvable (priority 1), reason_required or
        shelf_too_long. It ends by itself, over a restart too.
        """
        assert operator, "a shelf has a name"
        alarm = self._known(alarm_id)
        if self._specs[alarm.code].priority <= NOT_SHELVABLE:
            raise Refusal("alarm_not_shelvable", f"{alarm.code} asks for an act now")
        if not self._clean(reason):
            raise Refusal("reason_required", "say why it may wait")
        if not 0 < minutes <= MAX_SHELF_MINUTES:
            raise Refusal("shelf_too_long", f"1 to {MAX_SHELF_MINUTES} minutes, not {minutes:g}")
        until_ns = now_ns + round(minutes * 60 * NS_PER_S)
        alarm.shelf = Shelf(by=self._clean(operator), reason=self._clean(reason), until_ns=until_ns)
        self._keep_shelf(alarm, now_ns)
        return self._row(alarm, now_ns)

    def unshelve(self, alarm_id: str, now_ns: int) -> AlarmRow:
        """Take one alarm off its shelf; what still stands rings. Raises `UnknownAlarm`."""
        alarm = self._known(alarm_id)
        if alarm.shelf is not None:
            self._take_off(alarm, now_ns)
        return self._row(alarm, now_ns)

    def tick(self, now_ns: int) -> None:
        """Ring what has stood for its on-delay, end shelves and write what could not be written; call 1/s."""
        for alarm in list(self._alarms.values()):
            if alarm.shelf is not None and now_ns >= alarm.shelf.until_ns:
                self._take_off(alarm, now_ns)
            if alarm.waiting_ns:
                self._ring_when_due(alarm, now_ns)
        for alarm_id in sorted(self._unsaved):
            if alarm_id in self._alarms:
                self._save(self._alarms[alarm_id], now_ns)
        self._burden.look(now_ns)

    def rate_10min(self, now_ns: int) -> int:
        """Return how many alarms rang in the last ten minutes."""
        return self._burden.rate_10min(now_ns)

    @property
    def is_flooding(self) -> bool:
        """More rings than anybody can handle: work by priority."""
        return self._burden.is_flooding

    @property
    def unacked(self) -> int:
        return sum(1 for alarm in self._alarms.values() if alarm.phase in UNSEEN and alarm.shelf is None)

    def is_unseen(self, code: str, subject: str) -> bool:
        """Tell whether this alarm still waits for a person to see it."""
        alarm = self._alarms.get(alarm_id_of(code, self._clean(subject)))
        return alarm is not None and alarm.phase in UNSEEN

    def rows(self, now_ns: int = 0) -> tuple[AlarmRow, ...]:
        """Return what is not normal or is shelved: highest priority first, unseen before seen, newest first,
        shelved ones last."""
        shown = [a for a in self._alarms.values() if a.phase is not Phase.NORMAL or a.shelf is not None]
        shown.sort(key=self._order)
        return tuple(self._row(alarm, now_ns) for alarm in shown)

    def view(self, seq: int, now_ns: int) -> AlarmsView:
        """Return the alarms view."""
        rows = self.rows(now_ns)
        return AlarmsView(
            seq=seq,
            at_ns=now_ns,
            rate_10min=self.rate_10min(now_ns),
            suppressed=self.suppressed,
            rows=rows,
            is_flood=self.is_flooding,
            groups=groups_of(row for row in rows if row.state != SHELVED) if self.is_flooding else (),
        )

    def _known(self, alarm_id: str) -> _Alarm:
        alarm = self._alarms.get(alarm_id)
        if alarm is None:
            raise UnknownAlarm(f"no such alarm: {self._clean(alarm_id)}")
        return alarm

    def _take_off(self, alarm: _Alarm, now_ns: int) -> None:
        """End a shelf: a condition that stands must be seen again."""
        alarm.shelf = None
        self._keep_shelf(alarm, now_ns)
        if alarm.phase in ACTIVE:
            self._move(alarm, Trigger.CLEAR, now_ns)
            self._ring(alarm, now_ns)

    def _keep_shelf(self, alarm: _Alarm, now_ns: int) -> None:
        """Write a shelf down, or forget it; one that cannot be written ends with this engine."""
        if self._keeper is not None:
            text = "" if alarm.shelf is None else msgspec.json.encode(alarm.shelf).decode()
            with suppress(StoreError):
                self._keeper.keep_shelf(alarm.alarm_id, text, now_ns)

    def _find_or_make(self, code: str, subject: str) -> _Alarm:
        subject = self._clean(subject)
        alarm_id = alarm_id_of(code, subject)
        if alarm_id not in self._alarms:
            if len(self._alarms) >= MAX_ALARMS and not self._forget_one():
                subject, alarm_id = OTHERS, alarm_id_of(code, OTHERS)
            if alarm_id not in self._alarms:
                self._alarms[alarm_id] = _Alarm(alarm_id=alarm_id, code=code, subject=subject)
        return self._alarms[alarm_id]

    def _forget_one(self) -> bool:
        """Drop the longest-normal alarm; False where every alarm is live."""
        idle = [
            a
            for a in self._alarms.values()
            if a.phase is Phase.NORMAL and not a.waiting_ns and a.shelf is None
        ]
        if not idle:
            return False
        del self._alarms[min(idle, key=lambda alarm: (alarm.cleared_ns, alarm.alarm_id)).alarm_id]
        return True

    def _clearing(self, alarm: _Alarm) -> Trigger:
        return Trigger.CLEAR_LATCHED if self._specs[alarm.code].is_latched else Trigger.CLEAR

    def _ring_when_due(self, alarm: _Alarm, now_ns: int) -> None:
        if now_ns - alarm.waiting_ns < self._specs[alarm.code].on_delay_s * NS_PER_S:
            return
        alarm.waiting_ns = 0
        self._ring(alarm, now_ns)

    def _ring(self, alarm: _Alarm, now_ns: int) -> None:
        alarm.count += 1
        alarm.acked_by = ""
        alarm.is_first_out = all(other.phase not in ACTIVE | UNSEEN for other in self._alarms.values())
        alarm.chatter.note(now_ns)
        self._move(alarm, Trigger.RING, now_ns)
        if alarm.shelf is not None:
            self.suppressed += 1
            return
        self._burden.ring(now_ns)
        for listener in self.on_ring:
            listener(self._row(alarm, now_ns))

    def _move(self, alarm: _Alarm, trigger: Trigger, now_ns: int) -> None:
        phase = after(alarm.phase, trigger)
        if phase is alarm.phase:
            return
        alarm.phase, alarm.since_ns = phase, now_ns
        if phase is Phase.NORMAL:
            alarm.is_first_out = False
        self._save(alarm, now_ns)

    def _save(self, alarm: _Alarm, now_ns: int) -> None:
        if self._keeper is None:
            return
        try:
            self._keeper.save_alarm(_record(alarm, now_ns))
        except StoreError:  # the database's own failure is an alarm too: it must still ring
            self._unsaved.add(alarm.alarm_id)
        else:
            self._unsaved.discard(alarm.alarm_id)

    def _order(self, alarm: _Alarm) -> tuple[bool, int, bool, int, str]:
        priority = self._specs[alarm.code].priority
        is_shelved = alarm.shelf is not None
        return (is_shelved, priority, alarm.phase not in UNSEEN, -alarm.since_ns, alarm.alarm_id)

    def _row(self, alarm: _Alarm, now_ns: int = 0) -> AlarmRow:
        spec, shelf = self._specs[alarm.code], alarm.shelf
        return AlarmRow(
            alarm_id=alarm.alarm_id,
            code=alarm.code,
            priority=spec.priority,
            state=SHOWN[alarm.phase] if shelf is None else SHELVED,
            since_ns=alarm.since_ns,
            source=alarm.source,
            subject=alarm.subject,
            message=alarm.message,
            count=alarm.count,
            acked_by=alarm.acked_by,
            is_first_out=alarm.is_first_out,
            consequence=spec.consequence,
            respond_within=spec.respond_within,
            first_action=spec.first_action,
            runbook=spec.runbook,
            shelved_until_ns=0 if shelf is None else shelf.until_ns,
            shelved_by="" if shelf is None else shelf.by,
            shelved_why="" if shelf is None else shelf.reason,
            is_chattering=now_ns > 0 and alarm.chatter.is_chattering(now_ns),
        )


def alarm_id_of(code: str, subject: str) -> str:
    """Return the id of an alarm: the same for the same (code, subject), for ever."""
    return "A-" + hashlib.sha256(f"{code}\0{subject}".encode()).hexdigest()[:12]


def _record(alarm: _Alarm, now_ns: int) -> AlarmRecord:
    return AlarmRecord(
        alarm_id=alarm.alarm_id,
        code=alarm.code,
        subject=alarm.subject,
        source=alarm.source,
        message=alarm.message,
        state=SHOWN[alarm.phase],
        is_active=alarm.phase in ACTIVE,
        is_acked=alarm.phase not in UNSEEN,
        is_first_out=alarm.is_first_out,
        acked_by=alarm.acked_by,
        count=alarm.count,
        since_ns=alarm.since_ns,
        updated_ns=now_ns,
    )
