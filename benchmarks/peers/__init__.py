"""Other back-testers beside ours on the same bars: `python -m benchmarks.peers [NAME …]`."""
