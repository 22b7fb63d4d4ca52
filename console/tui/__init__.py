"""The full-screen console: it knows the engine's api, the vocabulary and the seams, and nothing else."""
