"""How old the configured keys are: a key that is never changed is an alarm, not a habit (AQ-35)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.config import load_settings
from engine.config.settings import Settings
from engine.core import Core
from safety.reasons import Refusal
from safety.secrets import KeyReference, Secret, load_secret, secret_file
from seams.clock import NS_PER_S
from venues.types import Record

KEY_OLD = "key_old"
DAY_NS = 86_400 * NS_PER_S


class KeyAge(Record):
    """One configured key: where it is kept, since when it is as it is, and how that is judged.

    `state` is ok, old or missing; `age_days` counts from the file's last change, None where there is none.
    """

    name: str
    reference: str
    age_days: float | None
    most_days: float
    state: str


def references(settings: Settings) -> Iterator[KeyReference]:
    """Yield every key that the settings name."""
    named = {
        "execution.venue_key_file": settings.execution.venue_key_file,
        "watchdog.key_file": settings.watchdog.key_file,
        "watchdog.drill_key_file": settings.watchdog.drill_key_file,
        "record.audit_key_file": settings.record.audit_key_file,
        **{
            f"alarms.sinks.{name}": sink.target
            for name, sink in sorted(settings.alarms.sinks.items())
            if sink.kind == "webhook"
        },
    }
    return (KeyReference(name=name, path=path) for name, path in named.items() if path)


def key_ages(settings: Settings, now_ns: int) -> tuple[KeyAge, ...]:
    """Judge every configured key; the value is not read."""
    return tuple(
        _judged(reference, settings.execution.key_max_age_days, now_ns) for reference in references(settings)
    )


def watch_keys(core: Core) -> None:
    """Ring for every key that is older than its bound; the alarm ends when the key is changed."""
    for key in key_ages(core.settings, core.clock.now_ns()):
        if key.state == "old":
            said = f"{key.name} is {key.age_days:.0f} days old, the bound is {key.most_days:g}"
            core.alarm(KEY_OLD, key.name, "eng", said)
        else:
            core.calm(KEY_OLD, key.name)


def drill_key(home: Path, environ: dict[str, str]) -> Secret | None:
    """Return the key that signs drills, where one is configured. Raises `Refusal` or `ConfigError`."""
    path = load_settings(home, environ).settings.watchdog.drill_key_file
    return load_secret(KeyReference(name="watchdog.drill_key_file", path=path)) if path else None


def _judged(reference: KeyReference, most_days: float, now_ns: int) -> KeyAge:
    try:
        changed_ns = secret_file(reference).stat().st_mtime_ns
    except (OSError, Refusal):
        age_days = None
    else:
        age_days = round(max(0, now_ns - changed_ns) / DAY_NS, 1)
    state = "missing" if age_days is None else "old" if age_days > most_days else "ok"
    return KeyAge(
        name=reference.name,
        reference=reference.path,
        age_days=age_days,
        most_days=most_days,
        state=state,
    )
