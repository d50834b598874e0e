"""The facts: what this machine, its programs and its files say of themselves."""
