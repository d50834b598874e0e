"""The command line: `postbell`, and `python -m bridge`."""
