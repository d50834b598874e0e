"""Whether a message rings, how much of it is told, and why. Pure."""
