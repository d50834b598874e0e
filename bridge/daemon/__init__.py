"""The running process: its parts put together, its run directory, its signals, its broker, its log."""
