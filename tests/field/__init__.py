"""Failures that befell others in the field, played again on the loopback venues."""
