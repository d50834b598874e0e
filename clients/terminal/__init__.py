"""The reference client for a terminal, a pipe or a file."""
