"""The passages of policy that an order is about: found by its own words, the same whenever it is asked."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.policies import MAX_FILE_BYTES, PolicyDesk
from safety.canonical import sha256_hex
from safety.facts import Check, CheckResult
from safety.policies import MAX_SHOWN, PolicyShelf, PolicyText, order_words, passages, rule_texts, words
from safety.rules import RULES
from seams.disk import MemoryDisk
from tests.safety.safety_builders import intent
from venues.types import Side

FOLDER = Path("/desk/policies")
BOOK = """# House rules

Opening remarks that name nothing.

## Doge

No DOGE above 500 USD; ask Mara first.

## Weekend

Nothing is opened on BTC from Friday 20:00 UTC until Monday.

## Empty

"""


def warned(code: str) -> Check:
    return Check(name=code, now="1", after="2", limit="2", result=CheckResult.WARN, reason=None)


def desk(**files: str) -> PolicyDesk:
    disk = MemoryDisk()
    disk.make_folder(FOLDER)
    for name, text in files.items():
        disk.write_atomic(FOLDER / f"{name}.md", text.encode())
    return PolicyDesk(disk, FOLDER)


def test_every_rule_has_a_passage_and_a_warning_finds_its_own() -> None:
    shelf = PolicyShelf(rule_texts())
    for rule in RULES:
        first = shelf.search(words(rule.code), 1)[0]
        assert first.source == f"rule {rule.code}", rule.code
    asked = order_words(intent(), (warned("max_symbol_exposure_exceeded"),))
    assert "rule max_symbol_exposure_exceeded" in {each.source for each in shelf.search(asked)}


def test_the_desks_own_words_about_the_symbol_come_first() -> None:
    found = desk(house=BOOK).about(intent(symbol="BTC-PERP"), ())
    assert (found[0].source, found[0].title) == ("house.md", "Weekend")
    assert "Friday 20:00" in found[0].text
    assert found[0].sha256 == sha256_hex(
        b"Weekend\nNothing is opened on BTC from Friday 20:00 UTC until Monday."
    )
    assert desk(house=BOOK).about(intent(symbol="DOGE-USD"), ())[0].title == "Doge"
    assert len(found) == 3 and all(len(each.text) <= MAX_SHOWN for each in found)


def test_a_buy_and_a_sale_and_an_exit_are_asked_in_their_own_words() -> None:
    assert {"buy", "long", "open"} <= set(order_words(intent(side=Side.BUY), ()))
    assert {"sell", "short"} <= set(order_words(intent(side=Side.SELL), ()))
    assert {"close", "exit"} <= set(order_words(intent(reduce_only=True), ()))


def test_a_document_is_cut_at_its_headings() -> None:
    assert [each.title for each in passages("house.md", BOOK)] == ["House rules", "Doge", "Weekend"]
    assert passages("none.md", "") == ()


def test_a_changed_document_speaks_at_once_and_an_unreadable_one_not_at_all() -> None:
    disk = MemoryDisk()
    shelf = PolicyDesk(disk, FOLDER)
    assert all(each.source.startswith("rule ") for each in shelf.about(intent(), ())), "no folder: the rules"
    disk.make_folder(FOLDER)
    disk.write_atomic(FOLDER / "a.md", b"# A\nBTC-PERP is bought by Mara only")
    assert shelf.about(intent(symbol="BTC-PERP"), ())[0].source == "a.md"
    disk.write_atomic(FOLDER / "a.md", b"# A\nnothing of interest")
    assert "a.md" not in {each.source for each in shelf.about(intent(symbol="BTC-PERP"), ())}
    disk.write_atomic(FOLDER / "b.md", b"x" * (MAX_FILE_BYTES + 1))
    shelf.about(intent(), ())
    assert shelf.unreadable == ("b.md",)


@given(st.lists(st.text(max_size=40), max_size=8), st.lists(st.text(max_size=12), max_size=8))
def test_any_text_can_be_searched_and_is_ranked_the_same_again(texts: list[str], asked: list[str]) -> None:
    shelf = PolicyShelf([PolicyText(source="x", title=str(n), text=text) for n, text in enumerate(texts)])
    found = shelf.search(asked)
    assert found == shelf.search(asked) and len(found) <= 3
