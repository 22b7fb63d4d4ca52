"""Planted bugs of the wire to the exchange and the nonces."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from engine.trading.nonces import Nonces
from safety.canonical import changed
from seams.clock import NS_PER_MS
from tests.simulation.planted.plant import P0, Plant, nothing, nothing_async, set_, wrap
from venues.contract import AlreadySeen, Fence, OutcomeUnknown, Refused, Retryable
from venues.listeners import Listeners
from venues.sandbox import link as link_module
from venues.sandbox import messages as m
from venues.sandbox.link import ExchangeLink


def twin(old: Any) -> Any:
    async def submit(self: ExchangeLink, signed: Any, *rest: Any) -> None:
        await old(self, signed, *rest)
        body = m.BODIES.decode(bytes(m.FRAMES.decode(signed.wire).body))
        assert isinstance(body, m.Place)
        order = changed(body.order, client_order_id=body.order.client_order_id + "b")
        again = changed(body, order=order, nonce=body.nonce + 1)
        await self._send(m.seal(self._key, self._secret, again), m.Done)

    return submit


def signed_anew(old: Any) -> Any:
    async def submit(self: ExchangeLink, signed: Any, *rest: Any) -> None:
        body = m.BODIES.decode(bytes(m.FRAMES.decode(signed.wire).body))
        again = changed(body, nonce=signed.nonce + 1)
        wire = m.seal(self._key, self._secret, again)
        await old(self, changed(signed, wire=wire), *rest)

    return submit


async def fence_dead(self: ExchangeLink, signed: Any) -> Fence:
    return Fence.DEAD


def lost_is_unsent(old: Any) -> Any:
    async def send(self: ExchangeLink, *args: Any, **facts: Any) -> Any:
        try:
            return await old(self, *args, **facts)
        except OutcomeUnknown as error:
            raise Retryable(str(error)) from error

    return send


def lost_is_refused(old: Any) -> Any:
    async def send(self: ExchangeLink, *args: Any, **facts: Any) -> Any:
        try:
            return await old(self, *args, **facts)
        except OutcomeUnknown as error:
            raise Refused("timeout", str(error)) from error

    return send


def lost_is_done(old: Any) -> Any:
    async def submit(self: ExchangeLink, *args: Any) -> None:
        try:
            await old(self, *args)
        except OutcomeUnknown:
            return

    return submit


def used_is_refused(old: Any) -> Any:
    async def submit(self: ExchangeLink, *args: Any) -> None:
        try:
            await old(self, *args)
        except AlreadySeen as error:
            raise Refused("nonce_used", str(error)) from error

    return submit


def clock_only(self: Nonces) -> int:
    return self._clock.now_ns() // NS_PER_MS


def not_kept(self: Nonces) -> int:
    self._last = max((self._last or 0) + 1, self._clock.now_ns() // NS_PER_MS)
    return self._last


def no_answers(*_: Any) -> Any:
    async def fills_since(self: ExchangeLink, since_ns: int) -> tuple[()]:
        return ()

    return fills_since


def deaf_to_holes(self: ExchangeLink, seq: int) -> None:
    self._seq = seq


def takes_all(self: ExchangeLink, frame: bytes) -> None:
    with suppress(msgspec.MsgspecError, KeyError):
        push = m.PUSHES.decode(frame)
        if isinstance(push, m.OrderPush):
            self._count(push.seq)
            self._heard.tell_event(push.event)
        else:
            self._heard.tell_market(link_module._market(push))


def retried_anew(old: Any) -> Any:
    async def submit(self: ExchangeLink, signed: Any, *rest: Any) -> None:
        try:
            await old(self, signed, *rest)
        except OutcomeUnknown:
            body = m.BODIES.decode(bytes(m.FRAMES.decode(signed.wire).body))
            again = changed(body, nonce=signed.nonce + 1)
            await old(self, changed(signed, wire=m.seal(self._key, self._secret, again)), *rest)

    return submit


# fmt: off
# ruff: noqa: E501
PLANTS: tuple[Plant, ...] = (
    Plant("duplicate_order", "a second order goes out beside each", P0, wrap(ExchangeLink, "submit", twin)),
    Plant("signed_anew", "what is sent is not what was recorded", P0, wrap(ExchangeLink, "submit", signed_anew)),
    Plant("lost_is_unsent", "a timeout counts as not sent", P0, wrap(ExchangeLink, "_send", lost_is_unsent)),
    Plant("lost_is_refused", "a timeout counts as a refusal", P0, wrap(ExchangeLink, "_send", lost_is_refused)),
    Plant("lost_is_done", "a timeout counts as success", False, wrap(ExchangeLink, "submit", lost_is_done)),
    Plant("used_nonce_is_refusal", "a used nonce counts as a refusal", P0, wrap(ExchangeLink, "submit", used_is_refused)),
    Plant("fence_says_dead", "the fence never says admitted", P0, set_(ExchangeLink, "fence", fence_dead)),
    Plant("fills_not_asked", "missed fills are never asked for", P0, wrap(ExchangeLink, "fills_since", no_answers)),
    Plant("cancels_not_sent", "cancels never leave", P0, set_(ExchangeLink, "cancel", nothing_async)),
    Plant("holes_overlooked", "a hole in the stream is not noticed", False, set_(ExchangeLink, "_count", deaf_to_holes)),
    Plant("any_symbol", "market events of any symbol are passed on", False, set_(ExchangeLink, "_frame", takes_all)),
    Plant("feeds_pile_up", "an ended feed goes on listening", False, set_(Listeners, "off_market", nothing)),
    Plant("nonce_of_clock", "nonces follow the clock alone", P0, set_(Nonces, "next", clock_only)),
    Plant("nonce_not_kept", "nonces are not durable", P0, set_(Nonces, "next", not_kept)),
    Plant("retried_anew", "what got no answer is signed anew and sent again", P0, wrap(ExchangeLink, "submit", retried_anew)),
)
# fmt: on
