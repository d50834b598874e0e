"""The command `read`: a body, a part or the list of parts of one message."""
