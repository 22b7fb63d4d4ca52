"""The same bars decide the same in a back-test and in a paper session."""
