"""A database is opened as what it is, or not at all (OC-37)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.store import Store, StoreFailed, StoreUnreadable, database_path
from seams.clock import FixedClock
from venues.types import Environment, Mode

from .builders import intent, order


def test_each_mode_has_its_own_file(tmp_path: Path) -> None:
    assert len({database_path(tmp_path, mode) for mode in Mode}) == len(Mode)
    assert database_path(tmp_path, Mode.LIVE).name == "live.db"


@pytest.mark.parametrize("other", [mode for mode in Mode if mode is not Mode.PAPER])
def test_paper_database_is_refused_as_any_other(store: Store, path: Path, other: Mode) -> None:
    store.close()
    with pytest.raises(StoreUnreadable, match="paper database"):
        Store.open(path, other, FixedClock())


def test_live_database_refuses_a_paper_engine(tmp_path: Path, clock: FixedClock) -> None:
    path = database_path(tmp_path, Mode.LIVE)
    Store.open(path, Mode.LIVE, clock, Environment.MAINNET).close()
    with pytest.raises(StoreUnreadable, match="live database"):
        Store.open(path, Mode.PAPER, clock)
    with pytest.raises(StoreUnreadable, match=r"belongs to mainnet.*INTERLOCK_HOME"):
        Store.open(path, Mode.LIVE, clock, Environment.TESTNET)


def test_files_are_private_and_commits_are_full(store: Store, path: Path) -> None:
    store.next_epoch()
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file.name
    with store.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_epoch_counts_every_start(store: Store, path: Path, clock: FixedClock) -> None:
    assert (store.next_epoch(), store.next_epoch()) == (1, 2)
    store.close()
    again = Store.open(path, Mode.PAPER, clock)
    assert again.next_epoch() == 3
    again.close()


@pytest.mark.parametrize(
    "damage", [b"this is not a database, whatever its name says" * 100, b"SQLite format 3\0x"]
)
def test_foreign_file_is_refused_and_left_alone(path: Path, clock: FixedClock, damage: bytes) -> None:
    path.write_bytes(damage)
    with pytest.raises(StoreUnreadable, match=r"paper\.db"):
        Store.open(path, Mode.PAPER, clock)
    assert path.read_bytes() == damage


def test_damaged_pages_are_refused(store: Store, path: Path, clock: FixedClock) -> None:
    for number in range(50):
        store.orders.record_intent_and_order(intent(f"I-{number}"), order(f"O-{number}", f"I-{number}"))
    store.close()
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = b"\xa5" * (len(data) - 4096 * 2)
    path.write_bytes(data)
    with pytest.raises(StoreUnreadable, match=r"paper\.db"):
        Store.open(path, Mode.PAPER, clock)


def test_database_of_another_program_is_not_touched(path: Path, clock: FixedClock) -> None:
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnreadable, match="something else"):
        Store.open(path, Mode.PAPER, clock)
    assert path.read_bytes() == before


def test_newer_schema_is_refused(store: Store, path: Path, clock: FixedClock) -> None:
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(StoreUnreadable, match="9999"):
        Store.open(path, Mode.PAPER, clock)


def test_full_disk_fails_the_write_and_nothing_is_half_there(store: Store) -> None:
    with store.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 3}")
    written = []

    def write_for_ever() -> None:
        for number in range(1000):
            intent_id = f"I-{number}"
            store.orders.record_intent_and_order(
                intent(intent_id), order(f"O-{number}", intent_id, payload="x" * 500)
            )
            written.append(f"O-{number}")

    with pytest.raises(StoreFailed, match="full"):
        write_for_ever()
    assert store.link.failures == 1
    assert sorted(row.client_order_id for row in store.orders.orders_open()) == sorted(written)
    assert store.orders.intent(f"I-{len(written)}") is None
    with store.transaction() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
    store.orders.record_intent_and_order(intent("I-later"), order("O-later", "I-later"))


def test_read_only_database_fails_the_write(store: Store) -> None:
    store.next_epoch()
    with store.transaction() as connection:
        connection.exec_driver_sql("PRAGMA query_only=1")
    with pytest.raises(StoreFailed, match="readonly"):
        store.next_epoch()


def test_memory_url_is_a_store_too(clock: FixedClock) -> None:
    memory = Store.open("sqlite://", Mode.SIM, clock)
    assert memory.next_epoch() == 1
    memory.close()
