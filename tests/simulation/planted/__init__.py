"""Planted bugs: mutations of our own code that the simulator must find."""
