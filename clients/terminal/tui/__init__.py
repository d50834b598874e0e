"""`watch --tui`: mail in a window of the terminal. Needs Textual, and is imported only then."""
