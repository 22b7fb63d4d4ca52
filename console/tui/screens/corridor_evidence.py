"""What the steps of a corridor session found, as lines: the last one, or a page of every one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from console.tui import text
from console.tui.widgets.lines import Line, rule
from engine.api.corridor import Artifact, SubmitView
from seams.clock import iso_z

HASH = re.compile(r"(0x)?[0-9a-f]{40,}")
"""What no person reads: it stands in the artifact."""
NAME_CELLS, WIDE_NAME_CELLS, WIDE = 26, 34, 120
MOST_ROWS = 4
"""How many lines one fact may take on the page."""


def last_lines(view: SubmitView, width: int, dash: str) -> Sequence[Line]:
    """What the last step found, and the gate's conditions."""
    last = view.artifacts[-1]
    gate = next((each for each in reversed(view.artifacts) if each.step == "gate"), None)
    lines: list[Line] = []
    if last is not gate:
        lines.append(rule(f"LAST: {last.step} {last.state}", width, dash, f"by {last.by}"))
        for each in view.state.refused:
            lines.append(((f"  {each.code} ", "p2-calm"), (each.said or each.title, "text")))
            lines.append(((f"    {each.correction}", "dim"),))
        lines += _policy_lines(view, dash, width) if gate is None else []
        cells = _name_cells(width)
        lines += [
            ((f"    {text.fit(name, cells - 1)} ", "dim"), (said, "text")) for name, said in facts(last)
        ]
    return lines if gate is None else [*lines, *_gate_lines(gate, width, dash)]


def page_lines(view: SubmitView, width: int, dash: str) -> list[Line]:
    """Every artifact of the session, the newest first: who, when, and all that it found, nothing cut off."""
    lines: list[Line] = []
    cells = _name_cells(width)
    for artifact in reversed(view.artifacts):
        if artifact.step == "gate":
            lines += _gate_lines(artifact, width, dash, artifact.at[11:19])
            continue
        note = f"{artifact.at[11:19]} {artifact.by}"
        lines.append(rule(f"{artifact.step} {artifact.state}", width, dash, note))
        for each in view.state.refused if artifact is view.artifacts[-1] else ():
            lines += [((f"  {row}", "p2-calm"),) for row in _rows(f"{each.code}: {each.said}", width - 2)]
            lines += [((f"    {row}", "text"),) for row in _rows(each.correction, width - 4)]
        for name, said in facts(artifact):
            head, *more = _rows(said, width - cells - 2)
            lines.append(((f"  {text.fit(name, cells - 1)} ", "dim"), (head, "text")))
            lines += [((" " * (cells + 2) + row, "text"),) for row in more]
    return [*lines, *_policy_lines(view, dash, width), *_runbook_lines(view, width, dash)]


def _runbook_lines(view: SubmitView, width: int, dash: str) -> list[Line]:
    """The runbooks of the session: each step with who ticked it, when, and what was seen."""
    lines: list[Line] = []
    for book in view.runbooks:
        done = sum(1 for each in book.steps if each.tick is not None)
        lines.append(rule(f"RUNBOOK {book.book}", width, dash, f"{done} of {len(book.steps)}  t = tick"))
        for step in book.steps:
            mark, style = (" [ ] ", "dim") if step.tick is None else (" [x] ", "text")
            head, *more = _rows(f"{step.number}. {step.said}", width - 6)
            lines += [((mark, style), (head, style)), *(((" " * 5 + row, style),) for row in more)]
            if step.tick is not None:
                said = f"{step.tick.at[11:19]} {step.tick.by}: {step.tick.note}"
                lines += [((" " * 5 + row, "bright"),) for row in _rows(said, width - 6)]
    return lines


def facts(artifact: Artifact) -> list[tuple[str, str]]:
    """What an artifact says in single words and figures, also one level down: names and values."""
    found: list[tuple[str, str]] = []
    for name, value in artifact.body.items():
        if name == "intent":
            continue  # the order: the title says it
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, each in inner:
            said = _said(key or name, each)
            if said and not HASH.fullmatch(said):
                found.append((f"{name}.{key}" if key else name, said))
    return found


def _said(name: str, value: object) -> str:
    """Write one fact; an instant as its UTC time, and what is no single word or figure not at all."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_ns"):
        return iso_z(value) if value else "never"
    return str(value) if isinstance(value, str | int | float) else ""


def _gate_lines(gate: Artifact, width: int, dash: str, at: str = "") -> list[Line]:
    """The gate's conditions, those that fail first."""
    conditions = gate.body["conditions"]
    held = sum(1 for each in conditions if each["ok"])
    lines = [rule(f"GATE {held} of {len(conditions)} hold", width, dash, f"{at} by {gate.by}".strip())]
    for each in sorted(conditions, key=lambda each: bool(each["ok"])):
        mark, style = ("ok ", "dim") if each["ok"] else ("NO ", "p2-calm")
        lines.append(((f" {mark}", style), (text.fit(each["code"], 26), style), (each["said"], "text")))
    return lines


def _policy_lines(view: SubmitView, dash: str, width: int) -> list[Line]:
    """What the desk's policies say about the order: before an approver's eyes until the gate (QT-08)."""
    first = next((each for each in view.artifacts if each.step == "preflight"), None)
    found = () if first is None else first.body.get("policy", ())
    lines: list[Line] = [
        ((f" {each['source']}: ", "dim"), (f"{each['title']}. ", "bright"), (each["text"], "text"))
        for each in found
    ]
    return [rule("POLICY", width, dash), *lines] if lines else []


def _name_cells(width: int) -> int:
    return WIDE_NAME_CELLS if width >= WIDE else NAME_CELLS


def _rows(said: str, width: int) -> list[str]:
    return text.wrap(said, width, MOST_ROWS)
