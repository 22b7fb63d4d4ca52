"""Small durable facts: named values (venue account state, counters) and the alarms."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select, update

from engine.store.link import Link
from engine.store.rows import AlarmRecord
from engine.store.tables import ALARMS, KV

_VALUE = select(KV.c.value).where(KV.c.key == bindparam("wanted"))
_CHANGE = (
    update(KV)
    .where(KV.c.key == bindparam("wanted"))
    .values(value=bindparam("new_value"), updated_ns=bindparam("new_ns"))
)


class FactRows:
    """Values by key, each replaced as a whole; the value is text (JSON where it has structure)."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def get(self, key: str) -> str | None:
        found = self._link.ask(_VALUE, {"wanted": key})
        return found if isinstance(found, str) else None

    def set(self, key: str, value: str, at_ns: int) -> None:
        """Replace a value durably."""
        changes: dict[str, object] = {"wanted": key, "new_value": value, "new_ns": at_ns}
        with self._link.transaction():
            if self._link.tell(_CHANGE, changes) == 0:
                self._link.run(insert(KV).values(key=key, value=value, updated_ns=at_ns))

    def remove(self, key: str) -> None:
        self._link.run(delete(KV).where(KV.c.key == key))

    def under(self, prefix: str) -> dict[str, str]:
        """Return every value whose key starts with `prefix`, by key."""
        query = select(KV.c.key, KV.c.value).where(KV.c.key.startswith(prefix, autoescape=True))
        with self._link.transaction() as connection:
            found = connection.execute(query.order_by(KV.c.key)).all()
        return {str(key): str(value) for key, value in found}


class AlarmRows:
    """The alarms as they were last seen: what a restart begins with."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def save_alarm(self, alarm: AlarmRecord) -> None:
        """Write one alarm, new or known."""
        self._link.put(ALARMS, "alarm_id", alarm)

    def alarms(self) -> list[AlarmRecord]:
        """Return every alarm ever raised here, by id."""
        return self._link.rows(select(ALARMS).order_by(ALARMS.c.alarm_id), AlarmRecord)
