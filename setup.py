"""Build the Cython kernel; everything else is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

# No FMA contraction and no fast-math: every build must give the same bits (docs/assumptions.md).
# Without errno a square root is one instruction, not a call; its bits are the same.
FLAGS = [
    *("-O3", "-ffp-contract=off", "-fno-fast-math", "-fno-math-errno", "-g0"),
    f"-ffile-prefix-map={Path.cwd()}=.",
]
JOBS = os.cpu_count() or 1
HEADERS = [str(header) for header in sorted(Path("native").glob("*.h"))]

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"native.{source.stem}",
                [str(source)],
                depends=HEADERS,
                extra_compile_args=FLAGS,
                extra_link_args=["-Wl,--build-id=none"],
            )
            for source in sorted(Path("native").glob("*.pyx"))
        ],
        nthreads=JOBS,
        language_level=3,
        compiler_directives={
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
        },
    ),
    options={"build_ext": {"parallel": JOBS}},
)
