"""The store: the truth about users, messages and what the broker may not know yet."""
