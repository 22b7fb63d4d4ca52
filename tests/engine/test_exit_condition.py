"""The exit condition of the micro stage: four named results, and each thing that takes one of them away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.api.corridor import Step
from engine.api.views import OrdersView
from engine.corridor import reading
from engine.corridor.folder import CorridorFolder
from engine.corridor.real_sessions import SentSessions
from engine.daemon import Seams, build_core
from engine.exit_condition import NAMES, exit_condition
from engine.gate_book import GateBook
from engine.gate_desk import LOOK_NS, GateDesk
from engine.promotion import CLEAN_SESSIONS
from engine.sim.world import ENVIRON
from safety.canonical import changed
from safety.killbyte import KillByte, KillLevel
from seams.clock import FixedClock, iso_z
from seams.disk import MemoryDisk
from seams.rng import Rng
from tests.console.desk_fixture import order
from venues.types import OrderStatus

NO_ORDERS = OrdersView(seq=0, at_ns=0, rows=())
STEPS: tuple[tuple[Step, str, dict[str, Any]], ...] = (
    (Step.PREFLIGHT, "preflight_passed", {}),
    (Step.APPROVE, "approved", {}),
    (Step.SUBMIT, "submitted_remote", {}),
    (Step.STATUS, "filled", {"order_state": "filled"}),
    (Step.RECONCILE, "reconciled", {}),
)


class Desk:
    """A desk that has sent five small orders with real money, looked at each, and written every note."""

    def __init__(self, folder: Path) -> None:
        (folder / "db").mkdir(mode=0o700)
        self.clock, self.disk = FixedClock(), MemoryDisk()
        seams = Seams(self.clock, None, Rng(1), self.disk, pid=1, commit="0" * 40)
        self.core = build_core(seams, folder, ENVIRON, KillByte.anonymous())
        self.book = GateBook(self.core)
        self.sent = SentSessions(self.core.paths.submits, self.disk)
        self.orders, self.blockers = NO_ORDERS, ()
        for number in range(1, CLEAN_SESSIONS + 1):
            self.session(f"X-{number}")
        self.publish()
        for found in self.sent.look():
            self.book.close_out(found.session_id, found.evidence, ("ann", ""), "small and calm")

    def session(
        self, name: str, environment: str = "mainnet", notional: str = "60", without: Step | None = None
    ) -> None:
        for step, state, body in STEPS:
            if step is not without:
                given = {"intent": {"notional_usd": notional}} if step is Step.PREFLIGHT else body
                self.add(name, step, state, given, environment)

    def add(
        self, name: str, step: Step, state: str, body: dict[str, Any], environment: str = "mainnet"
    ) -> None:
        self.clock.advance(1.0)
        CorridorFolder(self.core.paths.submits, name, self.disk).add(
            step, by="ann", venue="hyperliquid", environment=environment, ok=True, state=state, reasons=(),
            body=body, clock=self.clock,
        )  # fmt: skip

    def publish(self) -> None:
        """Write the files that other programs are warned by, as the engine does."""
        reading.publish(self.core.paths.submits, self.disk, self.clock)
        for name in ("desk_health.json", "desk_alerts.json"):
            body = {"generated_at": iso_z(self.clock.now_ns())}
            self.disk.write_atomic(self.core.paths.outputs / name, msgspec.json.encode(body))

    def failing(self) -> dict[str, str]:
        """Return the results that do not hold, with what each says."""
        found = exit_condition(self.core, self.sent.look(), self.book.notes, self.orders, self.blockers)
        assert tuple(each.name for each in found) == NAMES and all(each.said for each in found)
        return {each.name: each.said for each in found if not each.ok}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.core.store.close()


def test_five_small_sessions_that_ended_were_reviewed_and_told_meet_it(desk: Desk) -> None:
    assert desk.failing() == {}


def _large(desk: Desk) -> None:
    desk.session("X-6", notional="150.01")


def _untold(desk: Desk) -> None:
    desk.session("X-6", without=Step.RECONCILE)


def _open(desk: Desk) -> None:
    desk.session("X-6", without=Step.STATUS)


def _of_test_money(desk: Desk) -> None:
    for number in range(1, CLEAN_SESSIONS + 1):
        path = desk.core.paths.submits / f"X-{number}"
        for each in [each for each in desk.disk.files if path in each.parents]:
            del desk.disk.files[each]
        desk.session(f"X-{number}", environment="testnet")
    desk.sent = SentSessions(desk.core.paths.submits, desk.disk)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_large, "X-6 is not within 150 USD"),
        (_untold, "X-6 was not reconciled"),
        (_open, "X-6 is submitted"),
        (_of_test_money, "0 of 5 sessions with real money ended, small and reconciled; 5 without real money"),
    ],
)
def test_a_session_that_is_large_open_or_unreconciled_takes_the_bounded_ones_away(
    desk: Desk, harm: Callable[[Desk], None], says: str
) -> None:
    harm(desk)
    assert says in desk.failing()["bounded_sessions"]


def test_a_session_without_its_note_or_looked_at_again_after_it_is_not_reviewed(desk: Desk) -> None:
    desk.session("X-6")
    desk.publish()
    failing = desk.failing()
    assert set(failing) == {"operator_review"} and "X-6 close-out note missing" in failing["operator_review"]
    (found,) = [each for each in desk.sent.look() if each.session_id == "X-6"]
    desk.book.close_out("X-6", found.evidence, ("bob", ""), "calm")
    assert desk.failing() == {}
    desk.add("X-6", Step.STATUS, "filled", {"order_state": "filled"})
    assert "X-6 close-out note other_evidence" in desk.failing()["operator_review"]


def test_a_session_that_nobody_approved_is_not_reviewed(desk: Desk) -> None:
    desk.session("X-6", without=Step.APPROVE)
    (found,) = [each for each in desk.sent.look() if each.session_id == "X-6"]
    desk.book.close_out("X-6", found.evidence, ("bob", ""), "calm")
    assert "X-6 nobody approved it" in desk.failing()["operator_review"]


@pytest.mark.parametrize(
    "name", ["desk_health.json", "desk_alerts.json", "submits_health.json", "submits_alerts.json"]
)
@pytest.mark.parametrize("harm", ["missing", "damaged", "of another time"])
def test_each_alert_artifact_that_is_missing_damaged_or_old_blocks_by_its_name(
    desk: Desk, name: str, harm: str
) -> None:
    folder = desk.core.paths.submits if name.startswith("submits") else desk.core.paths.outputs
    path = folder / name
    if harm == "missing":
        del desk.disk.files[path]
    elif harm == "damaged":
        desk.disk.files[path] = desk.disk.files[path][:-5]
    elif name.startswith("desk"):
        desk.clock.advance(181.0)
    else:  # what it says is of before this session
        desk.session("X-6", without=Step.STATUS)
    failing = desk.failing()["alert_artifacts"]
    assert name in failing and failing.startswith(("3 of 4", "2 of 4"))


def test_an_artifact_that_was_altered_is_found_and_names_its_session(desk: Desk) -> None:
    path = next(each for each in desk.disk.files if each.match("X-3/history/*-status.json"))
    desk.disk.files[path] = desk.disk.files[path].replace(b"filled", b"missed", 1)
    found = [desk.failing() for _ in range(2 * CLEAN_SESSIONS)][-1]
    assert "X-3 is not proved" in found["no_open_blocker"]
    assert found["bounded_sessions"].startswith("4 of 5")


def _unknown(desk: Desk) -> None:
    desk.orders = OrdersView(seq=0, at_ns=0, rows=(order(1, status=OrderStatus.UNKNOWN),))


def _ambiguous(desk: Desk) -> None:
    desk.core.interlock.raise_hold(
        "ambiguity", subject="account", since_ns=1, source="eng", evidence="differs"
    )


def _killed(desk: Desk) -> None:
    desk.core.kill.trip(KillLevel.CLOSE_ONLY, by="ann", reason="test", source="test")


def _undrilled(desk: Desk) -> None:
    desk.blockers = ("drill_stale:kill",)


def _unexplained(desk: Desk) -> None:
    desk.blockers = ("incident_without_note:I-1",)


def _keyless(desk: Desk) -> None:
    watchdog = desk.core.settings.watchdog.model_copy(update={"drill_key_file": "/nowhere/drill.key"})
    desk.core.settings = desk.core.settings.model_copy(update={"watchdog": watchdog})


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_unknown, "reconciliation: order "),
        (_ambiguous, "reconciliation: ambiguity account"),
        (_killed, "stop control: the kill latch is set"),
        (_undrilled, "stop control: drill_stale:kill"),
        (_unexplained, "stop control: incident_without_note:I-1"),
        (_keyless, "secrets: watchdog.drill_key_file is missing"),
    ],
)
def test_each_open_blocker_is_named_with_its_part(
    desk: Desk, harm: Callable[[Desk], None], says: str
) -> None:
    harm(desk)
    failing = desk.failing()
    assert set(failing) == {"no_open_blocker"} and says in failing["no_open_blocker"]


def test_nothing_ever_sent_meets_nothing_but_the_absence_of_trouble(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir(mode=0o700)
    seams = Seams(FixedClock(), None, Rng(1), MemoryDisk(), pid=1, commit="0" * 40)
    core = build_core(seams, tmp_path, ENVIRON, KillByte.anonymous())
    found = exit_condition(core, (), {}, NO_ORDERS, ())
    assert [each.ok for each in found] == [False, False, False, True]
    core.store.close()


def test_the_sessions_are_looked_at_again_when_their_time_has_come(desk: Desk) -> None:
    gates = GateDesk(desk.core)
    assert all(each.ok for each in gates.exit_condition(NO_ORDERS, ()))
    desk.session("X-6", notional="500", without=Step.RECONCILE)
    assert gates.exit_condition(NO_ORDERS, ())[0].ok
    desk.clock.advance(LOOK_NS / 1e9)
    assert not gates.exit_condition(NO_ORDERS, ())[0].ok


def test_what_is_sent_is_read_as_it_stands(desk: Desk) -> None:
    found = desk.sent.look()
    assert [each.session_id for each in found] == [f"X-{n}" for n in range(1, CLEAN_SESSIONS + 1)]
    assert {(each.reviewer, each.notional_usd, each.is_real, each.is_over) for each in found} == {
        ("ann", Decimal("60"), True, True)
    }
    assert not changed(found[0], environment="sandbox").is_real
