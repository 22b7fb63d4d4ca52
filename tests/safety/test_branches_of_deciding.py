"""The rarer answers of what decides: each is a refusal or a way back that some day somebody meets."""

from __future__ import annotations

import subprocess
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from safety_builders import facts, instrument, intent, policy

from safety import approval
from safety import secrets as secrets_module
from safety.approval import ApprovalRule, Moment, TicketBook
from safety.audit import AuditBroken, AuditLog, anchor_log
from safety.audit_chain import AuditHead
from safety.audit_heads import HeadKey, book_path, read_heads, trim_book
from safety.audit_verify import verify_log
from safety.canonical import canonical, changed
from safety.killbyte import KillByte, KillLevel
from safety.killswitch import LATCH_FILE, KillSwitch, read_latch
from safety.lease import COMMAND_LINE, OperatorLease
from safety.override import FirstSignature
from safety.preflight import Preflight, preflight
from safety.reasons import Refusal
from safety.secrets import Secret
from safety.ticket import is_size
from seams.clock import NS_PER_S, FixedClock
from seams.disk import MemoryDisk

LOG = Path("/audit/audit.jsonl")
FOLDER = Path("/home/safety")
GOOD = preflight(intent(), facts(), policy(), instrument())
BAD = preflight(intent(), facts(kill_level=1), policy(), instrument())


def at(seconds: float) -> Moment:
    return Moment(now_ns=round(seconds * NS_PER_S), monotonic_ns=round(seconds * NS_PER_S))


def test_a_latch_that_another_process_tripped_is_not_what_the_operator_looked_at() -> None:
    disk, byte = MemoryDisk(), KillByte.anonymous()
    switch = KillSwitch(disk, FixedClock(), FOLDER, byte)
    switch.trip(KillLevel.HALT_ALL, by="ada", reason="look", source="test")
    before = read_latch(disk, FOLDER).trips
    byte.count_trip()  # another process counts, and has not written its file yet
    with pytest.raises(Refusal, match="trip_in_progress"):
        switch.reset(operator="ada", reason="seen", clean_reconciliation=True, unknown_orders=0)
    assert read_latch(disk, FOLDER).trips == before and switch.level is KillLevel.HALT_ALL
    assert disk.exists(FOLDER / LATCH_FILE)


@pytest.mark.parametrize(
    ("typed", "is_right"), [("0.5", True), (" 0.50 ", True), ("0.4", False), ("half", False), (None, False)]
)
def test_a_typed_size_is_exactly_the_quantity(typed: str | None, is_right: bool) -> None:
    assert is_size(typed, Decimal("0.5")) is is_right


def test_a_lease_says_how_long_it_lasts_and_is_left_only_by_its_holder() -> None:
    lease = OperatorLease(10 * NS_PER_S)
    assert lease.left_ms(at(0)) == 0
    lease.use("ada", COMMAND_LINE, at(0))
    assert lease.left_ms(at(4)) == 6_000
    with pytest.raises(Refusal, match="lease_required"):
        lease.give_up("bob", at(4))
    assert lease.give_up("ada", at(4)).operator == "ada"
    assert lease.holder(at(4)) is None
    with pytest.raises(Refusal, match="lease_required"):
        lease.give_up("ada", at(4))


def test_a_vouching_that_the_disk_refuses_breaks_the_log() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    key = HeadKey(Secret("a key for tests only, of enough characters"))
    log = AuditLog(disk, clock, LOG, key=key, head_every_s=1.0)
    log.append("act", {"n": 1})
    clock.advance(5.0)
    disk.fail_after_writes = 0
    with pytest.raises(OSError, match="No space"):
        log.vouch_when_due()
    disk.fail_after_writes = None
    with pytest.raises(AuditBroken):
        log.append("act", {"n": 2})


def test_a_log_with_more_than_one_record_behind_its_head_is_not_mended() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, LOG)
    log.append("act", {"n": 1})
    whole = disk.files[LOG]
    disk.files[LOG] = whole + b"garbage\n" + b"more\n"
    with pytest.raises(AuditBroken):
        AuditLog(disk, clock, LOG)
    assert disk.files[LOG] == whole + b"garbage\nmore\n", "nothing was taken away"


