"""`python -m tests.conformance`: see `record`."""

from __future__ import annotations

import sys

from tests.conformance.record import main

sys.exit(main(sys.argv[1:]))
