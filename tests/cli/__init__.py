"""The command line: contract, exit codes, the severe acts."""