def test_a_head_that_cannot_be_read_is_told_and_mends_nothing() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    AuditLog(disk, clock, LOG).append("act", {"n": 1})
    head = next(path for path in disk.files if path.name.endswith(".head"))
    disk.files[head] += b" "
    assert not verify_log(disk, LOG).ok
    with pytest.raises(AuditBroken):
        AuditLog(disk, clock, LOG)


def test_a_log_whose_file_the_host_refuses_is_told_as_unreadable() -> None:
    class Refusing(MemoryDisk):
        def read(self, path: Path) -> bytes:
            if path == LOG:
                raise OSError(5, "Input/output error")
            return super().read(path)

    disk = Refusing()
    disk.files[LOG] = b"{}\n"
    result = verify_log(disk, LOG)
    assert not result.ok and result.problem == "unreadable_file: Input/output error"


def test_an_anchor_is_given_without_a_book_and_without_a_key() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, LOG)
    record = log.append("act", {"n": 1})
    head = anchor_log(disk, clock, LOG, None, None)
    assert (head.seq, head.hash, head.signature) == (record.seq, record.hash, "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "gpg"), "gpg is not installed"),
        (subprocess.TimeoutExpired("gpg", 1.0), "gpg waits"),
    ],
)
def test_a_gpg_that_is_missing_or_waits_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    path = tmp_path / "key.gpg"
    path.write_bytes(b"x")
    monkeypatch.setattr(secrets_module.subprocess, "run", run)
    with pytest.raises(Refusal, match=said):
        secrets_module._decrypted("venue", path)


def test_a_secret_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xff\xfe\x00")
    path.chmod(0o600)
    with pytest.raises(Refusal, match="is not text"):
        secrets_module.load_secret(secrets_module.KeyReference(name="venue", path=str(path)))


@pytest.mark.parametrize(
    ("rule", "epoch", "is_reviewed", "checked", "code"),
    [
        (ApprovalRule.EXIT, 1, False, GOOD, "not_permitted"),
        (ApprovalRule.FLATTEN, 1, False, GOOD, "not_permitted"),
        (ApprovalRule.EXIT, 2, False, GOOD, "wrong_epoch"),
        (ApprovalRule.EXIT, 1, True, GOOD, "ticket_used"),
        (ApprovalRule.EXIT, 1, False, BAD, "checks_failed"),
    ],
)
def test_a_rule_approves_only_what_it_covers(
    rule: ApprovalRule, epoch: int, is_reviewed: bool, checked: Preflight, code: str
) -> None:
    book = TicketBook()
    book.propose("T-1", intent(), checked, epoch=1, moment=at(0))
    if is_reviewed:
        book.select("T-1", "ada", at(1))
    with pytest.raises(Refusal) as refusal:
        book.approve_by_rule("T-1", rule, epoch=epoch, moment=at(1))
    assert refusal.value.code == code


def test_what_got_worse_changes_a_ticket_only_while_somebody_reads_it() -> None:
    book = TicketBook()
    book.propose("T-1", intent(), GOOD, epoch=1, moment=at(0))
    assert book.revise("T-1", BAD, at(1), 0, None) is None, "nobody has read it yet"


def cosigning(by: str = "") -> tuple[TicketBook, str]:
    """Return a ticket that ada has signed with key K1; `by` wrote the order."""
    book = TicketBook()
    book.propose("T-1", intent(), GOOD, epoch=1, moment=at(0), proposed_by=by)
    seen = book.select("T-1", "ada", at(1)).hash
    first = FirstSignature(principal="K1")
    book.approve("T-1", seen, "ada", typed_size="0.5", epoch=1, moment=at(2), first=first)
    return book, seen


@pytest.mark.parametrize(
    ("who", "key", "author"), [("ada", "K2", ""), ("bob", "K1", ""), ("bob", "K2", "bob")]
)
def test_the_second_person_is_another_name_another_key_and_not_the_author(
    who: str, key: str, author: str
) -> None:
    book, seen = cosigning(author)
    with pytest.raises(Refusal) as refusal:
        book.cosign("T-1", seen, who, key, epoch=1, moment=at(3))
    assert refusal.value.code == "same_person"
    approved = book.cosign("T-1", seen, "cleo", "K3", epoch=1, moment=at(3))
    assert approved.approved_by == "ada+cleo"


