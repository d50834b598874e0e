"""The command `inbox`: what is live, by short numbers, and what is done with it."""
