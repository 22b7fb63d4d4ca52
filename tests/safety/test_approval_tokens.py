"""No approval token counts twice, altered, late or from somebody else; a right one always counts (S17)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings

from safety import approval
from tests.safety.approval_tokens import LIVES, SECOND, Desk, play


@settings(max_examples=400, deadline=None)
@given(LIVES)
def test_book_and_model_agree_on_every_token(life: list[tuple[object, ...]]) -> None:
    play(life, Counter())


def shown() -> Desk:
    desk = Desk()
    desk.propose("warn", "")
    desk.look(0, "ada", "warn")
    desk.wait(SECOND, 0)
    return desk


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("is_over", lambda ticket, moment: False),
        ("is_size", lambda typed, quantity: True),
        ("demand_same", lambda *_: None),
    ],
)
def test_a_book_that_lets_one_thing_pass_is_found_out(
    name: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, name, broken)
    desk = shown()
    token = desk.tokens[0]
    wrong = {
        "is_over": lambda: desk.wait(0, 61 * SECOND),
        "is_size": lambda: None,
        "demand_same": lambda: None,
    }
    wrong[name]()
    altered = {"is_size": token._replace(size="5"), "demand_same": token._replace(hash="0" * 64)}
    with pytest.raises(AssertionError, match="ACCEPTED, and it was wrong"):
        desk.bring(altered.get(name, token))
