"""The indicator header stands alone: every signature of the table compiles, and nothing undefined is left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from native.indicator_table import INDICATORS, IndicatorForm

NATIVE = Path(__file__).parents[2] / "native"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-ffp-contract=off", "-fno-math-errno"]


def _function(form: IndicatorForm) -> str:
    """Use one indicator as the table describes it."""
    name = form.c_name
    kinds = [
        f"{'int64_t' if form.is_whole(argument) else 'double'} {argument}" for argument, _ in form.arguments
    ]
    inputs = [f"{'int64_t' if which == 'ts_ns' else 'double'} {which}" for which in form.inputs]
    given = ", ".join(argument for argument, _ in form.arguments)
    ring = "ring, " if form.has_ring else ""
    room = f"if (il_{name}_room({given}) != {form.room}) return -1.0;" if form.has_ring else "(void)ring;"
    outputs = " + ".join(f"s->{output}" for output in form.outputs)
    return (
        f"double use_{name}(il_{name} *s, double *ring, {', '.join([*kinds, *inputs])}) {{\n"
        f"    {room}\n    il_{name}_init(s, {given});\n"
        f"    il_{name}_step(s, {ring}{', '.join(form.inputs)});\n"
        f"    return {outputs} + (double)(s->count >= s->warmup);\n}}\n"
    )


@pytest.mark.parametrize("level", ["-O0", "-O3"])
def test_every_indicator_compiles_freestanding_and_calls_nothing(level, tmp_path):
    source, target = tmp_path / "use.c", tmp_path / "use.o"
    source.write_text('#include "indicators.h"\n' + "".join(map(_function, INDICATORS.values())))
    subprocess.run(["gcc", level, *FLAGS, f"-I{NATIVE}", "-c", str(source), "-o", str(target)], check=True)
    undefined = subprocess.run(["nm", "-u", str(target)], check=True, capture_output=True, text=True).stdout
    assert undefined == ""
