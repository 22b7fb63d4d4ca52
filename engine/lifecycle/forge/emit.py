"""From a program to one freestanding text, C and C++ alike: state, `il_init`, `il_on_bar`, `il_signals`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import native
from engine.lifecycle.forge.body import Body, c_name
from engine.lifecycle.forge.ir import Program
from native.indicator_table import INDICATORS

C_KINDS = {"int": "int64_t", "float": "double", "bool": "int", "wish": "il_answer"}
HEADERS = ("windows.h", "averages.h", "indicators.h")

_STEP = """
IL_INLINE int64_t step(il_state *s, double *rings, const il_bar *b, il_answer *out)
{
    (void)s, (void)b, (void)rings;
%(body)s}
"""
_ON_BAR = """
IL_EXPORT int64_t il_on_bar(void *memory, const il_bar *b, il_answer *out)
{
    il_state *s = (il_state *)memory;
    return step(s, (double *)(s + 1), b, out);
}
"""
_SIGNALS = """
/* Compiled twice: once every indicator has a value, no step need ask again whether it has one. */
IL_INLINE int64_t many(il_state *memory, const il_columns *x, int64_t n, int64_t index, il_answers *answers,
                       const int is_warm)
{
    il_state local = *memory;
    double *rings = (double *)(memory + 1);
    const il_columns columns = *x;
    signed char *want = answers->want;
    int64_t i, error = 0;
    for (i = 0; i < n; i++) {
        il_answer answer;
        const il_bar bar = {columns.ts[i],  index + i,        columns.open[i],   columns.high[i],
                            columns.low[i], columns.close[i], columns.volume[i], 0};
        if (is_warm && !(%(warm)s))
            __builtin_unreachable();
        error = step(&local, rings, &bar, &answer);
        if (IL_RARE(error))
            break;
        want[i] = (signed char)answer.want;
%(levels)s    }
    answers->error = error;
    *memory = local;
    return i;
}

IL_EXPORT int64_t il_signals(void *memory, const il_columns *x, int64_t n, int64_t index, il_answers *answers)
{
    il_state *s = (il_state *)memory;
    if (%(kept_warm)s)
        return many(s, x, n, index, answers, 1);
    return many(s, x, n, index, answers, 0);
}
"""
_LEVELS = """        if (answer.want != IL_KEEP)
            answers->wish[i] = answer;
"""
_INIT = """
IL_EXPORT int64_t il_init(void *memory, int64_t capacity, const double *params)
{
    il_state local, *s = &local;
    int64_t room = 0, size;
    __builtin_memset(&local, 0, sizeof local);
    (void)s;
%(body)s    size = (int64_t)sizeof(il_state) + room * (int64_t)sizeof(double);
    if (capacity >= size)
        *(il_state *)memory = local;
    return size;
}
"""


@dataclass(frozen=True)
class Word:
    """One 8-byte word of the state that has a name in the source: its C place and kind."""

    name: str
    kind: str
    c_place: str


@dataclass(frozen=True)
class Emitted:
    """The C text; (exception, message) of each place that can fail, from 1; the state's named words."""

    text: str
    places: tuple[tuple[str, str], ...]
    words: tuple[Word, ...]


def emit(program: Program) -> Emitted:
    """Return the C text of a program."""
    places: list[tuple[str, str]] = []
    init = _init(program, places)
    bar = Body(program, places, "return {place};")
    bar.declare(program.bar_locals, C_KINDS)
    bar.statements(program.bar)
    bar.line("*out = il_plain(IL_KEEP);")
    bar.line("return 0;")
    words = tuple(_words(program))
    text = [
        *(_header(name) for name in ("runtime.h", *HEADERS)),
        f"/* {program.name} */",
        _state(program),
        _STEP % {"body": bar.text()},
        init,
        _ON_BAR,
        "" if program.reads_side else _signals(program),
        _facts(words),
    ]
    return Emitted("\n".join(text), tuple(places), words)


@cache
def _header(name: str) -> str:
    """Return a header's text without its own includes of ours, so that the whole is one text."""
    if name == "runtime.h":
        text = resources.files(__package__).joinpath(name).read_text()
    else:
        text = (Path(native.__file__).parent / name).read_text()
    return "\n".join(line for line in text.splitlines() if not line.startswith('#include "'))


def _state(program: Program) -> str:
    lines = ["typedef struct {"]
    for field in program.params:
        lines.append(f"    {'int64_t' if field.kind == 'int' else 'double'} p_{c_name(field.name)};")
    for field in program.state:
        lines.append(f"    {'double' if field.kind == 'float' else 'int64_t'} v_{c_name(field.name)};")
    for field in program.indicators:
        form = INDICATORS[field.kind]
        lines.append(f"    il_{form.c_name} i_{c_name(field.name)};")
        if form.has_ring:
            lines.append(f"    int64_t r_{c_name(field.name)};")
    # A structure needs a field in C, a strategy does not.
    return "\n".join([*lines, "    int64_t reserved;", "} il_state;"])


def _words(program: Program) -> list[Word]:
    found = [Word(f.name, f.kind, f"v_{c_name(f.name)}") for f in program.state]
    for field in program.indicators:
        place = f"i_{c_name(field.name)}"
        for output in INDICATORS[field.kind].outputs:
            found.append(Word(f"{field.name}.{output}", "float", f"{place}.{output}"))
        found.append(Word(f"{field.name}.count", "int", f"{place}.count"))
    return found


def _init(program: Program, places: list[tuple[str, str]]) -> str:
    body = Body(program, places, "return -{place};")
    body.declare(program.start_locals, C_KINDS)
    for index, field in enumerate(program.params):
        kind = "int64_t" if field.kind == "int" else "double"
        body.line(f"s->p_{c_name(field.name)} = ({kind})params[{index}];")
    if not program.params:
        body.line("(void)params;")
    body.statements(program.start)
    return _INIT % {"body": body.text()}


def _signals(program: Program) -> str:
    """Return `il_signals`; an indicator's count never goes down, so what is warm stays warm."""
    counts = [f"i_{c_name(field.name)}.count > 0" for field in program.indicators]
    return _SIGNALS % {
        "levels": _LEVELS if program.has_levels else "",
        "warm": " && ".join(f"local.{count}" for count in counts) or "1",
        "kept_warm": " && ".join(f"s->{count}" for count in counts) or "1",
    }


def _facts(words: tuple[Word, ...]) -> str:
    """Return the exported facts: interface version, and where each named word lies."""
    places = [f"offsetof(il_state, {word.c_place})" for word in words] or ["0"]
    facts = {
        "int64_t il_abi": "IL_ABI",
        f"int64_t il_words[{len(places)}]": f"{{{', '.join(places)}}}",
        "char il_build_sha256[65]": "IL_BUILD_SHA256",
    }
    # Declared first: what is constant in C++ would otherwise be seen in this text only.
    return "".join(f"IL_EXPORT const {name};\nconst {name} = {value};\n" for name, value in facts.items())
