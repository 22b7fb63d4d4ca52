"""From a sentence to a component: a small grammar, read whole or not at all.

A sentence is clauses, parted by commas, semicolons, full stops, `with`, `and`, `plus`. Each clause must be
one of the table of its component type (`rows`); what is beyond needs a generator backend, and is never
left out. `docs/foundry.md` shows the table.
"""

from __future__ import annotations

import re

from engine.lifecycle.foundry.clauses import Draft
from engine.lifecycle.foundry.component import Component, Rule
from engine.lifecycle.foundry.rows import CLAUSES, Clause
from safety.text import clean

MAX_CHARACTERS = 500
MAX_CLAUSES = 12
SYNONYMS: tuple[tuple[str, str], ...] = (
    (r"cross(?:over|ing|es)", "cross"),
    (r"long and short|both directions", "both sides"),
    (r"trailing stop|trail stop", "trail"),
    (r"stop[ -]?loss", "stop"),
    (r"take[ -]?profit", "target"),
    (r"z[ -]score", "zscore"),
    (r"time stop|time limit", "hold"),
    (r"per ?cent", "%"),
    (r"(?:notional )?cap(?: of)?", "cap"),
    (r"threshold|thresholds", ""),
    (r"a|an|the|of|at|using", ""),
)
_BETWEEN = re.compile(r"[,;\n]|\.(?=\s|$)|\b(?:with|and|plus)\b")


class BeyondGrammar(Exception):
    """The sentence, or a part of it, is not in the grammar; `code` is needs_generator."""

    code = "needs_generator"

    def __init__(self, part: str) -> None:
        what = f"{clean(part, 80)!r} is beyond the grammar"
        super().__init__(f"needs a generator backend: {what}, and no backend is installed")


class Contradiction(Exception):
    """The sentence is in the grammar and says what cannot be, or too little; `code` is invalid_request."""

    code = "invalid_request"


def read_sentence(component_type: str, name: str, sentence: str) -> Component:
    """Return the component that a sentence describes.

    Raises `BeyondGrammar`, or `Contradiction` where it says a thing twice, nothing, or what cannot be.
    """
    draft, said = Draft(component_type), set[str]()
    for text in _clauses(sentence):
        clause, match = _read(component_type, text)
        if clause.once in said:
            raise Contradiction(
                f"{clean(text, 80)!r}: there is a clause of this kind already ({clause.once})"
            )
        said.add(clause.once)
        try:
            clause.write(draft, match)
        except ValueError as error:
            raise Contradiction(f"{clean(text, 80)!r}: {error}") from error
    return Component(
        component_type=component_type,
        name=name,
        prompt=sentence,
        knobs=tuple(draft.knobs.values()),
        meters=tuple(draft.meters.values()),
        rules=_rules(draft),
        levels=tuple(draft.levels),
        outputs=tuple(draft.outputs),
    )


def _clauses(sentence: str) -> list[str]:
    """Return the clauses in plain words: lower case, synonyms replaced, `12 / 26` as `12/26`."""
    if len(sentence) > MAX_CHARACTERS:
        raise Contradiction(f"a sentence has at most {MAX_CHARACTERS} characters, this has {len(sentence)}")
    if not sentence.isascii() or any(not (c.isprintable() or c.isspace()) for c in sentence):
        raise BeyondGrammar(sentence)
    text = " ".join(sentence.lower().replace("\n", ",").split())
    for pattern, word in SYNONYMS:
        text = re.sub(rf"(?<![\w%])(?:{pattern})(?![\w%])", word, text)
    text = re.sub(r"\s*/\s*", "/", text).replace(" %", "%").replace("(", " ").replace(")", " ")
    found = [" ".join(part.split()) for part in _BETWEEN.split(text)]
    found = [part for part in found if part]
    if not found:
        raise Contradiction("the sentence says nothing")
    if len(found) > MAX_CLAUSES:
        raise Contradiction(f"a sentence has at most {MAX_CLAUSES} clauses, this has {len(found)}")
    return found


def _read(component_type: str, text: str) -> tuple[Clause, re.Match[str]]:
    for clause in CLAUSES:
        match = clause.pattern.fullmatch(text)
        if match is not None and component_type in clause.types:
            return clause, match
    raise BeyondGrammar(text)


def _rules(draft: Draft) -> tuple[Rule, ...]:
    """Return the rules in the order in which they are judged: entries, then exits."""
    kind = draft.component_type
    if kind == "indicator":
        if not draft.outputs:
            raise Contradiction("an indicator names what it measures, for example: EMA 20")
        return ()
    if kind == "exit":
        if not draft.exits:
            raise Contradiction("an exit says when to leave, for example: ATR stop 2")
        return tuple(draft.exits)
    if not draft.longs and not draft.shorts:
        raise Contradiction("no signal: say what enters, for example: EMA crossover 12/26")
    longs, shorts = (draft.longs, draft.longs_filter), (draft.shorts, draft.shorts_filter)
    sides = [(1, *longs)] * (draft.sides != "short") + [(-1, *shorts)] * (draft.sides != "long")
    held = (0,) if kind == "entry" else ()
    entries = [
        Rule(answer=side, tests=(*tests, *filters), held=held) for side, tests, filters in sides if tests
    ]
    if not entries:
        raise Contradiction(f"{draft.sides} only, and the signal has no {draft.sides} side")
    return tuple(entries) if kind == "entry" else (*entries, *_leaving(draft))


def _leaving(draft: Draft) -> list[Rule]:
    """Return how a strategy leaves: its signal's exits; one-sided, where the other side would enter."""
    exits = [rule for rule in draft.exits if draft.sides == "both" or rule.held == _held(draft.sides)]
    other = {"long": draft.shorts, "short": draft.longs, "both": ()}[draft.sides]
    if not exits and other:
        exits = [Rule(answer=0, tests=tuple(other), held=_held(draft.sides))]
    has_level = any(level.field in ("stop", "target", "trail", "hold_bars") for level in draft.levels)
    flips = draft.sides == "both" and draft.longs and draft.shorts
    if not (exits or has_level or flips):
        raise Contradiction(
            "it enters and never leaves: add a stop, a target, hold N bars, or the other side"
        )
    return exits


def _held(side: str) -> tuple[int, ...]:
    return (1,) if side == "long" else (-1,)
