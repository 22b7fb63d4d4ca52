"""Planted bugs of the kill switch, the holds and the watchdog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import assembly, views
from engine.daemon import Engine
from engine.ops.watchdog import Watchdog
from safety import killswitch
from safety.canonical import changed
from safety.interlock import Interlock
from safety.killbyte import KillLevel
from safety.killswitch import KillSwitch
from tests.simulation.planted.plant import P0, Plant, nothing, nothing_async, set_, wrap


def forgets_at_start(self: KillSwitch, was_started: bool) -> killswitch.LatchRecord:
    self.byte.clear()
    return killswitch.LatchRecord(
        level=KillLevel.CLEAR, epoch=0, trips=0, since_ns=0, by="engine", reason="start", source="start"
    )


def heals(old: Any) -> Any:
    def poll(self: KillSwitch) -> Any:
        if self._record.level is not KillLevel.CLEAR:
            self._record = changed(self._record, level=KillLevel.CLEAR, source="timeout")
            self.byte.clear()
        return old(self)

    return poll


def unheld(code: str) -> Callable[[Any], Any]:
    """Raise no hold of one kind."""

    def make(old: Any) -> Any:
        def raise_hold(self: Interlock, named: str, **facts: Any) -> Any:
            if named == code:
                return None
            return old(self, named, **facts)

        return raise_hold

    return make


def level_of_record(self: KillSwitch) -> KillLevel:
    return self._record.level


def same_epoch(old: Any) -> Any:
    def reset(self: KillSwitch, **facts: Any) -> Any:
        epoch = self._record.epoch
        record = old(self, **facts)
        self._record = changed(record, epoch=epoch)
        return record

    return reset


def obeys_unseen(old: Any) -> Any:
    def recover(self: Engine) -> Any:
        lost = old(self)
        self.desk.obeyed = self.core.kill.level
        return lost

    return recover


# fmt: off
# ruff: noqa: E501
PLANTS: tuple[Plant, ...] = (
    Plant("byte_ignored", "the shared kill byte is not read", P0, set_(KillSwitch, "level", property(level_of_record))),
    Plant("latch_not_written", "the latch file is not written", P0, set_(killswitch, "_write_latch", nothing)),
    Plant("latch_forgotten", "a start clears latch and byte", P0, set_(KillSwitch, "_take_over", forgets_at_start)),
    Plant("latch_heals", "the latch clears by itself", P0, wrap(KillSwitch, "poll", heals)),
    Plant("reset_keeps_epoch", "a reset begins no epoch", False, wrap(KillSwitch, "reset", same_epoch)),
    Plant("unknown_holds_nothing", "UNKNOWN and AMBIGUOUS raise no hold", P0, wrap(Interlock, "raise_hold", unheld("ambiguity"))),
    Plant("kill_holds_nothing", "a kill raises no hold", False, wrap(Interlock, "raise_hold", unheld("kill"))),
    Plant("always_says_clear", "the status line always says clear", False, set_(views, "LEVEL_WORDS", dict.fromkeys(views.LEVEL_WORDS, "clear"))),
    Plant("start_obeys_unseen", "a kill while the engine starts counts as obeyed", P0, wrap(Engine, "recover", obeys_unseen)),
    Plant("breaches_forgotten", "a start raises no latched breach again", P0, set_(assembly, "restore_latches", nothing)),
    Plant("watchdog_latches_nothing", "the watchdog never latches close_only", P0, set_(Watchdog, "_close_only", nothing_async)),
    Plant("watchdog_never_cancels", "the watchdog never cancels", P0, set_(Watchdog, "_cancel", nothing_async)),
)
# fmt: on
