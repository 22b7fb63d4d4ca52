"""Nonces: one for each order, used once; no question and no cancel takes an order's."""

from __future__ import annotations

from tests.conformance.bench import REST, Bench, Refused, silenced
from tests.conformance.rig import Who
from tests.conformance.suite import Need, case
from venues.contract import AlreadySeen, Fence


async def _try(bench: Bench, signed: object) -> Exception | None:
    (said,) = await silenced(bench.venue.submit(signed))  # type: ignore[arg-type]
    return said if isinstance(said, Exception) else None


@case()
async def a_used_nonce_carries_no_second_order(bench: Bench) -> None:
    first = bench.sign()
    await bench.venue.submit(first)
    second = bench.sign(nonce=first.nonce, limit_price=REST - 1)
    said = await _try(bench, second)
    assert isinstance(said, Refused | AlreadySeen), said
    assert bench.truth(second.client_order_id) is None and bench.rig.live() == 1


@case()
async def questions_take_no_orders_nonce(bench: Bench) -> None:
    signed = bench.sign()
    await bench.clock.sleep(0.5)
    await bench.venue.open_orders()
    await bench.venue.account()
    await bench.venue.query("O-9-9999")
    await bench.venue.submit(signed)
    assert bench.rig.live() == 1


@case()
async def cancels_take_no_orders_nonce(bench: Bench) -> None:
    name = await bench.place()
    signed = bench.sign()
    await bench.clock.sleep(0.5)
    await bench.venue.cancel(name)
    await bench.venue.submit(signed)
    assert bench.rig.live() == 1


@case()
async def a_refused_order_does_not_block_the_next_nonce(bench: Bench) -> None:
    refused = bench.sign(quantity=1_000 * bench.request().quantity * 1_000)
    following = bench.sign()
    await bench.refusal_of(refused)
    await bench.venue.submit(following)
    assert bench.rig.live() == 1


@case()
async def orders_sent_against_the_order_of_their_nonces_act_or_are_proved_refused(bench: Bench) -> None:
    """A venue may want rising nonces: then the older one is refused, or in doubt, and never half done."""
    older, newer = bench.sign(), bench.sign(limit_price=REST - 1)
    await bench.venue.submit(newer)
    said = await _try(bench, older)
    assert said is None or isinstance(said, Refused | AlreadySeen), said
    assert (bench.truth(older.client_order_id) is not None) is (said is None)
    assert bench.truth(newer.client_order_id) is not None


@case()
async def many_questions_at_once_collide_on_no_nonce(bench: Bench) -> None:
    await bench.place()
    said = await silenced(*(bench.venue.open_orders() for _ in range(25)))
    assert all(isinstance(each, list | tuple) and len(each) == 1 for each in said), said


@case()
async def two_engines_on_one_key_lose_no_question(bench: Bench) -> None:
    again = await bench.sit(Who.AGAIN)
    for _ in range(3):
        assert await bench.venue.time_ns() and await again.venue.time_ns()
        assert not await again.venue.open_orders() and not await bench.venue.open_orders()


@case(Need.FENCE)
async def a_burnt_nonce_is_used_up_for_good(bench: Bench) -> None:
    signed = bench.sign()
    assert await bench.venue.fence(signed) is Fence.DEAD
    assert isinstance(await _try(bench, signed), Refused | AlreadySeen)
    assert await bench.venue.fence(signed) is Fence.ADMITTED, "a used nonce is never said to be unused"
    assert bench.rig.live() == 0
