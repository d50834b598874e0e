"""From facts to findings: what each hop should be like, as pure functions."""
