"""Accounts and routing: who signs, for whom, and what a key that may not is told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conformance.bench import LOT, Bench, OutcomeUnknown, Refused, Retryable
from tests.conformance.rig import CASH_USD, Who
from tests.conformance.suite import Need, case
from venues.types import OrderRequest


def _order(bench: Bench, seat_name: str = "O-1-0001") -> OrderRequest:
    return bench.request(client_order_id=seat_name)


@case()
async def the_signer_is_named_and_its_secret_is_not(bench: Bench) -> None:
    signer = bench.venue.signer
    assert signer.startswith(f"{bench.venue.name}:") and len(signer) > len(bench.venue.name) + 1
    assert bench.terms.secret not in signer and bench.capabilities.venue == bench.venue.name


@case()
async def no_bytes_carry_the_secret(bench: Bench) -> None:
    signed = bench.sign()
    secret = bench.terms.secret.removeprefix("0x")
    assert secret.encode() not in signed.wire and secret not in repr(bench.venue)
    await bench.venue.submit(signed)
    for seen in (repr(bench.events), str(await bench.refused(quantity=Decimal(1_000)))):
        assert secret not in seen


@case()
async def the_account_is_ours_and_begins_as_it_was_funded(bench: Bench) -> None:
    account = await bench.venue.account()
    assert account.account_id == bench.terms.account
    assert account.cash_usd == account.equity_usd == CASH_USD and not account.positions


@case()
async def a_key_without_the_right_places_nothing(bench: Bench) -> None:
    seat = await bench.sit(Who.POWERLESS, is_up=False)
    seat.venue.start()
    await bench.clock.sleep(1.0)
    signed = seat.venue.sign(_order(bench), bench.nonce(), 0)
    with pytest.raises(Refused) as refused:
        await seat.venue.submit(signed)
    assert refused.value.code == bench.terms.codes["powerless"] and bench.rig.live() == 0


@case()
async def a_key_with_a_false_secret_places_nothing(bench: Bench) -> None:
    """It makes no adapter, or every order of it is refused."""
    try:
        seat = await bench.sit(Who.FORGED, is_up=False)
    except ValueError:
        return
    signed = seat.venue.sign(_order(bench), bench.nonce(), 0)
    with pytest.raises(Refused) as refused:
        await seat.venue.submit(signed)
    assert refused.value.code == "bad_signature" and bench.rig.live() == 0


@case()
async def another_account_sees_nothing_of_ours(bench: Bench) -> None:
    await bench.place()
    await bench.buy()
    seat = await bench.sit(Who.BYSTANDER)
    assert not await seat.venue.open_orders()
    assert not [fill for fill in await seat.venue.fills_since(0) if fill.side == "buy"]
    assert (await seat.venue.account()).account_id != bench.terms.account


@case()
async def another_account_cannot_cancel_ours(bench: Bench) -> None:
    name = await bench.place()
    seat = await bench.sit(Who.BYSTANDER)
    with pytest.raises((Refused, Retryable, OutcomeUnknown)):
        await seat.venue.cancel(name)
    await seat.venue.cancel_all()
    assert bench.rig.live() == 1


@case()
async def our_events_are_told_to_us_alone(bench: Bench) -> None:
    seat = await bench.sit(Who.BYSTANDER)
    name = await bench.buy()
    assert bench.filled(name) == LOT
    assert not [e for e in seat.events if e.client_order_id == name]


@case(Need.SUB_ACCOUNTS)
async def a_sub_account_is_traded_through_its_masters_keys(bench: Bench) -> None:
    seat = await bench.sit(Who.SUB)
    request = bench.request(limit_price=Decimal(60_010))
    await seat.venue.submit(seat.venue.sign(request, bench.nonce(), 0))
    await bench.rig.settle()
    assert seat.filled(request.client_order_id) == LOT
    assert bench.rig.held() == 0 and not bench.fills(request.client_order_id)
    (position,) = (await seat.venue.account()).positions
    assert position.quantity == LOT and not (await bench.venue.account()).positions


@case(Need.SUB_ACCOUNTS)
async def a_sub_accounts_orders_are_not_its_masters(bench: Bench) -> None:
    seat = await bench.sit(Who.SUB)
    await seat.venue.submit(seat.venue.sign(_order(bench), bench.nonce(), 0))
    await bench.rig.settle()
    assert len(await seat.venue.open_orders()) == 1 and not await bench.venue.open_orders()


@case()
async def two_desks_of_one_account_share_its_position(bench: Bench) -> None:
    await bench.buy()
    seat = await bench.sit(Who.OTHER_DESK)
    (position,) = (await seat.venue.account()).positions
    assert position.quantity == LOT
