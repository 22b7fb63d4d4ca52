"""The Python twin: a component's IR as a strategy file in the forge's subset, to be read by people."""

from __future__ import annotations

from collections.abc import Sequence

from engine.lifecycle.foundry.component import Component, Knob, Level, Meter, Output, Rule, Shift, Term, Test

SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
HELD: dict[tuple[int, ...], str] = {(0,): "bar.side == 0", (1,): "bar.side > 0", (-1,): "bar.side < 0"}
FACES = ("Bar", "Signal", "Strategy", "param")


def to_python(component: Component) -> str:
    """Return the file's text. The sentence is not in it: nothing that a person wrote becomes code."""
    kinds = sorted({meter.kind for meter in component.meters})
    faces = [face for face in FACES if face != "Signal" or component.rules]
    lines = [
        f'"""{component.component_type.capitalize()} `{component.name}`, made by the foundry from its IR; '
        'change the sentence, not this file."""',
        "",
        f"from interlock import {', '.join([*kinds, *faces])}",
        "",
        "",
        f"class {component.class_name}(Strategy):",
        f'    """{_said(component)}"""',
        "",
        *(_knob(knob) for knob in component.knobs),
        "",
        "    def on_start(self) -> None:",
        *(f"        {line}" for line in _start(component)),
        "",
        f"    def on_bar(self, bar: Bar) -> {'Signal | int | None' if component.rules else 'int | None'}:",
        *(f"        {line}" for line in _bar(component)),
    ]
    return "\n".join(lines) + "\n"


def _said(component: Component) -> str:
    """Say in one line what the class is, from the IR alone."""
    meters = ", ".join(dict.fromkeys(meter.kind for meter in component.meters)) or "no indicator"
    what = {
        "indicator": "Keeps a value and never asks for a trade",
        "entry": "Asks for entries and never for an exit",
        "exit": "Asks for exits and never for an entry",
        "strategy": "Asks for entries and exits",
    }
    return f"{what[component.component_type]}; reads {meters}."


def _knob(knob: Knob) -> str:
    return f'    {knob.name} = param({knob.default!r}, {knob.low!r}, {knob.high!r}, "{knob.doc}")'


def _start(component: Component) -> list[str]:
    lines = []
    for meter in component.meters:
        arguments = ", ".join(
            f"self.{each}" if isinstance(each, str) else repr(each) for each in meter.arguments
        )
        lines.append(f"self.{meter.name} = {meter.kind}({arguments})")
    lines += [f"self.{output.name} = 0.0" for output in component.outputs]
    if _tracks(component):
        lines += ["self.side = 0", "self.entry = 0.0", "self.best = 0.0", "self.held_bars = 0"]
    return lines or ["pass"]


def _bar(component: Component) -> list[str]:
    lines = _before(component)
    lines += [_updated(meter) for meter in component.meters]
    if _tracks(component):
        lines += TRACKING
    lines += [_output(output) for output in component.outputs]
    if not component.rules:
        return [*lines, "return None"]
    is_exit = component.component_type == "exit"
    if component.meters and not is_exit:
        ready = " and ".join(_readiness(meter, component) for meter in component.meters)
        lines += [f"if not ({ready}):", "    return None"]
    for rule in component.rules:
        lines += [
            f"if {_condition(rule, component if is_exit else None)}:",
            f"    return {_answer(rule, component.levels)}",
        ]
    return [*lines, "return None"]


TRACKING = [
    "# The position as seen from here: it fills at the open of the first bar on which it is there.",
    "if bar.side != self.side:",
    "    self.side, self.entry, self.best, self.held_bars = bar.side, bar.open, bar.close, 0",
    "if bar.side != 0:",
    "    self.held_bars += 1",
    "    self.best = max(self.best, bar.close) if bar.side > 0 else min(self.best, bar.close)",
]


def _tracks(component: Component) -> bool:
    return any(term.kind in ("entry", "best", "held_bars") for term in component.terms)


def _before(component: Component) -> list[str]:
    """Keep what the meters said before this bar takes part in them."""
    names = sorted({term.name for term in component.terms if term.kind == "before"})
    meters = dict.fromkeys(name.partition(".")[0] for name in names)
    return [
        *(f"{_local(name)} = self.{name}" for name in names),
        *(f"{meter}_was_ready = self.{meter}.is_ready" for meter in meters),
    ]


def _readiness(meter: Meter, component: Component) -> str:
    is_before = any(t.kind == "before" and t.name.partition(".")[0] == meter.name for t in component.terms)
    return f"{meter.name}_was_ready" if is_before else f"self.{meter.name}.is_ready"


def _local(name: str) -> str:
    return f"{name.replace('.', '_')}_before"


def _updated(meter: Meter) -> str:
    return f"self.{meter.name}.update({', '.join(f'bar.{each}' for each in meter.inputs)})"


def _output(output: Output) -> str:
    right = "" if output.right is None else f" - {_term(output.right)}"
    return f"self.{output.name} = {_term(output.left)}{right}"


def _condition(rule: Rule, component: Component | None) -> str:
    """Return what must hold; with a component (an exit) each rule waits for its own meters only."""
    held = [HELD[rule.held]] if rule.held else []
    read = {name for test in rule.tests for term in (test.left, test.right) for name in _meters(term)}
    ready = [_readiness(m, component) for m in component.meters if m.name in read] if component else []
    return " and ".join([*held, *ready, *(_test(test) for test in rule.tests)])


def _meters(term: Term) -> list[str]:
    shifted = [term.shift.meter] if term.shift is not None and term.shift.meter else []
    return [*shifted, *([term.name.partition(".")[0]] if term.kind in ("now", "before") else [])]


def _test(test: Test) -> str:
    return f"{_term(test.left)} {SIGNS[test.op]} {_term(test.right)}"


def _term(term: Term) -> str:
    texts = {
        "bar": f"bar.{term.name}",
        "now": f"self.{term.name}",
        "before": _local(term.name),
        "knob": f"self.{term.name}",
        "minus_knob": f"-self.{term.name}",
        "number": repr(term.number),
        "entry": "self.entry",
        "best": "self.best",
        "held_bars": "self.held_bars",
    }
    text = texts[term.kind]
    return text if term.shift is None else f"{text} {_shift(term.shift, text)}"


def _shift(shift: Shift, base: str) -> str:
    sign = "+" if shift.sign > 0 else "-"
    return f"{sign} {_distance(shift.knob, shift.meter, base)}"


def _distance(knob: str, meter: str, base: str) -> str:
    return f"self.{knob} * self.{meter}.value" if meter else f"0.01 * self.{knob} * {base}"


def _answer(rule: Rule, levels: Sequence[Level]) -> str:
    if rule.answer == 0 or not levels:
        return str(rule.answer)
    order = ("stop", "target", "trail", "hold_bars")
    parts = [
        f"{level.field}={_level(level)}" for level in sorted(levels, key=lambda each: order.index(each.field))
    ]
    return f"Signal({rule.answer}, {', '.join(parts)})"


def _level(level: Level) -> str:
    if level.field == "hold_bars":
        return f"self.{level.knob}"
    return _distance(level.knob, level.meter, "bar.close")
