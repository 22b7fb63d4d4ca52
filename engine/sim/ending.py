"""What must hold when all has settled: the record, read anew, tells what memory and exchange tell."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from engine.api.reconcile import Act
from engine.research.session_records import SessionReport
from engine.research.sessions import FILES
from engine.sim.faults import Fault
from engine.sim.standing import folder_sha256, ledgers
from engine.sim.world import ACCOUNT, HOME
from engine.trading.custody import Custody, Verdict
from engine.trading.differences import CENT
from engine.trading.machine import TABLE, Evidence
from engine.trading.working import MANUAL
from safety.audit import verify_log
from safety.killbyte import KillLevel
from safety.reasons import Refusal
from safety.rejudge import rejudge
from venues.types import OrderStatus

if TYPE_CHECKING:
    from engine.sim.invariants import Judge

ZERO = Decimal(0)


class _Stamp(msgspec.Struct):
    """The one field of an audit record that is looked at here."""

    at_ns: int


_STAMPS = msgspec.json.Decoder(_Stamp)
BOOKING = ("cash:", "position:")
"""Differences whose adoption is an adjustment."""


BY_OTHERS = (
    Fault.FOREIGN_ORDER,
    Fault.FOREIGN_RESTING,
    Fault.FOREIGN_AT_GATE,
    Fault.CASH_MOVED,
    Fault.POSITION_MOVED,
)
"""Faults by which somebody else acts on the account."""
FILL_EVIDENCE = (Evidence.PART_FILL, Evidence.FULL_FILL, Evidence.OVERFILL)


async def settle(judge: Judge) -> None:
    """Judge the end: the faults have stopped and the world had its time."""
    world, incarnation = judge.world, judge.world.incarnation
    judge.check("I42", incarnation is not None, lambda: "no engine is running")
    if incarnation is None:
        return
    engine, custody = incarnation.engine, incarnation.engine.custody
    assert custody is not None
    unknown = [order.order_id for order in custody.orders.unknown()]
    judge.check("I42", not unknown, lambda: f"still UNKNOWN: {unknown}")
    is_settled = custody.verdict in (Verdict.CLEAN, Verdict.AMBIGUOUS)
    judge.check("I42", is_settled, lambda: f"verdict {custody.verdict}: {custody.differences}")
    if engine.core.kill.level is KillLevel.HALT_ALL:
        alive = [o.order_id for o in custody.orders.alive()]
        judge.check("I42", not alive, lambda: f"alive under halt_all: {alive}")
    if not any(world.dice.counts[each] for each in BY_OTHERS):
        # Nobody but us has touched the account: a difference, or its adoption, is our own error.
        is_ours = custody.verdict is Verdict.CLEAN and not custody.decided
        said = custody.differences or custody.decided
        judge.check("I42", is_ours, lambda: f"differs, and nobody else acted: {said}")
    _fills(judge, custody)
    if custody.verdict is Verdict.CLEAN:
        await _account(judge, custody)
    _machine(judge, custody)
    _verdicts(judge)
    _ledger(judge, custody)
    _adopted(judge, custody)
    _sealed(judge)
    gained = custody.ledger.equity_usd - custody.ledger.cash_usd
    total = engine.core.risk_memory.total_usd
    judge.check("I26", abs(gained - total) <= CENT, lambda: f"the account made {gained}, remembered {total}")
    _decisions(judge, custody)
    _record(judge)
    world.fact("end", f"{custody.verdict} kill {engine.core.kill.level.name}")


def ask(query: str, *values: object) -> list[tuple[object, ...]]:
    """Read the engine's database as another process would."""
    database = sqlite3.connect(HOME / "db" / "live.db")
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def _fills(judge: Judge, custody: Custody) -> None:
    """I15: every fill of the venue is booked exactly once; I32: memory counts nothing else."""
    theirs = {fill.fill_id: fill for fill in judge.world.venue.all_fills()}
    ours = [str(row[0]) for row in ask("select fill_id from fills")]
    doubled = [name for name, count in Counter(ours).items() if count > 1]
    judge.check("I15", not doubled, lambda: f"booked twice: {doubled}")
    invented = sorted(set(ours) - set(theirs))
    judge.check("I15", not invented, lambda: f"booked and never happened: {invented}")
    counted = {name for name in custody.ledger.booked if not name.startswith("adjustment:")}
    judge.check("I32", counted <= set(ours), lambda: f"counted, not on disk: {counted - set(ours)}")
    if custody.verdict is Verdict.CLEAN:
        mine = {f.fill_id for f in theirs.values() if f.client_order_id in judge.bytes_of}
        missing = sorted(mine - set(ours))
        judge.check("I15", not missing, lambda: f"never booked: {missing}")


