"""What an operator may do with one alarm: acknowledge it, put it aside, take it off its shelf."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engine.api import commands as c
from engine.core import Core
from engine.ops.alarms import UnknownAlarm
from safety.reasons import Refusal
from safety.text import clean
from venues.types import Record


class AlarmActs:
    """The acts of `interlock alarms`. Each raises `Refusal("not_found")` for an alarm that is not known."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def ack(self, command: c.Command) -> Record:
        """Acknowledge one alarm."""
        assert isinstance(command.body, c.AlarmAck)
        core, alarm_id = self.core, command.body.alarm_id
        with _known():
            row = core.alarms.ack(alarm_id, clean(command.operator, 80), core.clock.now_ns())
        core.note("alarm_ack", command.operator, f"{row.code} {row.subject}", alarm_id=row.alarm_id)
        return row

    async def shelve(self, command: c.Command) -> Record:
        """Put one alarm aside for some minutes, with a reason."""
        assert isinstance(command.body, c.AlarmShelve)
        body, core = command.body, self.core
        with _known():
            row = core.alarms.shelve(
                body.alarm_id, clean(command.operator, 80), command.reason, body.minutes, core.clock.now_ns()
            )
        said = f"{row.code} {row.subject} for {body.minutes:g} min: {row.shelved_why}"
        core.note("alarm_shelve", command.operator, said, alarm_id=row.alarm_id)
        return row

    async def unshelve(self, command: c.Command) -> Record:
        """Take one alarm off its shelf."""
        assert isinstance(command.body, c.AlarmUnshelve)
        core = self.core
        with _known():
            row = core.alarms.unshelve(command.body.alarm_id, core.clock.now_ns())
        core.note("alarm_unshelve", command.operator, f"{row.code} {row.subject}", alarm_id=row.alarm_id)
        return row


@contextmanager
def _known() -> Iterator[None]:
    try:
        yield
    except UnknownAlarm as error:
        raise Refusal("not_found", str(error)) from error
