"""What Kraken says of a key: its end and its rights, and that what it does not say is never the better."""

from __future__ import annotations

import json
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


def asked(changes: dict[str, Any]) -> Standing:
    """Ask a venue that answers both keys' question so."""
    loop = VirtualLoop()

    async def play() -> Standing:
        rig = await Rig(loop).up()
        text = json.dumps({"error": [], "result": INFO | changes})
        for nth in (1, 2):
            rig.desk.exchange.program.add(
                Fault(nth=nth, on="GetApiKeyInfo", strike=Strike.APPLY_THEN_SAY, text=text)
            )
        try:
            return await standing(rig.adapter, rig.clock, iter(range(2**41, 2**42)).__next__)
        finally:
            await rig.adapter.close()

    return run_virtual(play(), loop)


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


@pytest.mark.parametrize(("nth", "name"), [(1, "orders"), (2, "questions")])
def test_a_key_that_is_refused_is_named(nth: int, name: str) -> None:
    """A dead key for questions rang as the one for orders, whose name the alarm's subject is."""
    loop = VirtualLoop()

    async def play() -> None:
        rig = await Rig(loop).up()
        text = json.dumps({"error": ["EAPI:Invalid key"]})
        fault = Fault(nth=nth, on="GetApiKeyInfo", strike=Strike.SAY, text=text)
        rig.desk.exchange.program.add(fault)
        with pytest.raises(Refused) as refused:
            await standing(rig.adapter, rig.clock, iter(range(2**41, 2**42)).__next__)
        assert refused.value.code == "bad_key"
        assert refused.value.message == f"the key for {name}: EAPI:Invalid key"
        await rig.adapter.close()

    run_virtual(play(), loop)
