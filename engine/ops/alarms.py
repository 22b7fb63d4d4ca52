"""The alarm desk: what asks for a person's act, who saw it, and what must be reset by name (C30).

Pure but for its keeper: time comes in with every call. An alarm is known by (code, subject) and keeps
its id for ever. A keeper that fails never loses an alarm: it stays here and is written at the next tick.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from engine.api.views import AlarmRow, AlarmsView
from engine.ops.alarm_states import ACTIVE, SHOWN, UNSEEN, Phase, Trigger, after, phase_of
from engine.store.failures import StoreError
from engine.store.rows import AlarmRecord
from safety.alarm_codes import AlarmSpec
from safety.text import clean
from seams.clock import NS_PER_S

RATE_WINDOW_NS = 600 * NS_PER_S
FLOOD_ABOVE = 10
"""A flood starts above this many rings in ten minutes..."""
FLOOD_ENDS_BELOW = 5
"""...and ends below this many."""
MAX_ALARMS = 512
OTHERS = "(others)"
"""The subject under which a code rings when the desk is full of live alarms."""


class Keeper(Protocol):
    """Where alarms survive a restart; `Store` is one."""

    def save_alarm(self, alarm: AlarmRecord) -> None: ...

    def alarms(self) -> list[AlarmRecord]: ...


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
        self._rings: deque[int] = deque(maxlen=4096)
        self._is_flooding = False
        self.suppressed = 0
        """Rings withheld since the start: conditions shorter than their on-delay, or in their deadband."""

    def reload(self, now_ns: int) -> None:
        """Take up what an earlier engine left.

        No condition is proved after a restart: what stood counts as cleared (latched kinds stay LATCH)
        and rings again when its condition is found again. Codes that no longer exist are dropped.
        """
        assert self._keeper is not None and not self._alarms
        for record in self._keeper.alarms():
            phase = phase_of(state=record.state, is_acked=record.is_acked)
            if record.code not in self._specs or phase is Phase.NORMAL:
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
            )
            self._alarms[alarm.alarm_id] = alarm
            self._move(alarm, self._clearing(alarm), now_ns)

    def raise_alarm(self, code: str, subject: str, source: str, message: str, now_ns: int) -> str:
        """Say that a condition stands and return the alarm's id; saying it again changes only the text.

        It rings once the condition has stood for the code's on-delay (see `tick`).
        """
        spec = self._specs[code]
        alarm = self._find_or_make(code, subject)
        alarm.source, alarm.message = self._clean(source), self._clean(message)
        if alarm.phase in ACTIVE:
            return alarm.alarm_id
        if alarm.cleared_ns and now_ns - alarm.cleared_ns < spec.deadband_s * NS_PER_S:
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
        alarm = self._alarms.get(alarm_id)
        if alarm is None:
            raise UnknownAlarm(f"no such alarm: {self._clean(alarm_id)}")
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

    def tick(self, now_ns: int) -> None:
        """Ring what has stood for its on-delay and write what could not be written; call about 1/s."""
        for alarm in list(self._alarms.values()):
            if alarm.waiting_ns:
                self._ring_when_due(alarm, now_ns)
        for alarm_id in sorted(self._unsaved):
            if alarm_id in self._alarms:
                self._save(self._alarms[alarm_id], now_ns)
        self._update_flood(now_ns)

    def rate_10min(self, now_ns: int) -> int:
        """Return how many alarms rang in the last ten minutes."""
        return sum(1 for at_ns in self._rings if now_ns - at_ns < RATE_WINDOW_NS)

    @property
    def is_flooding(self) -> bool:
        return self._is_flooding

    @property
    def is_saved(self) -> bool:
        """Whether the keeper has everything that is here."""
        return not self._unsaved

    @property
    def unacked(self) -> int:
        return sum(1 for alarm in self._alarms.values() if alarm.phase in UNSEEN)

    def rows(self) -> tuple[AlarmRow, ...]:
        """Return what is not normal: highest priority first, unseen before seen, newest first."""
        shown = [alarm for alarm in self._alarms.values() if alarm.phase is not Phase.NORMAL]
        shown.sort(key=self._order)
        return tuple(self._row(alarm) for alarm in shown)

    def view(self, seq: int, now_ns: int) -> AlarmsView:
        """Return the alarms view."""
        return AlarmsView(
            seq=seq,
            at_ns=now_ns,
            rate_10min=self.rate_10min(now_ns),
            suppressed=self.suppressed,
            rows=self.rows(),
        )

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
        idle = [a for a in self._alarms.values() if a.phase is Phase.NORMAL and not a.waiting_ns]
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
        alarm.count += 1
        alarm.acked_by = ""
        alarm.is_first_out = all(other.phase not in ACTIVE | UNSEEN for other in self._alarms.values())
        self._rings.append(now_ns)
        self._update_flood(now_ns)
        self._move(alarm, Trigger.RING, now_ns)

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

    def _update_flood(self, now_ns: int) -> None:
        rate = self.rate_10min(now_ns)
        self._is_flooding = rate > FLOOD_ABOVE or (self._is_flooding and rate >= FLOOD_ENDS_BELOW)

    def _order(self, alarm: _Alarm) -> tuple[int, bool, int, str]:
        priority = self._specs[alarm.code].priority
        return (priority, alarm.phase not in UNSEEN, -alarm.since_ns, alarm.alarm_id)

    def _row(self, alarm: _Alarm) -> AlarmRow:
        spec = self._specs[alarm.code]
        return AlarmRow(
            alarm_id=alarm.alarm_id,
            code=alarm.code,
            priority=spec.priority,
            state=SHOWN[alarm.phase],
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
