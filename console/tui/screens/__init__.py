"""The ten rooms of the console, one file each."""
