"""The coverage of the kernel counts lines of ours, all of them, and nothing that Cython adds."""

from __future__ import annotations

import pytest

from tests.native.counted_build import MADE, attributed
from tests.native.coverage import counted_lines, spans, table

C = """#line 7 "native/a.pyx"
  __pyx_t_1 = 1;

/* "native/a.pyx":8
 * a comment of several lines
*/

#line 8 "native/a.pyx"
  #define two \\
    lines
}
static void __Pyx_Helper(void) {
  return;
}"""


def test_only_the_first_line_of_c_after_a_line_of_ours_is_counted_for_it():
    marked = list(attributed(C.split("\n")))
    assert [line for line in marked if line != MADE] == C.split("\n")
    assert marked.count(MADE) == 1 and marked[marked.index(MADE) + 1] == "}"


def test_lines_of_our_files_count_and_no_others():
    files = [
        {"file": name, "lines": [{"line_number": 3, "count": 2}]}
        for name in ("native/a.pyx", "native/a.pxd", "native/a.h", "native/a.c", "made by cython", "/usr/a.h")
    ]
    named = [(name, 3, 2) for name in ("native/a.pyx", "native/a.pxd", "native/a.h")]
    assert list(counted_lines({"files": files})) == named


def test_the_table_names_what_is_missing():
    text, share = table({"native/b.pxd": {1: 0}, "native/a.pyx": {1: 5, 3: 0, 4: 0, 5: 0, 9: 0, 10: 1}})
    assert share == pytest.approx(200 / 7)
    rows = [line.split() for line in text.split("\n")]
    assert rows[0] == ["native/a.pyx", "2/6", "3-5,", "9"] and rows[1] == ["native/b.pxd", "0/1", "1"]
    assert rows[2] == ["all", "2/7", "28.57", "%"]
    assert table({})[1] == 0.0 and spans([]) == ""
