"""The tests, by floor."""
