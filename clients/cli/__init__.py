"""The command line of the clients: its commands, options, and exit codes."""
