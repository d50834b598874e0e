"""What the pages tell an operator to type, typed: line by line, in a Debian of its own that boots."""
