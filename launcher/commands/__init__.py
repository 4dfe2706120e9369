"""The command line: what is typed, and one file for each sub-command."""
