"""A market's name that a venue does not list: which of its markets was meant is said, never guessed.

An order names its market exactly as its venue is known here (`BTC-PERP`, `BTC-USD`): what is approved is a
text, and a spot market is not the perpetual of its name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator

from safety.text import clean

MOST, MOST_LISTED, MAX_SYMBOL = 3, 8, 40
SEPARATORS = re.compile(r"[^A-Z0-9]+")
QUOTES = ("PERP", "USDT", "USDC", "ZUSD", "USD", "EUR")
OTHER_NAMES = {"XXBT": "BTC", "XBT": "BTC", "XETH": "ETH", "XXRP": "XRP", "XXDG": "DOGE", "XDG": "DOGE"}
"""What an asset is called elsewhere -> what we call it."""


def unlisted(symbol: str, venue: str, listed: Collection[str]) -> str:
    """Say that a venue has no such market, and which of those that it lists come near."""
    said = f"{venue} has no market {clean(symbol, MAX_SYMBOL)}"
    near, known = nearest(symbol, listed), sorted(listed)
    if near:
        return f"{said}; did you mean {' or '.join(near)}?"
    if not known:
        return f"{said}: it has listed none yet"
    more = f" and {len(known) - MOST_LISTED} more" if len(known) > MOST_LISTED else ""
    return f"{said}; it has {', '.join(known[:MOST_LISTED])}{more}"


def nearest(symbol: str, listed: Collection[str]) -> tuple[str, ...]:
    """Return the listed markets that may be meant, best first: the same letters, the same asset, or alike."""
    wanted, plain = symbol.upper()[:MAX_SYMBOL], {each: SEPARATORS.sub("", each.upper()) for each in listed}
    same = [each for each in sorted(listed) if plain[each] == SEPARATORS.sub("", wanted)]
    bases = set(_bases(wanted))
    kin = [each for each in sorted(listed) if bases & set(_bases(each.upper()))]
    alike = difflib.get_close_matches(wanted, sorted(listed), MOST) if not (same or kin) else []
    return tuple(dict.fromkeys([*same, *kin, *alike]))[:MOST]


def _bases(symbol: str) -> Iterator[str]:
    """Yield what asset a name may be about: the part before its separator, or before what it is paid in."""
    first = SEPARATORS.split(symbol.strip("-/_:. "))[0]
    yield OTHER_NAMES.get(first, first)
    for quote in QUOTES:
        base = first.removesuffix(quote)
        if base and base != first:
            yield OTHER_NAMES.get(base, base)
