"""The whole corpus, in its order."""

from __future__ import annotations

from tests.field.failure import Failure
from tests.field.lives import LIVES
from tests.field.submits import SUBMITS

CORPUS: tuple[Failure, ...] = (*SUBMITS, *LIVES)
