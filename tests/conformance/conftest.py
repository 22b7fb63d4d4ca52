"""The cases stand in plain modules: their asserts say as much as a test's."""

from __future__ import annotations

import pytest

for _name in ("bench", "denials", "cases"):
    pytest.register_assert_rewrite(f"tests.conformance.{_name}")
