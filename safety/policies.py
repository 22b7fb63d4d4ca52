"""Which policies an order is about: a text search over the rules and the desk's own documents (QT-08).

Pure and local. A snippet is shown to whoever decides and stands in the record beside the decision; it
judges nothing. Ranking is BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from safety.canonical import sha256_hex
from safety.facts import Check, CheckResult
from safety.intent import ExecutionIntent
from safety.reasons import REASONS
from safety.rules import RULES
from safety.text import clean
from venues.types import Record, Side

K1, B = 1.2, 0.75
OWN_WEIGHT = 2.0
"""The desk's own words come before the rules', which the checks show anyway."""
MAX_SNIPPETS = 3
MAX_SHOWN = 240
RULE = "rule "
_WORD = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_HEADING = re.compile(r"^#{1,6} +(.*)$")
_IDLE = frozenset(("a", "an", "and", "as", "at", "be", "by", "for", "from", "in", "is", "it", "not", "of",
                   "on", "or", "the", "this", "to", "with", "what", "where"))  # fmt: skip


class PolicyText(Record):
    """One passage: `source` is `rule CODE` or `FILE`, `title` its heading."""

    source: str
    title: str
    text: str


class PolicySnippet(Record):
    """What is shown of a passage, and the SHA-256 of the whole of it."""

    source: str
    title: str
    text: str
    sha256: str


def rule_texts() -> tuple[PolicyText, ...]:
    """Return a passage for each rule of the pre-trade table."""
    return tuple(
        PolicyText(
            source=f"{RULE}{rule.code}",
            title=rule.says,  # the duty: a reason's title would read as if this order had broken it
            text=f"{REASONS[rule.code].why} {REASONS[rule.code].correction}",
        )
        for rule in RULES
    )


def passages(name: str, text: str) -> tuple[PolicyText, ...]:
    """Cut a Markdown document at its headings; a passage without words is left out."""
    found: list[tuple[str, list[str]]] = [(name, [])]
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading:
            found.append((clean(heading.group(1), 120), []))
        else:
            found[-1][1].append(line.strip())
    made = (PolicyText(source=name, title=title, text=" ".join(filter(None, body))) for title, body in found)
    return tuple(each for each in made if words(each.text))


def order_words(intent: ExecutionIntent, checks: Iterable[Check]) -> tuple[str, ...]:
    """Return what an order is about: its parts in words, and every rule that warns or refuses."""
    is_buy = intent.side is Side.BUY
    asked = [
        intent.symbol,
        *re.split(r"[-/:_]", intent.symbol),
        intent.broker_target,
        intent.strategy_id,
        intent.order_type,
        intent.time_in_force,
        *(("buy", "long") if is_buy else ("sell", "short")),
        *(("reduce-only", "exit", "close") if intent.reduce_only else ("entry", "open")),
    ]
    grave = [c for c in checks if c.result in (CheckResult.WARN, CheckResult.FAIL)]
    return tuple(dict.fromkeys(word for text in (*asked, *(c.name for c in grave)) for word in words(text)))


def words(text: str) -> list[str]:
    """Return the words of a text that a search counts; a joined word also in its parts."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        parts = re.split(r"[-_]", word)
        found += [word, *parts] if len(parts) > 1 else parts
    return [word for word in found if word not in _IDLE]


class PolicyShelf:
    """The passages, ready to be searched."""

    def __init__(self, texts: Sequence[PolicyText]) -> None:
        self._texts = tuple(texts)
        self._counts = [Counter(words(f"{each.source} {each.title} {each.text}")) for each in texts]
        self._lengths = [sum(counts.values()) for counts in self._counts]
        self._mean = sum(self._lengths) / len(texts) if texts else 0.0
        self._spread = Counter(word for counts in self._counts for word in counts)

    def search(self, asked: Sequence[str], most: int = MAX_SNIPPETS) -> tuple[PolicySnippet, ...]:
        """Return the passages that are most about these words, the best first; ties by their place."""
        scores = [(self._score(place, asked), place) for place in range(len(self._texts))]
        best = sorted((pair for pair in scores if pair[0] > 0), key=lambda pair: (-pair[0], pair[1]))
        return tuple(_snippet(self._texts[place]) for _, place in best[:most])

    def _score(self, place: int, asked: Sequence[str]) -> float:
        counts, total = self._counts[place], len(self._texts)
        length = 1 - B + B * self._lengths[place] / self._mean
        score = 0.0
        for word in asked:
            seen = counts.get(word, 0)
            if seen:
                spread = self._spread[word]
                rarity = math.log(1 + (total - spread + 0.5) / (spread + 0.5))
                score += rarity * seen * (K1 + 1) / (seen + K1 * length)
        return score if self._texts[place].source.startswith(RULE) else score * OWN_WEIGHT


def _snippet(text: PolicyText) -> PolicySnippet:
    return PolicySnippet(
        source=text.source,
        title=text.title,
        text=clean(text.text, MAX_SHOWN),
        sha256=sha256_hex(f"{text.title}\n{text.text}".encode()),
    )
