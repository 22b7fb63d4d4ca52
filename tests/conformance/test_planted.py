"""Bugs planted in adapters, each of a kind that costs money: the suite finds every one, in its group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import ROUND_CEILING, Decimal
from itertools import count
from typing import Any, NamedTuple

import msgspec
import pytest

import venues.kraken.translate as kraken_translate
import venues.template.translate as template
from tests.conformance.cases import GROUPS
from tests.conformance.rig import Who
from tests.conformance.rigs import RIGS
from tests.conformance.rigs import kraken as kraken_rig
from tests.conformance.suite import CASES, run
from venues.contract import Fence, OutcomeUnknown, Refused, VenueError
from venues.hyperliquid.adapter import HyperliquidAdapter
from venues.hyperliquid.budget import Budget
from venues.kraken.adapter import KrakenAdapter
from venues.kraken.balances import Balances
from venues.kraken.book import KrakenBook
from venues.kraken.precision import Rules
from venues.listeners import Listeners
from venues.sandbox.link import ExchangeLink
from venues.template.adapter import TemplateAdapter
from venues.template.client import TemplateClient
from venues.template.stream import Stream

Patch = pytest.MonkeyPatch


class Plant(NamedTuple):
    """One bug: where it is planted, in which venue's adapter, and which group must find it."""

    group: str
    venue: str
    owner: object
    name: str
    change: Callable[[Any], Any]


