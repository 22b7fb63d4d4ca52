"""The fields of an order by hand: their names, what may be typed, and the form that they make. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.api.order_judgement import FieldSaid, OrderJudged

Draft = dict[str, str]


@dataclass(frozen=True)
class OrderField:
    """One line of the form: the key of the order's form, its label, a hint, and the words it may hold."""

    name: str
    label: str
    hint: str
    words: tuple[str, ...] = ()
    default: str = ""


FIELDS = (
    OrderField("symbol", "symbol", "BTC-PERP, BTC-USD"),
    OrderField("side", "side", "buy or sell", ("buy", "sell")),
    OrderField("quantity", "quantity", "multiple of lot"),
    OrderField("order_type", "type", "limit or market", ("limit", "market"), "limit"),
    OrderField("time_in_force", "TIF", "gtc, ioc, post_only", ("gtc", "ioc", "post_only"), "gtc"),
    OrderField("limit_price", "limit", "worst acceptable"),
    OrderField("stop_loss", "stop", "protective stop"),
    OrderField("reduce_only", "reduce-only", "no or yes", ("no", "yes"), "no"),
    OrderField("note", "note", "why (recorded)"),
)
BLANK: Draft = {field.name: field.default for field in FIELDS}


def completed(field: OrderField, typed: str) -> str:
    """Return the one word of the field that begins as was typed; else what was typed, trimmed."""
    said = typed.strip()
    if field.name == "symbol":
        return said.upper()
    found = [word for word in field.words if said and word.startswith(said.lower())]
    return found[0] if len(found) == 1 else said


def order_of(draft: Draft) -> dict[str, object]:
    """Return the form of the order: empty fields left out, the note apart."""
    form: dict[str, object] = {
        field.name: completed(field, draft[field.name])
        for field in FIELDS
        if field.name not in ("note", "reduce_only") and draft[field.name].strip()
    }
    reduce_only = completed(_REDUCE_ONLY, draft["reduce_only"])
    return {**form, "reduce_only": {"yes": True, "no": False, "": False}.get(reduce_only, reduce_only)}


_REDUCE_ONLY = next(field for field in FIELDS if field.name == "reduce_only")


def by_field(verdict: OrderJudged | None) -> Mapping[str, tuple[FieldSaid, ...]]:
    """Return what is to be corrected, under the field that each is about; the desk's under an empty name."""
    found: dict[str, tuple[FieldSaid, ...]] = {}
    for each in verdict.said if verdict else ():
        found[each.field] = (*found.get(each.field, ()), each)
    return found