async def _account(judge: Judge, custody: Custody) -> None:
    """I16 to I19: positions, orders and cash are the exchange's; a second look changes nothing."""
    venue = judge.world.venue
    snapshot = await venue.account()
    theirs = {each.symbol: each.quantity for each in snapshot.positions}
    ours = {held.symbol: held.quantity for held in custody.ledger.open_holdings()}
    judge.check("I16", ours == theirs, lambda: f"CLEAN, and {ours} is {theirs}")
    held = custody.ledger.holdings.values()
    cash = custody.ledger.cash_usd + sum((each.realised - each.fees for each in held), ZERO)
    if judge.world.bourse.is_spot:
        cash -= sum((each.quantity * each.entry_price for each in held), ZERO)
    judge.check("I18", abs(cash - snapshot.cash_usd) <= CENT, lambda: f"cash {cash} is {snapshot.cash_usd}")
    everything = {entry.request.client_order_id for entry in venue.working()}
    ours_too = {order.order_id for order in custody.orders.orders.values() if order.is_manual}
    looked_at = {*judge.bytes_of, *ours_too, *(row.key.partition(":")[2] for row in custody.decided)}
    judge.check("I17", everything <= looked_at, lambda: f"nobody has looked at {everything - looked_at}")
    working = everything & {*judge.bytes_of, *ours_too}
    alive = {order.order_id for order in custody.orders.alive()}
    judge.check("I17", working == alive, lambda: f"alive here {alive}, there {working}")
    for order_id, status in ask("select client_order_id, status from orders"):
        entry = venue.journal.get(str(order_id))
        is_dead = status == OrderStatus.REJECTED.value
        lives = entry is not None and entry.status is not OrderStatus.REJECTED
        judge.check("I6", not (is_dead and lives), lambda o=order_id: f"{o} is called dead, and is not")  # type: ignore[misc]
    await _second_look(judge, custody)


async def _second_look(judge: Judge, custody: Custody) -> None:
    """I19: what had ended stays as it is on record. The look takes its time where the venue's budget is low:
    what works then goes on, and a session may trade."""
    working = {order.order_id for order in custody.orders.alive()}
    before = _on_record()
    verdict = await custody.reconcile()
    after = _on_record()
    moved = {
        name: (count, after[name])
        for name, count in before.items()
        if after[name] != count and name not in working
    }
    judge.check("I19", verdict is Verdict.CLEAN and not moved, lambda: f"{verdict}, and again: {moved}")
    _fills(judge, custody)


def _on_record() -> Counter[str]:
    """Return how many events and fills each order has on record."""
    rows = ask("select client_order_id from order_events union all select client_order_id from fills")
    return Counter(str(row[0]) for row in rows)


def _machine(judge: Judge, custody: Custody) -> None:
    """I8: every recorded step is a row of the table; I1, I21: one order of one intent and one ticket."""
    at: dict[str, OrderStatus] = {}
    for order_id, kind, payload in ask(
        "select client_order_id, kind, payload from order_events order by seq"
    ):
        name, now = str(order_id), OrderStatus(str(kind))
        evidence = Evidence(msgspec.json.decode(str(payload), type=dict[str, str])["evidence"])
        was = at.get(name, OrderStatus.SUBMITTING)
        is_row = TABLE[was, evidence].status is now
        judge.check("I8", is_row, lambda n=name, w=was, e=evidence, k=now: f"{n}: {w} by {e} became {k}")  # type: ignore[misc]
        at[name] = now
        if now is OrderStatus.REJECTED and was is not now:
            is_true = evidence is not Evidence.REFUSED or _is_refused(judge, name)
            judge.check("I6", is_true, lambda n=name: f"{n} counts as refused, and nobody refused it")  # type: ignore[misc]
        # The exchange does not contradict itself: a proof of ours may not turn out to be none.
        lives = was is OrderStatus.REJECTED is not now
        lives = lives or (was is OrderStatus.CANCELLED and evidence in FILL_EVIDENCE)
        judge.check("I6", not lives, lambda n=name, w=was: f"{n} was proved {w}, and lived")  # type: ignore[misc]
    for order_id, status in ask("select client_order_id, status from orders"):
        is_last = at.get(str(order_id), OrderStatus.SUBMITTING).value == status
        judge.check("I8", is_last, lambda o=order_id, s=status: f"{o} is {s}, not as its last event")  # type: ignore[misc]
    for column, number in (("intent_id", "I1"), ("ticket_id", "I21")):
        given = f"from orders where {column} is not null"
        twice = ask(f"select {column}, count(*) {given} group by {column} having count(*) > 1")
        judge.check(number, not twice, lambda c=column, t=twice: f"{c} with several orders: {t}")  # type: ignore[misc]


def _is_refused(judge: Judge, name: str) -> bool:
    entry = judge.world.venue.journal.get(name)
    is_listed = entry is not None and entry.status is OrderStatus.REJECTED
    is_ours = judge.world.bourse.refuses_locally and name not in judge.bytes_of  # it never left
    return is_listed or is_ours or name in judge.world.refused


