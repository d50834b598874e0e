"""The contract as any client reads and writes it, whole, from docs/protocol.md alone. Pure."""
