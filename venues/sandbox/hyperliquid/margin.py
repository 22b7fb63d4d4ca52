"""Margin at the loopback Hyperliquid: what an order needs, what a position must keep, when it is taken.

Initial margin is notional / leverage; maintenance is half of the initial margin at the market's maximum
leverage (venue documentation, "Margining"; venues.md 3.12).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from venues.sandbox.hyperliquid.accounts import ZERO, Position, User, usd
from venues.sandbox.hyperliquid.listing import BY_COIN, Listing
from venues.sandbox.hyperliquid.orders import wire_float

Marks = Mapping[str, Decimal]


def needed_with(
    user: User, listing: Listing, is_buy: bool, size: Decimal, price: Decimal, marks: Marks
) -> Decimal:
    """Return the initial margin of positions and open orders if this order rested too, in USD.

    Per market the worse of two ends counts: all buys executed, or all sells.
    """
    coins = {listing.coin, *user.positions, *(o.coin for o in user.live.values() if BY_COIN[o.coin].is_perp)}
    total = ZERO
    for coin in sorted(coins):
        held = user.positions[coin].szi if coin in user.positions else ZERO
        ends = {True: held, False: held}
        for order in user.live.values():
            if order.coin == coin and not order.reduce_only:
                ends[order.is_buy] += order.remaining if order.is_buy else -order.remaining
        if coin == listing.coin:
            ends[is_buy] += size if is_buy else -size
        leverage = user.leverage_of(BY_COIN[coin])[0]
        at = max(marks.get(coin, price), price) if coin == listing.coin else marks[coin]
        total += max(abs(ends[True]), abs(ends[False])) * at / leverage
    return usd(total)


def used(user: User, marks: Marks, *, cross_only: bool) -> Decimal:
    """Return the margin that positions use, in USD."""
    return usd(
        sum(
            (_position_margin(user, coin, position, marks) for coin, position in user.positions.items()
             if not cross_only or user.is_cross(coin)),
            ZERO,
        )
    )  # fmt: skip


def _position_margin(user: User, coin: str, position: Position, marks: Marks) -> Decimal:
    leverage, is_cross = user.leverage_of(BY_COIN[coin])
    mark = marks.get(coin, position.entry)
    if is_cross:
        return abs(position.szi) * mark / leverage
    return position.isolated_usd + position.szi * (mark - position.entry)


def maintenance(coin: str, szi: Decimal, mark: Decimal) -> Decimal:
    """Return what a position must keep, in USD."""
    return abs(szi) * mark / (2 * BY_COIN[coin].max_leverage)


def cross_maintenance(user: User, marks: Marks) -> Decimal:
    return usd(
        sum(
            (maintenance(coin, p.szi, marks.get(coin, p.entry)) for coin, p in user.positions.items()
             if user.is_cross(coin)),
            ZERO,
        )
    )  # fmt: skip


def in_danger(user: User, marks: Marks) -> list[str]:
    """Return the coins that must be liquidated now: isolated ones by themselves, cross ones together."""
    cross = [coin for coin in user.positions if user.is_cross(coin)]
    found = []
    if cross and user.cross_value(marks) < cross_maintenance(user, marks):
        found += cross
    for coin, position in user.positions.items():
        if coin not in cross:
            mark = marks.get(coin, position.entry)
            equity = position.isolated_usd + position.szi * (mark - position.entry)
            if equity < maintenance(coin, position.szi, mark):
                found.append(coin)
    return sorted(found)


def liquidation_price(user: User, coin: str, marks: Marks) -> Decimal | None:
    """Return where a position would be taken, with all other marks as they are; None: at no price."""
    position = user.positions[coin]
    mark, leverage = marks.get(coin, position.entry), BY_COIN[coin].max_leverage
    if user.is_cross(coin):
        spare = user.cross_value(marks) - cross_maintenance(user, marks)
    else:
        equity = position.isolated_usd + position.szi * (mark - position.entry)
        spare = equity - maintenance(coin, position.szi, mark)
    slope = position.szi - abs(position.szi) / (2 * leverage)
    price = mark - spare / slope
    return price if price > 0 else None


def state(user: User, marks: Marks, now_ms: int) -> dict[str, Any]:
    """Return the answer to `clearinghouseState`."""
    value, cross_value = user.account_value(marks), user.cross_value(marks)
    all_used, cross_used = used(user, marks, cross_only=False), used(user, marks, cross_only=True)
    positions = {coin: p.szi * marks.get(coin, p.entry) for coin, p in user.positions.items()}
    cross = {coin: notional for coin, notional in positions.items() if user.is_cross(coin)}
    return {
        "marginSummary": _summary(value, positions, all_used),
        "crossMarginSummary": _summary(cross_value, cross, cross_used),
        "crossMaintenanceMarginUsed": _usd(cross_maintenance(user, marks)),
        "withdrawable": _usd(max(ZERO, cross_value - cross_used)),
        "assetPositions": [
            {"type": "oneWay", "position": _position(user, coin, marks)} for coin in user.positions
        ],
        "time": now_ms,
    }


def _summary(value: Decimal, notionals: Mapping[str, Decimal], margin: Decimal) -> dict[str, str]:
    total = sum((abs(notional) for notional in notionals.values()), ZERO)
    raw = value - sum(notionals.values(), ZERO)
    return {
        "accountValue": _usd(value),
        "totalNtlPos": _usd(total),
        "totalRawUsd": _usd(raw),
        "totalMarginUsed": _usd(margin),
    }


def _position(user: User, coin: str, marks: Marks) -> dict[str, Any]:
    position = user.positions[coin]
    leverage, is_cross = user.leverage_of(BY_COIN[coin])
    mark = marks.get(coin, position.entry)
    open_usd = position.szi * (mark - position.entry)
    margin = _position_margin(user, coin, position, marks)
    liquidation = liquidation_price(user, coin, marks)
    shown: dict[str, Any] = {"type": "cross" if is_cross else "isolated", "value": leverage}
    if not is_cross:
        shown["rawUsd"] = _usd(position.isolated_usd - position.szi * position.entry)
    return {
        "coin": coin,
        "szi": wire_float(position.szi),
        "leverage": shown,
        "entryPx": wire_float(position.entry.quantize(Decimal("1e-8"))),
        "positionValue": _usd(abs(position.szi) * mark),
        "unrealizedPnl": _usd(open_usd),
        "returnOnEquity": wire_float(open_usd / margin if margin > 0 else ZERO),
        "liquidationPx": None if liquidation is None else wire_float(liquidation),
        "marginUsed": _usd(margin),
        "maxLeverage": BY_COIN[coin].max_leverage,
        "cumFunding": {
            "allTime": _usd(position.funding_all),
            "sinceOpen": _usd(position.funding_open),
            "sinceChange": _usd(position.funding_change),
        },
    }


def _usd(amount: Decimal) -> str:
    return wire_float(usd(amount))
