"""Documents that must tell the truth: references, README, seams."""
