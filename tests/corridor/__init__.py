"""The corridor: steps, evidence, one submit."""
