"""`interlock watchdog status` over beats as processes leave them."""

from pathlib import Path

from safety.beat import BEAT_FILE, WATCHDOG_BEAT_FILE, BeatPage, BeatState
from seams.clock import NS_PER_S, SystemClock

from .conftest import Shell


def test_a_frozen_engine_is_not_said_to_be_running(shell: Shell, home: Path) -> None:
    """Its last beat says `running` for ever: an engine stopped for 13 s was listed so."""
    folder = home / "safety"
    folder.mkdir()
    now_ns = SystemClock().monotonic_ns()
    BeatPage.shared(folder / BEAT_FILE).write(BeatState.RUNNING, now_ns - 13 * NS_PER_S, 7)
    BeatPage.shared(folder / WATCHDOG_BEAT_FILE).write(BeatState.RUNNING, now_ns, 8)
    answer = shell("watchdog", "status", "--json")
    beats = answer.body["beats"]
    assert isinstance(beats, list)
    assert answer.code == 0
    assert [(each["process"], each["state"]) for each in beats] == [
        ("engine", "silent"),
        ("watchdog", "running"),
    ]
