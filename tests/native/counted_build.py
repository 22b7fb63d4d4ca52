"""Build the kernel of the current folder with gcc's counters: `python -m tests.native.counted_build`.

What is built is what setup.py says, without optimising. Only `tests.native.coverage` runs this, in a copy.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import Cython.Build
from setuptools import Extension

FLAGS = ["-O0", "--coverage", "-fkeep-static-functions"]
MADE = '#line 1 "made by cython"'


def attributed(lines: Iterable[str]) -> Iterator[str]:
    """Give lines of C in which only what Cython made of a line of ours is counted for it.

    Cython writes a #line before each line of C it made of ours, and none before its helpers: they would
    count as the lines that follow in our file. From the second line of C on, they are told to be its own.
    """
    is_ours = is_first = in_comment = continues = False
    for line in lines:
        if line.startswith("#line "):
            is_ours = is_first = True
        elif in_comment or line.startswith("/*", len(line) - len(line.lstrip())):
            in_comment = "*/" not in line
        elif line.strip() and is_first:
            is_first = False
        elif line.strip() and is_ours and not continues:
            is_ours = False
            yield MADE
        continues = line.endswith("\\")
        yield line


def counted(extensions: Sequence[Extension], **options: object) -> list[Extension]:
    """Stand in for `cythonize`: the same, with counters in the C it makes."""
    for extension in extensions:
        extension.extra_compile_args += FLAGS
        extension.extra_link_args += ["--coverage"]
    made = cythonize(extensions, emit_linenums=True, **options)
    for path in (Path(source) for extension in made for source in extension.sources):
        path.write_text("\n".join(attributed(path.read_text().split("\n"))))
    return list(made)


if __name__ == "__main__":
    cythonize, Cython.Build.cythonize = Cython.Build.cythonize, counted
    sys.argv = ["setup.py", "-q", "build_ext", "--inplace"]
    runpy.run_path("setup.py", run_name="__main__")
