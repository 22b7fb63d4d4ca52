"""Reads the fields of an order as the loopback Kraken takes them, or refuses them in the venue's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from seams.clock import NS_PER_S, utc_ns
from venues.sandbox.kraken.books import ZERO, KrakenError, NewOrder
from venues.sandbox.kraken.listing import BY_NAME, Pair
from venues.types import Side

TYPES = (
    "market",
    "limit",
    "stop-loss",
    "take-profit",
    "stop-loss-limit",
    "take-profit-limit",
)
"""Iceberg, trailing and settle-position orders are not simulated and refused as arguments."""
DEADLINE_MAX_S = 60
CLIENT_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|[\x21-\x7e]{1,18}",
    re.IGNORECASE,
)


def invalid(what: str) -> KrakenError:
    """Return the refusal of one argument."""
    return KrakenError(f"EGeneral:Invalid arguments:{what}")


def pair_of(name: str) -> Pair:
    """Return a pair by any of its names."""
    pair = BY_NAME.get(name)
    if pair is None:
        raise KrakenError("EQuery:Unknown asset pair")
    return pair


def number(text: str, what: str) -> Decimal:
    """Read one amount above zero."""
    try:
        read = Decimal(text)
    except InvalidOperation:
        raise invalid(what) from None
    if not read.is_finite() or read <= 0 or read > Decimal("1e15"):
        raise invalid(what)
    return read


def is_true(fields: Mapping[str, str], name: str) -> bool:
    """Read a flag. Any text but `false` and `0` counts as set, `False` of a Python client included."""
    return name in fields and fields[name] not in ("false", "0", "")


def time_of(text: str, now_ns: int, what: str) -> int:
    """Read a time: 0 (none), unix seconds, or `+seconds` from now."""
    if not re.fullmatch(r"\+?\d{1,12}", text):
        raise invalid(what)
    if text.startswith("+"):
        return now_ns + int(text[1:]) * NS_PER_S
    return int(text) * NS_PER_S


def read_deadline(fields: Mapping[str, str], now_ns: int) -> int:
    """Read when the engine must refuse the request; 0 where none is given."""
    text = fields.get("deadline")
    if text is None:
        return 0
    try:
        deadline_ns = utc_ns(text)
    except ValueError:
        raise invalid("deadline") from None
    ahead_ns = deadline_ns - now_ns
    if ahead_ns > DEADLINE_MAX_S * NS_PER_S:
        raise invalid("deadline")
    if ahead_ns <= 0:
        raise KrakenError("EService:Deadline elapsed")
    return deadline_ns  # the venue asks for two seconds ahead; what was under way arrives with less


def read_order(fields: Mapping[str, str], now_ns: int) -> NewOrder:
    """Read an order from the fields of `AddOrder`. Raises `KrakenError`."""
    pair = pair_of(fields.get("pair", ""))
    kind = fields.get("ordertype", "")
    if kind not in TYPES:
        raise invalid("ordertype")
    if fields.get("type") not in ("buy", "sell"):
        raise invalid("type")
    if "leverage" in fields and fields["leverage"] not in ("none", "0", "1"):
        raise KrakenError("EOrder:Cannot open position")
    if is_true(fields, "reduce_only"):
        raise KrakenError("EOrder:Reduce only:No position exists")
    flags = set(filter(None, fields.get("oflags", "").split(",")))
    if flags - {"post", "fcib", "fciq", "nompp"} or {"fcib", "fciq"} <= flags:
        raise invalid("oflags")
    tif = fields.get("timeinforce", "GTC")
    if tif not in ("GTC", "IOC", "FOK", "GTD") or (tif in ("IOC", "FOK") and kind != "limit"):
        raise invalid("timeinforce")
    if "post" in flags and (kind != "limit" or tif in ("IOC", "FOK")):
        raise invalid("oflags")
    price, trigger = _prices(fields, pair, kind)
    userref, name = _names(fields)
    expire_ns = time_of(fields.get("expiretm", "0"), now_ns, "expiretm")
    if (tif == "GTD") != bool(expire_ns) or (expire_ns and expire_ns <= now_ns):
        raise invalid("expiretm")
    return NewOrder(
        pair=pair,
        side=Side(fields["type"]),
        ordertype=kind,
        volume=read_volume(fields.get("volume", ""), pair),
        price=price,
        trigger=trigger,
        timeinforce=tif,
        is_post_only="post" in flags,
        fee_in_base="fcib" in flags,
        expire_ns=expire_ns,
        deadline_ns=read_deadline(fields, now_ns),
        userref=userref,
        cl_ord_id=name,
        is_validate_only=is_true(fields, "validate"),
    )


def read_volume(text: str, pair: Pair) -> Decimal:
    """Read a volume: at least the pair's smallest, and no finer than its lot."""
    volume = number(text, "volume")
    if volume % pair.lot != 0:
        raise invalid("volume")
    if volume < pair.ordermin:
        raise KrakenError("EOrder:Order minimum not met")
    return volume


def read_price(text: str, pair: Pair, what: str = "price") -> Decimal:
    """Read a price on the pair's grid."""
    price = number(text, what)
    if price % pair.tick != 0:
        raise KrakenError("EOrder:Tick size check failed")
    return price


def demand_cost(volume: Decimal, price: Decimal, pair: Pair) -> None:
    """Refuse an order whose value is below the pair's minimum."""
    if price > 0 and volume * price < pair.costmin:
        raise KrakenError("EOrder:Cost minimum not met")


def _prices(fields: Mapping[str, str], pair: Pair, kind: str) -> tuple[Decimal, Decimal]:
    """Return limit and trigger: `price` is the limit of a limit order and the trigger of a stop, whose
    limit is `price2`."""
    if kind == "market":
        return ZERO, ZERO
    first = read_price(fields.get("price", ""), pair)
    if kind == "limit":
        return first, ZERO
    return (read_price(fields.get("price2", ""), pair, "price2") if kind.endswith("-limit") else ZERO), first


def _names(fields: Mapping[str, str]) -> tuple[int | None, str]:
    """Return `userref` and `cl_ord_id`, of which only one may be given."""
    name, reference = fields.get("cl_ord_id", ""), fields.get("userref")
    if name and reference is not None:
        raise KrakenError("EGeneral:Invalid arguments")
    if name and not CLIENT_ID.fullmatch(name):
        raise invalid("cl_ord_id")
    if reference is None:
        return None, name
    if not re.fullmatch(r"-?\d{1,10}", reference) or abs(int(reference)) >= 2**31:
        raise invalid("userref")
    return int(reference), name
