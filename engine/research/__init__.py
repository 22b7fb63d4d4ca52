"""Research: runs and their artifacts, metrics, indexes, and the folders of paper sessions."""
