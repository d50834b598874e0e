"""The box of one user as a device knows it: what is live, what was shown, what is missing. Pure."""