def test_a_ticket_that_nobody_has_signed_waits_for_no_second_person() -> None:
    book = TicketBook()
    made = book.propose("T-1", intent(), GOOD, epoch=1, moment=at(0))
    with pytest.raises(Refusal, match="ticket_review_required"):
        book.cosign("T-1", made.hash, "bob", "K2", epoch=1, moment=at(1))


def test_of_closed_tickets_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "MAX_CLOSED_TICKETS", 2)
    book = TicketBook()
    for number in range(4):
        book.propose(f"T-{number}", intent(), GOOD, epoch=1, moment=at(number))
        book.reject(f"T-{number}", "ada", 1, moment=at(number))
    with pytest.raises(Refusal, match="ticket_used"):
        book.reject("T-3", "ada", 1, moment=at(4))
    book.propose("T-4", intent(), GOOD, epoch=1, moment=at(4))
    with pytest.raises(Refusal, match="unknown_ticket"):
        book.get("T-0")
    assert book.get("T-3").id == "T-3" and book.get("T-4").id == "T-4"


def test_a_lost_latch_is_reset_under_an_epoch_that_no_reset_before_can_have_had() -> None:
    disk, clock = MemoryDisk(), FixedClock()
    switch = KillSwitch(disk, clock, FOLDER, KillByte.anonymous())
    switch.trip(KillLevel.HALT_ALL, by="ada", reason="look", source="test")
    disk.files[FOLDER / LATCH_FILE] = b"not what was written"
    record = switch.reset(operator="ada", reason="seen", clean_reconciliation=True, unknown_orders=0)
    assert record.epoch == clock.now_ns() // NS_PER_S and read_latch(disk, FOLDER) == record


KEY = HeadKey(Secret("a key for tests only, of enough characters"))


def vouched() -> tuple[MemoryDisk, Path]:
    """Return a log of two records with a signed head for each, and where the heads are."""
    disk, clock = MemoryDisk(), FixedClock()
    log = AuditLog(disk, clock, LOG, key=KEY, head_every_s=1.0)
    for number in range(2):
        log.append("act", {"n": number})
        clock.advance(5.0)
        log.vouch_when_due()
    assert verify_log(disk, LOG, KEY).ok
    return disk, book_path(LOG)


def test_a_head_of_another_key_or_without_a_signature_is_forged() -> None:
    disk, book = vouched()
    stranger = HeadKey(Secret("another key for tests, of enough characters too"))
    result = verify_log(disk, LOG, stranger)
    assert not result.ok and result.problem is not None and result.problem.endswith("_forged")
    heads = read_heads(disk, book)
    disk.files[book] = b"".join(canonical(changed(head, signature="", key_id="")) + b"\n" for head in heads)
    result = verify_log(disk, LOG, KEY)
    assert (result.ok, result.problem) == (False, "signed_head_forged")


def test_a_torn_last_head_is_trimmed_and_a_whole_one_stays() -> None:
    disk, book = vouched()
    whole = disk.files[book]
    assert trim_book(disk, book) == 0 and disk.files[book] == whole
    disk.files[book] = whole + b'{"seq":3'
    assert trim_book(disk, book) == 8 and disk.files[book] == whole


def test_a_log_that_never_stands_still_is_looked_at_so_many_times_and_no_more() -> None:
    class Moving(MemoryDisk):
        looks = 0

        def read(self, path: Path) -> bytes:
            data = super().read(path)
            if path == LOG:
                Moving.looks += 1
                return data + b'{"torn'
            if path.name.endswith(".head"):
                head = msgspec.json.decode(data, type=AuditHead)
                return canonical(changed(head, size_bytes=Moving.looks))
            return data

    disk, clock = Moving(), FixedClock()
    AuditLog(disk, clock, LOG).append("act", {"n": 1})
    Moving.looks = 0
    result = verify_log(disk, LOG)
    assert not result.ok and 2 <= Moving.looks <= 20


def test_heads_in_another_order_are_told() -> None:
    disk, book = vouched()
    first, second, *rest = disk.files[book].splitlines(keepends=True)
    disk.files[book] = b"".join((second, first, *rest))
    result = verify_log(disk, LOG, KEY)
    assert (result.ok, result.problem) == (False, "signed_head_out_of_order")