def _adopted(judge: Judge, custody: Custody) -> None:
    """I42: what others did is booked once each: no booking chases another."""
    moved = sum(1 for each in custody.adjustments() if each.cash_usd and not each.quantity)
    # A position adopted at another price than it came at leaves cash to be booked once it is closed.
    most = 2 * sum(judge.world.dice.counts[each] for each in BY_OTHERS)
    judge.check(
        "I42", moved <= most, lambda: f"others acted {most // 2} times, cash was booked {moved} times"
    )


def _sealed(judge: Judge) -> None:
    """I33: what an ended session left is what its report names, and has not been touched since."""
    files = judge.world.disk.files
    for folder, sha256 in judge.sealed.items():
        is_same = folder_sha256(judge, folder) == sha256
        judge.check("I33", is_same, lambda f=folder: f"{f} changed after its end")  # type: ignore[misc]
        report = files.get(folder / FILES["report"])
        if report is None:
            continue  # its engine died before the report: the status says so
        for named in msgspec.json.decode(report, type=SessionReport).artifacts:
            found = hashlib.sha256(files.get(folder / named.file_name, b"")).hexdigest()
            is_it = found == named.sha256
            judge.check("I33", is_it, lambda n=named, f=folder: f"{f}/{n.file_name} is not what is named")  # type: ignore[misc]


def _verdicts(judge: Judge) -> None:
    """I29: what was judged is judged the same again, from the journal alone."""
    rows = ask(
        "select j.decision_id, j.intent, j.facts, p.body, j.instrument, j.reasons from judgements j"
        " join policies p on p.sha256 = j.policy_sha256 order by j.seq desc limit 12"
    )
    for name, intent, facts, policy, instrument, reasons in rows:
        try:
            verdict = rejudge(
                intent=str(intent), facts=str(facts), policy=str(policy), instrument=str(instrument)
            )
            is_same = list(verdict.reasons) == msgspec.json.decode(str(reasons))
        except Refusal:
            is_same = False
        judge.check("I29", is_same, lambda n=name: f"{n} is judged otherwise now")  # type: ignore[misc]


def _ledger(judge: Judge, custody: Custody) -> None:
    """I31: what a restart would read is what memory holds; I20: a holding is the sum of its bookings."""
    ledgers(judge, custody)
    total: dict[str, Decimal] = {}
    for name, side, quantity in ask("select symbol, side, quantity from fills where account = ?", ACCOUNT):
        signed = Decimal(str(quantity)) * (1 if side == "buy" else -1)
        total[str(name)] = total.get(str(name), ZERO) + signed
    for adjustment in custody.adjustments():
        if adjustment.quantity:
            total[adjustment.symbol] = total.get(adjustment.symbol, ZERO) + adjustment.quantity
    for traded, booked in total.items():
        held = custody.ledger.holding(traded).quantity
        judge.check("I20", held == booked, lambda s=traded, h=held, q=booked: f"{s}: {h}, booked {q}")  # type: ignore[misc]


def _decisions(judge: Judge, custody: Custody) -> None:
    """I16: nothing is booked by itself: every adjustment and every manual order has its decision by name."""
    booked = len(custody.adjustments())
    manual = ask("select client_order_id from orders where strategy = ?", MANUAL)
    named = [row for row in custody.decided if row.operator == "ada" and row.reason]
    is_named = len(named) == len(custody.decided) >= booked + len(manual)
    judge.check("I16", is_named, lambda: f"{booked} + {len(manual)} booked by {len(named)} decisions")
    wanted = sum(row.key.startswith(BOOKING) and row.act is not Act.IGNORE for row in custody.decided)
    lost = wanted - booked  # an engine that dies between decision and booking books nothing
    judge.check("I16", 0 <= lost <= judge.world.crashes, lambda: f"{wanted} decided, {booked} booked")
    kept = ask("select triggered_by from decision_events where event_type = 'reconcile'")
    judge.check("I16", len(kept) >= len(named), lambda: f"{len(named)} decisions, {len(kept)} in their log")


def _record(judge: Judge) -> None:
    """I30: the audit chain verifies on what the disk holds; I35: the secret is nowhere."""
    world = judge.world
    assert world.incarnation is not None
    core = world.incarnation.engine.core
    if not core.audit.is_broken:
        result = verify_log(world.disk, core.paths.audit)
        judge.check("I30", result.ok, lambda: f"audit: {result.problem} at {result.first_bad_record}")
        times = [
            _STAMPS.decode(line).at_ns for line in bytes(world.disk.files[core.paths.audit]).splitlines()
        ]
        judge.check("I34", times == sorted(times), lambda: "the times of the audit log go back")
    database = (HOME / "db" / "live.db").read_bytes()
    wal = HOME / "db" / "live.db-wal"
    database += wal.read_bytes() if wal.exists() else b""
    places = [b"\n".join(world.trace), database, *(bytes(each) for each in world.disk.files.values())]
    is_safe = not any(secret in each for each in places for secret in world.bourse.secrets)
    judge.check("I35", is_safe, lambda: "the secret is on record")
