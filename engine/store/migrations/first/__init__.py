"""The tables of the first revision, as they were made then; nothing here changes any more."""
