"""What Kraken says of a key: its end and its rights, and that what it does not say is never the better."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from seams.clock import NS_PER_S
from seams.virtual import VirtualLoop, run_virtual
from tests.venues.test_kraken_adapter import Rig
from venues.contract import OutcomeUnknown, Refused
from venues.kraken.standing import standing
from venues.sandbox.programs import Fault, Strike
from venues.standing import Standing

INFO: dict[str, Any] = {"api_key": "K", "nonce": "1", "permissions": ["query-funds", "modify-trades"]}
TOLD = 1_900_000_000


def _asked_with(faults: Iterable[Fault]) -> Standing:
    loop = VirtualLoop()

    async def play() -> Standing:
        rig = await Rig(loop).up()
        for fault in faults:
            rig.desk.exchange.program.add(fault)
        try:
            return await standing(rig.adapter, rig.clock, iter(range(2**41, 2**42)).__next__)
        finally:
            await rig.adapter.close()

    return run_virtual(play(), loop)


def asked(changes: dict[str, Any]) -> Standing:
    """Ask a venue that answers both keys' question so."""
    text = json.dumps({"error": [], "result": INFO | changes})
    return _asked_with(
        Fault(nth=nth, on="GetApiKeyInfo", strike=Strike.APPLY_THEN_SAY, text=text) for nth in (1, 2)
    )


@pytest.mark.parametrize(
    ("said", "until_ns"),
    [
        ({"valid_until": str(TOLD)}, TOLD * NS_PER_S),
        ({"validUntil": str(TOLD)}, TOLD * NS_PER_S),
        ({"validUntil": TOLD}, TOLD * NS_PER_S),
        ({"valid_until": "0"}, 0),
        ({"valid_until": 0}, 0),
        ({}, None),
        ({"valid_until": None}, None),
    ],
)
def test_a_keys_end_is_read_in_both_spellings_and_an_untold_one_is_no_never(
    said: dict[str, Any], until_ns: int | None
) -> None:
    assert {key.valid_until_ns for key in asked(said).keys} == {until_ns}


@pytest.mark.parametrize("said", ["soon", "", True, -1, {}, "2026-01-01T00:00:00Z"])
def test_an_end_that_cannot_be_read_says_nothing(said: object) -> None:
    with pytest.raises(OutcomeUnknown):
        asked({"valid_until": said})


def test_rights_that_cannot_be_read_are_no_absence_of_the_right_to_withdraw() -> None:
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        for said in ("withdraw-funds", None, {"withdraw-funds": True}):
            text = json.dumps({"error": [], "result": INFO | {"permissions": said}})
            fault = Fault(nth=1, on="GetApiKeyInfo", strike=Strike.APPLY_THEN_SAY, text=text)
            rig.desk.exchange.program.add(fault)
            with pytest.raises(OutcomeUnknown):
                await rig.adapter.permissions()
        assert "withdraw-funds" not in await rig.adapter.permissions()
        await rig.adapter.close()

    run_virtual(play(), loop)


NAMES = ("orders", "questions")


def with_faults(faults: dict[int, str]) -> Standing:
    """Ask a venue that answers the nth question about a key with these words; "" is no answer."""
    strikes = {nth: Strike.SAY if said else Strike.DROP_WITHOUT_APPLY for nth, said in faults.items()}
    return _asked_with(
        Fault(nth=nth, on="GetApiKeyInfo", strike=strikes[nth], text=json.dumps({"error": [said]}))
        for nth, said in faults.items()
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("EAPI:Invalid key", "bad_key"),
        ("EAPI:Invalid signature", "bad_signature"),
        ("EGeneral:Permission denied", "not_permitted"),
        ("EGeneral:Temporary lockout", "locked_out"),
    ],
)
@pytest.mark.parametrize("nth", [1, 2])
def test_a_key_that_is_refused_is_named_beside_what_is_told_of_the_other(
    nth: int, said: str, code: str
) -> None:
    """A dead key for questions rang as the one for orders, whose name the alarm's subject is; and one dead
    key hid what the venue tells of the other."""
    found = with_faults({nth: said})
    dead, other = found.keys[nth - 1], found.keys[2 - nth]
    assert [key.name for key in found.keys] == list(NAMES)
    assert (dead.public, dead.role, dead.refused, dead.said) == (("K", "ASK")[nth - 1], "", code, said)
    assert dead.may == () and dead.can_withdraw is dead.can_trade is dead.valid_until_ns is None
    assert (other.role, other.refused, other.can_withdraw) == ("api key", "", False) and other.may
    assert found.problems == (f"{code}: the key for {NAMES[nth - 1]}: {said}",)


def test_two_refused_keys_are_both_named() -> None:
    found = with_faults({1: "EAPI:Invalid key", 2: "EAPI:Invalid signature"})
    assert [key.refused for key in found.keys] == ["bad_key", "bad_signature"]
    assert len(found.problems) == 2


@pytest.mark.parametrize("nth", [1, 2])
def test_a_refusal_that_is_not_about_the_key_says_nothing_of_any(nth: int) -> None:
    with pytest.raises(Refused) as refused:
        with_faults({nth: "EAPI:Rate limit exceeded"})
    assert refused.value.code == "rate_limited"
    assert refused.value.message == f"the key for {NAMES[nth - 1]}: EAPI:Rate limit exceeded"


def test_a_refused_key_is_not_hidden_by_the_others_silence() -> None:
    with pytest.raises(Refused) as refused:
        with_faults({1: "EAPI:Invalid key", 2: ""})
    assert (refused.value.code, refused.value.message) == ("bad_key", "the key for orders: EAPI:Invalid key")
