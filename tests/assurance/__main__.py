"""`python -m tests.assurance`: the controls as a document, or the self-assessment of a release."""

import sys

from tests.assurance.assessment import main

sys.exit(main())
