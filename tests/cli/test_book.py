"""`interlock book replay`: what a recording holds, and an exit code that says whether it is sound."""

from __future__ import annotations

from pathlib import Path

from .conftest import Shell

HEADER = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
ROWS = "x,P,4,5,true,bid,1.5,2\nx,P,4,5,true,ask,2.0,3\nx,P,6,7,false,bid,1.6,1\n"


def test_a_recording_is_replayed_to_its_top(tmp_path: Path, shell: Shell) -> None:
    file = tmp_path / "book.csv"
    file.write_text(HEADER + ROWS)
    answer = shell("book", "replay", str(file), "--format", "tardis", "--depth", "1", "--json")
    assert answer.code == 0
    book = answer.body["book"]
    assert isinstance(book, dict)
    assert book["bids"] == [{"price": 1.6, "size": 1.0, "orders": 0}]
    assert (book["messages"], book["levels"], book["is_sound"]) == (2, 3, True)
    text = shell("book", "replay", str(file), "--format", "tardis").out
    assert "messages" in text and "bid   1.6" in text


def test_what_is_wrong_with_a_recording_is_said(tmp_path: Path, shell: Shell) -> None:
    file = tmp_path / "book.csv"
    file.write_text(HEADER + ROWS + "x,P,6,6,false,bid,1.6,1\n")
    answer = shell("book", "replay", str(file), "--format", "tardis", "--json")
    assert (answer.code, answer.body["code"]) == (1, "data_invalid")
    assert "out_of_order at message 2" in str(answer.body["message"])
    assert shell("book", "replay", str(file), "--format", "nonsense").code == 2
    assert shell("book", "replay", str(tmp_path / "none"), "--format", "kraken").code == 1


def test_a_recording_with_a_gap_is_shown_and_fails(tmp_path: Path, shell: Shell) -> None:
    file = tmp_path / "book.csv"
    file.write_text(
        "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu\n"
        "P,5,9,9,b,snap,1.0,2,-1\nP,6,12,13,b,set,1.1,2,11\n"
    )
    answer = shell("book", "replay", str(file), "--format", "binance")
    assert answer.code == 1
    assert "sequence_gap at message 1" in answer.out
