"""Ambiguity: whatever comes back that is no proof is a doubt; nothing is sent anew, and evidence ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from tests.conformance.bench import Bench, OutcomeUnknown, Refused, Retryable
from tests.conformance.rig import Call
from tests.conformance.suite import Need, case
from venues.contract import AlreadySeen, Fence
from venues.sandbox.programs import Strike

NOT_AN_ANSWER = (OutcomeUnknown, Retryable, Refused)


async def _ends_in_doubt(
    bench: Bench, strike: Strike, is_placed: bool, *, value: float = 0.0, text: str = ""
) -> None:
    """Let the answer to an order be spoilt: it is in doubt, was sent once, and is settled as it is true."""
    bench.rig.strike(Call.SUBMIT, strike, value=value, text=text)
    signed = bench.sign()
    await bench.doubt(signed)
    assert len(bench.rig.sent()) == 1, "nothing is sent twice"
    await bench.clock.sleep(8.0)
    if bench.capabilities.has_fence:
        assert await bench.venue.fence(signed) is (Fence.ADMITTED if is_placed else Fence.DEAD)
    found = await bench.prove(signed)
    with pytest.raises((AlreadySeen, OutcomeUnknown, Refused)):
        await bench.venue.submit(signed)
    truth = bench.truth(signed.client_order_id)
    assert (truth is not None) is is_placed is (found is not None)
    assert bench.rig.live() == int(is_placed)


@case()
async def an_order_that_was_taken_and_not_answered(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.APPLY_THEN_DROP, True)


@case()
async def an_order_that_was_lost_on_the_way(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.DROP_WITHOUT_APPLY, False)


@case()
async def half_an_answer(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.CUT, True)


@case()
async def a_bad_gateway_behind_which_it_was_taken(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.STATUS, True, value=502)


@case()
async def a_bad_gateway_behind_which_it_was_not(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.STATUS_WITHOUT_APPLY, False, value=502)


@case()
async def too_many_requests_is_no_proof(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.STATUS_WITHOUT_APPLY, False, value=429)


@case()
async def a_page_of_html(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.HTML, True)


@case()
async def truncated_json(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.TRUNCATED, True)


@case()
async def the_answer_null(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.NULL, True)


@case()
async def an_empty_answer(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.EMPTY, True)


@case()
async def a_redirect_is_not_followed(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.REDIRECT, False, text="http://elsewhere.invalid/")


@case()
async def silence_ends_at_the_deadline(bench: Bench) -> None:
    began_ns = bench.clock.monotonic_ns()
    bench.rig.strike(Call.SUBMIT, Strike.SILENCE)
    await bench.doubt(bench.sign())
    assert bench.clock.monotonic_ns() - began_ns < 15e9
    assert len(bench.rig.sent()) == 1


@case()
async def an_answer_that_drips_ends_at_the_deadline(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.DRIP, True, value=1.0)


@case()
async def an_answer_that_comes_too_late(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.DELAY_AFTER, True, value=30.0)


@case()
async def an_order_that_arrives_after_we_gave_up(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.DELAY_BEFORE, True, value=7.0)


@case()
async def a_success_that_says_nothing(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.APPLY_THEN_SAY, True, text=bench.rig.hollow())


@case()
async def a_success_that_says_nothing_and_was_none(bench: Bench) -> None:
    await _ends_in_doubt(bench, Strike.SAY, False, text=bench.rig.hollow())


@case()
async def identical_bytes_act_once(bench: Bench) -> None:
    bench.rig.strike(Call.SUBMIT, Strike.APPLY_THEN_DROP)
    signed = bench.sign()
    await bench.doubt(signed)
    for _ in range(3):
        with pytest.raises(AlreadySeen):
            await bench.venue.submit(signed)
    assert bench.rig.live() == len(bench.rig.truths(signed.client_order_id)) == 1


@case()
async def identical_bytes_place_an_order_that_was_lost(bench: Bench) -> None:
    bench.rig.strike(Call.SUBMIT, Strike.DROP_WITHOUT_APPLY)
    signed = bench.sign()
    await bench.doubt(signed)
    await bench.venue.submit(signed)
    assert bench.rig.live() == 1 and set(bench.rig.sent()) == {signed.wire}


@case(Need.FENCE)
async def the_fence_kills_an_order_that_was_lost(bench: Bench) -> None:
    bench.rig.strike(Call.SUBMIT, Strike.DROP_WITHOUT_APPLY)
    signed = bench.sign()
    await bench.doubt(signed)
    assert await bench.venue.fence(signed) is Fence.DEAD
    with pytest.raises((AlreadySeen, Refused)):
        await bench.venue.submit(signed)
    assert bench.rig.live() == 0


@case(Need.FENCE)
async def the_fence_says_that_an_order_was_admitted(bench: Bench) -> None:
    bench.rig.strike(Call.SUBMIT, Strike.APPLY_THEN_DROP)
    signed = bench.sign()
    await bench.doubt(signed)
    assert await bench.venue.fence(signed) is Fence.ADMITTED
    assert bench.rig.live() == 1


@case(Need.FENCE)
async def a_fence_that_is_lost_proves_nothing(bench: Bench) -> None:
    bench.rig.strike(Call.SUBMIT, Strike.DROP_WITHOUT_APPLY)
    signed = bench.sign()
    await bench.doubt(signed)
    bench.rig.strike(Call.FENCE, Strike.DROP_WITHOUT_APPLY)
    with pytest.raises(OutcomeUnknown):
        await bench.venue.fence(signed)
    assert await bench.venue.fence(signed) is Fence.DEAD


@case()
async def a_question_about_an_order_is_never_answered_by_silence(bench: Bench) -> None:
    """None means that the venue says it knows no such order; no answer at all is another thing."""
    name = await bench.place()
    again = bench.name()
    for strike in (Strike.HTML, Strike.NULL, Strike.TRUNCATED, Strike.EMPTY, Strike.CUT):
        for nth in range(1, 4):  # a question may be asked again by itself
            bench.rig.strike(Call.QUERY, strike, nth=nth)
        with pytest.raises(NOT_AN_ANSWER):
            await bench.venue.query(again)
        while True:
            try:
                assert await bench.venue.query(name) is not None
                break
            except NOT_AN_ANSWER:
                continue


@case()
async def a_spoilt_list_is_never_an_empty_one(bench: Bench) -> None:
    """It raises, or (where the stream has told everything) says what is true all the same."""
    await bench.buy()
    await bench.place()
    asked: dict[Call, Callable[[], Awaitable[object]]] = {
        Call.OPEN: bench.open_names,
        Call.FILLS: lambda: bench.venue.fills_since(0),
        Call.ACCOUNT: lambda: _positions(bench),
        Call.TIME: bench.venue.time_ns,
    }
    for call, ask in asked.items():
        for strike in (Strike.NULL, Strike.HTML, Strike.TRUNCATED):
            for nth in range(1, 4):
                bench.rig.strike(call, strike, nth=nth)
            for _ in range(4):
                with suppress(*NOT_AN_ANSWER):
                    assert await ask(), call
            await bench.clock.sleep(30.0)


async def _positions(bench: Bench) -> object:
    return (await bench.venue.account()).positions


@case()
async def a_list_that_lags_is_no_proof_and_ends_within_what_is_stated(bench: Bench) -> None:
    bench.rig.lag(1.0)
    bench.rig.strike(Call.SUBMIT, Strike.APPLY_THEN_DROP)
    signed = bench.sign()
    await bench.doubt(signed)
    await bench.clock.sleep(bench.capabilities.lookup_lag_ns / 1e9)
    assert await bench.venue.query(signed.client_order_id) is not None
