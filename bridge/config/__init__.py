"""The configuration: every key, and how its values are written and read."""