def _async(change: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return a planter for a coroutine method: `change(old, self, *given)` takes its place."""

    def plant(old: Any) -> Any:
        async def planted(self: Any, *given: Any, **more: Any) -> Any:
            return await change(old, self, *given, **more)

        return planted

    return plant


def _plain(change: Callable[..., Any]) -> Callable[[Any], Any]:
    def plant(old: Any) -> Any:
        def planted(*given: Any, **more: Any) -> Any:
            return change(old, *given, **more)

        return planted

    return plant


async def doubt_is_refusal(old: Any, self: Any, *given: Any) -> Any:
    try:
        return await old(self, *given)
    except OutcomeUnknown as doubt:
        raise Refused("planted", str(doubt)) from doubt


async def doubt_is_success(old: Any, self: Any, *given: Any) -> Any:
    try:
        return await old(self, *given)
    except OutcomeUnknown:
        return None


async def sent_twice(old: Any, self: Any, *given: Any) -> Any:
    said = await old(self, *given)
    with suppress(VenueError):
        await old(self, *given)
    return said


async def gate_ignored(old: Any, self: Any, signed: Any, *_: Any) -> Any:
    return await old(self, signed)


async def error_is_empty(old: Any, self: Any, *given: Any) -> Any:
    try:
        return await old(self, *given)
    except VenueError:
        return []


async def error_is_none(old: Any, self: Any, *given: Any) -> Any:
    try:
        return await old(self, *given)
    except VenueError:
        return None


async def always_dead(old: Any, self: Any, *given: Any) -> Fence:
    return Fence.DEAD


async def own_clock(old: Any, self: Any) -> int:
    now_ns: int = self._clock.now_ns()
    return now_ns


async def only_our_own(old: Any, self: Any) -> None:
    for each in await self.open_orders():
        if not each.client_order_id.startswith("tpl:"):
            await self.cancel(each.client_order_id)


async def nothing_paid(old: Any, self: Any, since_ns: int) -> list[Any]:
    return []


async def paid_anew_each_time(old: Any, self: Any, since_ns: int) -> list[Any]:
    return [msgspec.structs.replace(e, event_id=f"{next(NUMBERS)}") for e in await old(self, since_ns)]


async def left_running(old: Any, self: Any) -> None:
    self.leak = asyncio.get_running_loop().create_task(asyncio.sleep(9e9))
    await old(self)


def fields_with(**changes: Any) -> Callable[[Any], Any]:
    """Plant other fields into every order."""
    return _plain(lambda old, *given: old(*given) | changes)


def rounded_up(old: Any, request: Any, names: Any) -> Any:
    whole = request.limit_price.to_integral_value(ROUND_CEILING)
    return old(msgspec.structs.replace(request, limit_price=whole), names)


def record_with(**changes: Any) -> Callable[[Any], Any]:
    """Plant other fields into whatever record is returned."""
    return _plain(lambda old, *given: msgspec.structs.replace(old(*given), **changes))


def rubbish_swallowed(old: Any, self: Any, frame: bytes) -> None:
    drop, self._link.drop = self._link.drop, lambda: None
    whole, self._on_whole = self._on_whole, lambda is_whole: whole(True) if is_whole else None
    old(self, frame)
    self._link.drop, self._on_whole = drop, whole


NUMBERS = count()
NEVER = _plain(lambda old, *given: None)
PLANTS = {
    "a quote is told with its sides changed": Plant(
        "market_data",
        "template",
        template,
        "quote",
        _plain(lambda old, said: old(said | {"bid": said["ask"], "ask": said["bid"]})),
    ),
    "who left goes on hearing": Plant("market_data", "template", Listeners, "off_market", NEVER),
    "a false book is taken": Plant("market_data", "kraken", KrakenBook, "change", NEVER),
    "a price is rounded against us": Plant(
        "precision", "template", template, "order_fields", _plain(rounded_up)
    ),
    "volume is rounded up": Plant(
        "precision", "kraken", Rules, "volume", _plain(lambda old, self, q: old(self, q) + self.lot)
    ),
    "an order is sent twice": Plant("submit", "template", TemplateClient, "send", _async(sent_twice)),
    "the gate is not asked": Plant(
        "submit", "hyperliquid", HyperliquidAdapter, "submit", _async(gate_ignored)
    ),
    "no acknowledgement is told": Plant("submit", "template", Listeners, "tell_event", NEVER),
    "a refusal counts as success": Plant(
        "reject", "sandbox-exchange", ExchangeLink, "submit", _async(error_is_none)
    ),
    "a lost cancel counts as done": Plant("cancel", "kraken", KrakenAdapter, "cancel", _async(error_is_none)),
    "cancel all spares foreign orders": Plant(
        "cancel", "template", TemplateAdapter, "cancel_all", _async(only_our_own)
    ),
    "a change adds an order": Plant(
        "modify",
        "template",
        TemplateAdapter,
        "sign_change",
        _plain(lambda old, self, request, replaces, *given: self.sign(request, *given)),
    ),
    "fees are forgotten": Plant("partial_fills", "template", template, "fill", record_with(fee=Decimal(0))),
    "every fill is a maker's": Plant(
        "partial_fills", "template", template, "fill", record_with(is_maker=True)
    ),
    "one fill has two names": Plant(
        "partial_fills",
        "template",
        template,
        "fill",
        _plain(lambda old, *given: msgspec.structs.replace(old(*given), fill_id=f"{next(NUMBERS)}")),
    ),
    "a break is not told": Plant(
        "reconnect",
        "template",
        Listeners,
        "tell_link",
        _plain(lambda old, self, is_whole: old(self, True) if is_whole else None),
    ),
    "rubbish is swallowed": Plant("reconnect", "template", Stream, "_frame", _plain(rubbish_swallowed)),
    "all desks share their names": Plant(
        "restart", "template", template.Names, "__init__", _plain(lambda old, self, desk: old(self, "one"))
    ),
    "an order's price is not told": Plant(
        "restart", "kraken", kraken_translate, "_limit_field", _plain(lambda old, kind: "")
    ),
    "a task is left running": Plant("restart", "template", TemplateAdapter, "close", _async(left_running)),
    "doubt counts as refusal": Plant(
        "ambiguity", "template", TemplateClient, "send", _async(doubt_is_refusal)
    ),
    "doubt counts as success": Plant(
        "ambiguity", "hyperliquid", HyperliquidAdapter, "submit", _async(doubt_is_success)
    ),
    "the fence always holds": Plant(
        "ambiguity", "sandbox-exchange", ExchangeLink, "fence", _async(always_dead)
    ),
    "no answer is no order": Plant("ambiguity", "template", TemplateAdapter, "query", _async(error_is_none)),
    "no answer is an empty list": Plant(
        "ambiguity", "template", TemplateAdapter, "open_orders", _async(error_is_empty)
    ),
    "questions never wait": Plant("rate_limits", "hyperliquid", Budget, "ask", NEVER),
    "our own clock is told": Plant("clock", "template", TemplateAdapter, "time_ns", _async(own_clock)),
    "bytes never expire": Plant(
        "clock",
        "template",
        TemplateAdapter,
        "_sign",
        _plain(lambda old, self, request, nonce, until_ns, more: old(self, request, nonce, 0, more)),
    ),
    "a closed venue has no orders": Plant(
        "maintenance", "template", TemplateAdapter, "open_orders", _async(error_is_empty)
    ),
    "a broken stream's balances are told on": Plant("balances", "kraken", Balances, "end", NEVER),
    "no funding is told": Plant(
        "funding", "hyperliquid", HyperliquidAdapter, "cash_events_since", _async(nothing_paid)
    ),
    "funding is paid anew each time": Plant(
        "funding", "hyperliquid", HyperliquidAdapter, "cash_events_since", _async(paid_anew_each_time)
    ),
    "reduce-only is dropped": Plant(
        "flags", "template", template, "order_fields", fields_with(reduce_only=False)
    ),
    "every order may rest": Plant("flags", "template", template, "order_fields", fields_with(lives="gtc")),
    "the secret is in the signer's name": Plant(
        "accounts",
        "template",
        TemplateAdapter,
        "signer",
        lambda old: property(lambda self: f"template:{self._key.key}:{self._key.secret}"),
    ),
}


def found_in(group: str, venue: str) -> str:
    """Return the first case of a group that a venue fails, or nothing."""
    assert group in GROUPS
    for name, each in CASES.items():
        if each.group == group:
            try:
                run(each, RIGS[venue])
            except (AssertionError, ValueError, IndexError, VenueError, pytest.fail.Exception):
                return name
    return ""


def test_every_group_has_found_something() -> None:
    assert {plant.group for plant in PLANTS.values()} | {"nonce"} == set(GROUPS)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found(name: str, monkeypatch: Patch) -> None:
    plant = PLANTS[name]
    monkeypatch.setattr(plant.owner, plant.name, plant.change(getattr(plant.owner, plant.name)))
    assert found_in(plant.group, plant.venue), f"nothing in {plant.group} noticed that {name}"


def test_one_key_for_questions_and_orders_is_found(monkeypatch: Patch) -> None:
    """A question that takes a nonce above an order's gets that order refused."""
    key = msgspec.structs.replace(kraken_rig.KEYS[Who.DESK], ask_key="K")
    monkeypatch.setitem(kraken_rig.KEYS, Who.DESK, key)
    assert found_in("nonce", "kraken")
