"""Plain-Python twins of the kernel, written to be read; equal means bit-equal."""
