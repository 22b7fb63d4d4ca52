"""What both of Hyperliquid's streams rest on: subscriptions acknowledged one by one, and pings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from seams.clock import Clock
from seams.wire import MessageLink, Unsent

PING_EVERY_S = 4.0
PING = b'{"method":"ping"}'


class Subscriptions:
    """What is subscribed to on one connection, what of it is not acknowledged, and what keeps it open."""

    def __init__(self, link: MessageLink, clock: Clock, name: str, pings_allowed: int = 0) -> None:
        """After `pings_allowed` pings without every acknowledgement the connection is dropped; 0: never."""
        self._link, self._clock, self._name, self._pings_allowed = link, clock, name, pings_allowed
        self._unheard: set[str] = set()
        self._pinging: asyncio.Task[None] | None = None

    def begin(self, wanted: Iterable[Mapping[str, str]], besides: Iterable[Mapping[str, str]] = ()) -> None:
        """Subscribe on a new connection, and ping it from now on; nobody waits for what is `besides`."""
        self._unheard = {_named(each) for each in wanted}
        try:
            for each in (*wanted, *besides):
                self._link.send(msgspec.json.encode({"method": "subscribe", "subscription": each}))
        except Unsent:
            return  # it broke again at once: the link says so, and opens anew
        self._pinging = asyncio.get_running_loop().create_task(self._ping(), name=self._name)

    def heard(self, subscription: Mapping[str, Any]) -> bool:
        """Take an acknowledgement; True where none is missing any more."""
        self._unheard.discard(_named(subscription))
        return not self._unheard

    def end(self) -> None:
        """Ping no more."""
        if self._pinging is not None:
            self._pinging.cancel()
            self._pinging = None

    async def _ping(self) -> None:
        """Keep the venue from closing an idle connection, and a dead one from looking alive."""
        pings = 0
        while True:
            await self._clock.sleep(PING_EVERY_S)
            pings += 1
            if self._unheard and 0 < self._pings_allowed <= pings:
                self._link.drop()
                return
            try:
                self._link.send(PING)
            except Unsent:
                return


def _named(subscription: Mapping[str, Any]) -> str:
    coin, interval = (str(subscription.get(key) or "") for key in ("coin", "interval"))
    return " ".join((subscription["type"], coin, interval, str(subscription.get("user") or "").lower()))
